"""The command line: one module a command group, each a plain function that this module registers.

Exit codes: 0 done; 1 `verify` found a difference; 2 an error that the user can mend, told without a traceback.
"""

import io
import os
import sys

import typer
from rich.console import Console

from tfclf.errors import TfclfError

app = typer.Typer(
    name="tfclf",
    help="Sequence classification the TensorFlow way: strings in, labels out, one SavedModel.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)


def _register() -> None:
    from tfclf.cli import commands

    for command in commands.ALL:
        app.command()(command)


def main() -> None:
    """The entry point of `tfclf`."""
    # TensorFlow greets on stderr from C++ before anything of ours could silence it.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Labels and texts are UTF-8 in files and on the wire; printed by a locale of C or Latin-1 they would be an error.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    _register()
    try:
        app()
    except TfclfError as error:
        Console(stderr=True, highlight=False).print(f"[bold red]error:[/] {_plain(error)}", soft_wrap=True)
        sys.exit(2)
    except BrokenPipeError:
        # `tfclf predict ... | head` closes the pipe; what is still buffered must not be flushed into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _plain(error: TfclfError) -> str:
    from rich.markup import escape

    return escape(str(error))
