"""Who is told how a download goes."""


class Watch:
    """Says nothing; the command line has one that draws a bar.

    Attributes:
      draws: whether there may be bars of others, too: huggingface_hub's.
    """

    draws: bool = False

    def note(self, line: str) -> None:
        """Something that a person may want to know: a wait, a retry."""

    def begins(self, what: str, *, size: str | None, address: str) -> None:
        """`what` is about to be fetched; its size as far as it is known now."""

    def at(self, done: int, total: int | None) -> None:
        """So many bytes are there."""

    def ends(self) -> None:
        """It is there, or failed."""
