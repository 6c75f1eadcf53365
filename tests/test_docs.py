"""Every block of code of the pages runs, in order, and prints what the page shows; every link and option is there."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from tests.checkpoints import ROOT
from tests.pages import Block, Session, agrees, blocks
from tfclf.cli import commands
from tfclf.server import flags

PAGES = sorted(str(path.relative_to(ROOT)) for path in (*ROOT.glob("docs/*.md"), ROOT / "serving" / "README.md"))
ALL = ["README.md", *PAGES]


def _programs(page: str) -> list[Block]:
    """Of README.md only what stands from the first server on; tests/test_readme.py has the rest."""
    found = blocks(page)
    if page == "README.md":
        first = next(index for index, block in enumerate(found) if block.mark == "server")
        return found[first:]
    return found


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Session(tmp_path_factory.mktemp("pages")) as made:
        yield made


@pytest.mark.parametrize("page", [page for page in ALL if any(block.mark != "no-run" for block in _programs(page))])
def test_a_page_runs_and_prints_what_it_shows(page: str, session: Session) -> None:
    programs = _programs(page)
    words = {word for block in programs for word in re.findall(r"\w+", block.code) if block.language != "python"}
    if missing := [tool for tool in ("curl", "jq", "openssl") if tool in words and shutil.which(tool) is None]:
        pytest.skip(f"the page's commands need {', '.join(missing)}")
    for block in programs:
        session.run(block)


@pytest.mark.parametrize("page", ALL)
def test_a_block_that_does_not_run_says_why(page: str) -> None:
    silent = [str(block) for block in blocks(page) if block.mark == "no-run" and len(block.reason.split()) < 3]
    assert not silent


@pytest.mark.parametrize("page", ALL)
def test_commands_of_a_page_have_only_options_that_there_are(page: str) -> None:
    for block in blocks(page):
        for words in _commands(block):
            _check(block, words)


@pytest.mark.parametrize("page", ALL)
def test_links_of_a_page_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / page).read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (folder / target).exists()]
    assert not missing


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    names = {Path(page).name for page in PAGES if page.startswith("docs/")} - {"index.md"}
    assert [name for name in sorted(names) if f"({name})" not in index] == []


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("a 0.98\n", "a 0.9...\n", True),
        ("a 0.88\n", "a 0.9...\n", False),
        ("a\nb\nc\n", "a\n...\nc\n", True),
        ("a\nb\n", "a\n", False),
        ("{}", "{}\n", True),
        ("", "\n", True),
    ],
)
def test_dots_stand_for_what_differs_and_nothing_else_does(printed: str, shown: str, same: bool) -> None:
    assert agrees(printed, shown) is same


def _commands(block: Block) -> Iterator[list[str]]:
    """The command lines of ours in a block, as words."""
    if block.language == "python":
        return
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True) if "tfclf" in line else []
        for stop in ("|", "2>", ">", "&"):
            words = words[: words.index(stop)] if stop in words else words
        if words[:1] == ["tfclf"] or words[:3] == ["python", "-m", "tfclf.server"]:
            yield words


def _check(block: Block, words: list[str]) -> None:
    if words[0] == "python":
        flags.parse(words[3:])  # ends the program where a flag is wrong
        return
    (command,) = (found for found in commands.ALL if found.__name__ == words[1])
    alone = typer.Typer(add_completion=False)
    alone.command()(command)
    typer.main.get_command(alone).make_context(f"{block}: {words[1]}", words[2:])
