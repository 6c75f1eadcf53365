"""Counts that a test run prints as one table at its end."""

from dataclasses import dataclass, field


@dataclass
class Counts:
    """Rows that were compared, and rows that differ."""

    lines: list[tuple[str, str, int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, what: str, corpus: str, *, rows: int, differing: int) -> None:
        self.lines.append((what, corpus, rows, differing))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def table(self) -> str:
        """Return the Markdown table of docs/exactness.md."""
        lines = ["| tokenizer | strings | rows | differing rows |", "|-|-|-:|-:|"]
        lines += [
            f"| {what} | {corpus} | {rows:,} | {differing:,} |"
            for what, corpus, rows, differing in self.lines
        ]
        return "\n".join([*lines, *(["", "Some that differ:", *self.notes] if self.notes else [])])
