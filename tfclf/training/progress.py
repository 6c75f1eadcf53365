"""The display of a running training: one bar over all its steps, with loss and learning rate."""

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class TrainingProgress:
    """A rich progress bar on stderr; it prints nothing if `shown` is False."""

    def __init__(self, *, shown: bool) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not shown,
        )
        self._task = self._progress.add_task("preparing", total=None, state="")

    def __enter__(self) -> "TrainingProgress":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def say(self, message: str) -> None:
        """Print a line above the bar."""
        if not self._progress.disable:
            self._progress.console.print(message, highlight=False, markup=False, soft_wrap=True)

    def begin(self, description: str, *, total: int | None = None, done: int = 0) -> None:
        """Show what runs now."""
        self._progress.update(
            self._task, description=description, total=total, completed=done, state=""
        )

    def step(self, done: int, *, loss: float, rate: float) -> None:
        """Show that one more step is finished."""
        self._progress.update(self._task, completed=done, state=f"loss {loss:.4f}  rate {rate:.2e}")
