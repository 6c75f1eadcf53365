"""Every command of `tfclf`, in the order of --help."""

from collections.abc import Callable
from typing import Any

import typer

from tfclf.cli.calibrate import calibrate
from tfclf.cli.cards import cards
from tfclf.cli.evaluate.command import evaluate
from tfclf.cli.explain import explain
from tfclf.cli.export import export, show, verify
from tfclf.cli.help_page import Command
from tfclf.cli.predict.command import predict
from tfclf.cli.pull import pull
from tfclf.cli.serve import serve
from tfclf.cli.train import train

ALL: tuple[Callable[..., Any], ...] = (
    predict,
    explain,
    export,
    show,
    verify,
    evaluate,
    calibrate,
    train,
    serve,
    cards,
    pull,
)


def register(app: typer.Typer) -> None:
    """Add every command to `app`, unless it has them: `tfclf` may run many times in a process."""
    if app.registered_commands:
        return
    for command in ALL:
        app.command(cls=Command)(command)
