"""Options that several commands share."""

from typing import Annotated

import typer

TextColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--text-column",
        help="Column of the text, by name or by position from 0; several are joined by a space.",
        show_default="recognised",
    ),
]
Machine = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Xla = Annotated[
    bool | None,
    typer.Option("--xla/--no-xla", help="Let XLA compile the encoder.", show_default="with a GPU"),
]
