"""The command line: one module per group of commands, each a plain function registered here.

Exit codes: 0 done; 1 `verify` found a difference; 2 an error that the user can correct, printed
without a traceback.
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


def _use_utf8() -> None:
    """Use UTF-8 for arguments, file names, standard output and errors, whatever the locale.

    Python fixes the encoding of arguments and file names when it starts. If that is not UTF-8
    (PYTHONUTF8=0 with LC_ALL=C, or a locale of ISO 8859), restart it in the same process, in its
    UTF-8 mode (PEP 540).
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode and sys.executable:
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Escape what is not text, such as a lone surrogate, as JSON does.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def main() -> None:
    """Run `tfclf`."""
    _use_utf8()
    # TensorFlow reads this when imported; without it, it greets on stderr from C++.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _register()
    try:
        app()
    except TfclfError as error:
        Console(stderr=True, highlight=False).print(
            f"[bold red]error:[/] {_escape(error)}", soft_wrap=True
        )
        sys.exit(2)
    except BrokenPipeError:
        # `tfclf predict ... | head` closed the pipe: do not flush what is still buffered into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _escape(error: TfclfError) -> str:
    from rich.markup import escape

    return escape(str(error))
