"""The command line: one module per group of commands, each a plain function registered here.

Exit codes: 0 done; 1 `verify` found a difference; 2 an error that the user can correct, printed
without a traceback.
"""

import errno
import io
import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from tfclf._version import __version__
from tfclf.cli.help_page import Group, OutputClosedError
from tfclf.errors import TfclfError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

app = typer.Typer(
    name="tfclf",
    cls=Group,
    help="Sequence classification the TensorFlow way: strings in, labels out, one SavedModel.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"tfclf {__version__}")
        raise typer.Exit


@app.callback()
def _read_global_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            help="Show the version and exit.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Take the options that stand before the command."""


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


def _open_closed_streams() -> None:
    """Open the null device in the place of standard streams that were closed (`<&-`, `>&-`)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def main() -> None:
    """Run `tfclf`."""
    _open_closed_streams()
    _use_utf8()
    # TensorFlow reads this when imported; without it, it greets on stderr from C++.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tfclf.cli import commands

    commands.register(app)
    try:
        # The name is fixed: completion is for `tfclf`, also if `python -m tfclf` installs it.
        app(prog_name=app.info.name)
    except TfclfError as error:
        _print_error(str(error))
        sys.exit(2)
    except OutputClosedError:
        # `tfclf predict ... | head` closed the pipe: do not flush what is still buffered into it.
        _drop_output()
        sys.exit(0)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        place = error.filename or "standard output"
        _print_error(
            f"{place} cannot be written to its end: {error.strerror}. Make room, and give the "
            f"command again."
        )
        _drop_output()
        sys.exit(2)


def _print_error(words: str) -> None:
    from rich.markup import escape

    Console(stderr=True, highlight=False).print(
        f"[bold red]error:[/] {escape(words)}", soft_wrap=True
    )


def _drop_output() -> None:
    """Let what is still buffered for standard output go nowhere, or Python fails at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
