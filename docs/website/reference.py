"""The reference pages, made from the public names, the errors and the command line."""

import inspect
from typing import Any

import typer
import typer.main
from typer.cli import get_docs_for_click

import tfclf
from tfclf import errors
from tfclf.cli import commands

# The site is made without pyspark, so they cannot be read from `tfclf.spark.__all__`.
_SPARK = ("classify", "SequenceClassifier", "ship_model", "start")
# Records that the public names take or return.
_RECORDS = (
    "tfclf.saved_model.certificate.Certificate",
    "tfclf.client.Tls",
    "tfclf.saved_model.buckets.Ladder",
    "tfclf.training.Recipe",
)


def pages() -> dict[str, str]:
    """Return address -> Markdown for every page."""
    return {
        "reference/python.md": python(),
        "reference/errors.md": errors_page(),
        "reference/command-line.md": command_line(),
    }


def python() -> str:
    """Return the page of public names; mkdocstrings fills it in."""
    functions = [name for name in tfclf.__all__ if name[0].islower()]
    classes = [name for name in tfclf.__all__ if not name[0].islower() and name != "TfclfError"]
    parts = [
        "# Python",
        "Everything public is a name of `tfclf` itself, or for Spark of `tfclf.spark`. "
        "`import tfclf` does not import TensorFlow; the first use of a name that needs it does.",
        "## Functions",
        *(_entry(f"tfclf.{name}") for name in functions),
        "## Classes",
        *(_entry(f"tfclf.{name}") for name in classes),
        "## Spark",
        "Names of `tfclf.spark`, with the extra `spark`; see [Spark](../spark.md).",
        *(_entry(f"tfclf.spark.{name}") for name in _SPARK),
        "## Records",
        "Records that the functions and classes take or return.",
        *(_entry(path) for path in _RECORDS),
        "[Errors](errors.md) have their own page.",
    ]
    return "\n\n".join(parts) + "\n"


def errors_page() -> str:
    """Return the page of errors: the meaning and the base classes of each."""
    rows = ["| error | a kind of | meaning |", "|-|-|-|"]
    for name, error in vars(errors).items():
        if (
            inspect.isclass(error)
            and issubclass(error, errors.TfclfError)
            and error is not errors.TfclfError
        ):
            kinds = ", ".join(f"`{base.__name__}`" for base in error.__bases__)
            rows.append(f"| `{name}` | {kinds} | {_first_line(error)} |")
    return "\n".join(
        (
            "# Errors",
            "",
            "Every error that tfclf raises on purpose is a `tfclf.TfclfError`. It says what was "
            "found, where, what was expected and what to do next. `tfclf.errors` holds them all. "
            "On the command line each ends the program with exit code 2.",
            "",
            *rows,
            "",
        )
    )


def command_line() -> str:
    """Every command with its arguments and options, from the program itself."""
    app = typer.Typer(name="tfclf", add_completion=False)
    commands.register(app)
    group = typer.main.get_command(app)
    context = typer.Context(group, info_name="tfclf")
    found = group.commands  # type: ignore[attr-defined]
    rows = [
        f"| [`tfclf {name}`](#tfclf-{name}) | {_sentence(one.help or '')} |"
        for name, one in found.items()
    ]
    parts = [
        "# Command line",
        "`tfclf COMMAND --help`, or `-h`, prints this. Exit codes: 0, done; 1, `verify` found a "
        "difference; 2, an error that you can mend.",
        "\n".join(["| command | what it does |", "|-|-|", *rows]),
        *(_command(name, one, context) for name, one in found.items()),
    ]
    # A usage line is no command that one could run.
    return "\n\n".join(part.strip() for part in parts).replace("```console\n$ ", "```text\n") + "\n"


def _command(name: str, command: Any, parent: typer.Context) -> str:
    context = typer.Context(command, info_name=name, parent=parent)
    return get_docs_for_click(obj=command, ctx=context, indent=1, name=name, call_prefix="tfclf")


def _entry(path: str) -> str:
    return f"::: {path}"


def _first_line(error: type[Exception]) -> str:
    return (error.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")


def _sentence(text: str) -> str:
    return text.strip().split("\n\n")[0].replace("\n", " ")
