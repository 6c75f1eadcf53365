"""The listener of a download's progress."""


class Watch:
    """A listener that ignores everything; the command line has one that draws a bar.

    Attributes:
      draws: whether others may draw bars too, such as huggingface_hub.
    """

    draws: bool = False

    def note(self, line: str) -> None:
        """Report a line for people: a wait, a retry."""

    def begins(self, what: str, *, size: str | None, address: str) -> None:
        """Report that `what` is about to be fetched; `size` is None if it is not known yet."""

    def at(self, done: int, total: int | None) -> None:
        """Report the bytes that are there."""

    def ends(self) -> None:
        """Report the end, of a success or of a failure."""
