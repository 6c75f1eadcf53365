"""`tfclf pull`."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfclf.catalog.pull.watch import Watch
from tfclf.cli.options import Machine, complete_card
from tfclf.errors import InputError

if TYPE_CHECKING:
    from tfclf.catalog.pull import Pulled


def pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Cards, by name or NLU reference, and models of the Hugging Face hub: ORG/NAME.",
            autocompletion=complete_card,
        ),
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(
            help="Branch, tag or commit of a model of the hub. Give a commit to always get the "
            "same files.",
            show_default="its main branch",
        ),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option(
            help="SHA-256 that the archive must have. Give it if the card has none.",
            show_default="the card's, if it has one",
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder for archives. Set it if the default has too little disk space.",
            show_default="TFCLF_CACHE, else the user's cache folder",
        ),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            help="Replaces scheme and host of an archive's address, or all of it if it contains "
            "{file}. Set it if the original address is unreachable.",
            show_default="TFCLF_MIRROR",
        ),
    ] = None,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Use no network: print the model's path, or fail. TFCLF_OFFLINE=1 does the same.",
        ),
    ] = False,
    kept: Annotated[
        bool, typer.Option("--list", help="List the archives in the cache and pull nothing.")
    ] = False,
    machine: Machine = False,
) -> None:
    """Fetch published models: a card's archive, or a checkpoint of the Hugging Face hub.

    Example: `tfclf pull en.classify.albert.ag_news`

    Example: `tfclf pull albert/albert-base-v2 --revision main`

    Repeat the same command to resume an interrupted download. Nothing is fetched twice.
    """
    from tfclf.catalog.pull import identify, read_settings
    from tfclf.catalog.pull import pull as fetch

    chosen = read_settings(cache=cache, offline=offline, mirror=mirror)
    if kept:
        _list(chosen.cache, machine=machine)
        return
    if not names:
        raise InputError(
            "there is nothing to pull. "
            "Name a card (`tfclf cards` lists them) or a hub id, ORG/NAME."
        )
    if len(names) > 1 and (sha256 or revision):
        raise InputError(
            f"--sha256 and --revision are for one model; found {len(names)}. Pull them one by one."
        )
    for name in names:
        identify(name)  # refuse a wrong name before the first byte
    watch = _Terminal(bar=not machine)
    for name in names:
        pulled = fetch(name, settings=chosen, revision=revision, sha256=sha256, watch=watch)
        if machine:
            typer.echo(
                json.dumps(
                    {**dataclasses.asdict(pulled), "path": str(pulled.path)}, ensure_ascii=False
                )
            )
        else:
            _print_pulled(pulled, cache)


def _print_pulled(pulled: "Pulled", cache: Path | None) -> None:
    if pulled.kind == "bundled":
        typer.echo(
            f"{pulled.path}  (bundled with this clone of the repository: nothing to download)"
        )
        typer.echo(
            f"Next: tfclf predict {pulled.name} TEXT, or tfclf serve {pulled.name}", err=True
        )
        return
    from tfclf.catalog.pull.disk_space import format_size

    typer.echo(f"{pulled.path}  ({format_size(pulled.size or 0)})")
    # `load` looks only into the default cache.
    named = pulled.path if cache is not None and pulled.kind == "archive" else pulled.name
    train = f", or tfclf train {named} ROWS -o FOLDER" if pulled.kind == "checkpoint" else ""
    typer.echo(f"Next: tfclf predict {named} TEXT, or tfclf export {named} FOLDER{train}", err=True)


def _list(cache: Path, *, machine: bool) -> None:
    from tfclf.catalog.local import list_archives
    from tfclf.catalog.pull.disk_space import format_size

    rows = list(list_archives(cache))
    for name, path, record in rows:
        if machine:
            content = {"name": name, "path": str(path), **dataclasses.asdict(record)}
            typer.echo(json.dumps(content, ensure_ascii=False))
        else:
            typer.echo(f"{name}  {format_size(record.size)}  {record.fetched[:10]}  {path}")
    if not rows and not machine:
        typer.echo(f"{cache} holds no archive.")
    if not machine:
        typer.echo(
            f"To remove one: rm -r {cache / 'archives'}/NAME. Models of the hub: hf cache", err=True
        )


class _Terminal(Watch):
    """A progress bar on standard error; only lines if that is no terminal, or if `bar` is False."""

    def __init__(self, *, bar: bool) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False, markup=False)
        self.draws = bar and self._console.is_terminal
        self._bar: Any = None
        self._task: Any = None

    def note(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)

    def begins(self, what: str, *, size: str | None, address: str) -> None:
        self.note(f"{what}: {size or 'size unknown'}, from {address}")
        if self.draws:
            from rich.progress import (
                BarColumn,
                DownloadColumn,
                Progress,
                TimeRemainingColumn,
                TransferSpeedColumn,
            )

            columns = (DownloadColumn(), BarColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task("", total=None)

    def at(self, done: int, total: int | None) -> None:
        if self._bar is not None:
            if not self._bar.live.is_started:
                self._bar.start()
            self._bar.update(self._task, completed=done, total=total)

    def ends(self) -> None:
        if self._bar is not None and self._bar.live.is_started:
            self._bar.stop()
        self._bar = None
