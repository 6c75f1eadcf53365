"""A progress bar that shows only if the work takes longer than a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tfclf.inputs import IndexedTexts, count_texts

_QUIET_SECONDS = 1.0
_Item = TypeVar("_Item")


def show_progress(items: Iterable[_Item], *, total: int | None, unit: str) -> Iterator[_Item]:
    """Yield the items, and show a bar as `progress_bar` does.

    >>> list(show_progress("abc", total=3, unit="letters"))
    ['a', 'b', 'c']
    """
    with progress_bar(total=total, unit=unit) as advance:
        for item in items:
            yield item
            advance(1)


def match_texts(texts: Any, results: Iterable[_Item], *, progress: bool) -> Any:
    """Return results in the form in which the texts were given, with a bar if `progress`.

    One str gives its result; a list, Series, array or tensor gives a list; another iterable gives
    an iterator.

    >>> match_texts("a", iter([1]), progress=False), match_texts(["a"], iter([1]), progress=False)
    (1, [1])
    """
    is_one = isinstance(texts, str)
    if progress:
        total = 1 if is_one else count_texts(texts)
        results = show_progress(results, total=total, unit="texts")
    if is_one:
        (one,) = results
        return one
    return list(results) if isinstance(texts, IndexedTexts) else results


@contextmanager
def progress_bar(*, total: int | None, unit: str, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Give a function to call with each number of items done.

    After a second, a bar shows count, rate and time left on standard error. Nothing is shown if
    standard error is not a terminal.

    Args:
      total: the number of items; None if it is not known.
      done: items that an earlier run did.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f} {unit}/s" if task.speed else f"- {unit}/s")

    console = Console(stderr=True)
    bar = Progress(
        TextColumn(
            "{task.completed:,}" + (f" of {total:,}" if total is not None else "") + f" {unit}"
        ),
        BarColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    task = bar.add_task("", total=total, completed=done)
    started = time.monotonic()

    def advance(items: int) -> None:
        bar.advance(task, items)
        if (
            console.is_terminal
            and not bar.live.is_started
            and time.monotonic() - started > _QUIET_SECONDS
        ):
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()
