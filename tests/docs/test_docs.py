"""Every block of the pages runs and prints what the page shows; every link and option exists."""

import re
import shlex
import shutil
from collections.abc import Iterator

import pytest
import typer

from docs.website import card_pages, fences, links, reference
from samples.checkpoints import ROOT
from tests.docs.pages import Block, Session, blocks, matches
from tfclf.catalog.cards import Card, cards, snippet
from tfclf.cli import commands
from tfclf.errors import SourceError
from tfclf.server import flags

PAGES = [
    "README.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")),
    *links.PAGES,
]
MADE = {**card_pages.pages(), **reference.pages()}
CARDS = cards()


def _name(card: Card) -> str:
    return card.name


def _blocks(page: str) -> list[Block]:
    return blocks(page, MADE.get(page))


def _runs(page: str) -> bool:
    return any(block.fence.mark != fences.NO_RUN for block in _blocks(page))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Session(tmp_path_factory.mktemp("pages")) as made:
        yield made


@pytest.mark.parametrize("page", [page for page in (*PAGES, *MADE) if _runs(page)])
def test_a_page_runs_and_prints_what_it_shows(page: str, session: Session) -> None:
    programs = _blocks(page)
    words = {
        word
        for block in programs
        for word in re.findall(r"\w+", block.fence.code)
        if _in_shell(block)
    }
    if missing := [
        tool for tool in ("curl", "jq", "openssl") if tool in words and shutil.which(tool) is None
    ]:
        pytest.skip(f"the page's commands need {', '.join(missing)}")
    printed = "".join(session.run(block) for block in programs)
    for fact in _README if page == "README.md" else ():
        assert re.search(fact, printed, re.MULTILINE), f"{fact} is not in\n{printed}"


# README.md shows no output; this is what its blocks say.
_README = (
    r"^World 0\.\d+\nBusiness 0\.\d+\n",
    r"^\['Sports', 'Business'\]\nTrue\n\[b'Business'\]\n",
    r"^World +0\.\d+  Ceasefire talks",
    r'"label": "Business"',
    r"TF Serving",
)


@pytest.mark.parametrize("page", [*PAGES, *MADE])
def test_a_block_that_does_not_run_says_why(page: str) -> None:
    silent = [str(block) for block in _blocks(page) if _is_silent(block.fence)]
    assert not silent


def _is_silent(fence: fences.Fence) -> bool:
    return fence.mark == fences.NO_RUN and len(fence.reason.split()) < 2


@pytest.mark.parametrize("page", [*PAGES, *MADE])
def test_python_of_a_page_compiles_even_where_it_does_not_run(page: str) -> None:
    for block in _blocks(page):
        if block.fence.language == "python":
            compile(block.fence.code, str(block), "exec")


@pytest.mark.parametrize("page", [*PAGES, *MADE])
def test_commands_of_a_page_have_only_options_that_there_are(page: str) -> None:
    for block in _blocks(page):
        for words in _commands(block):
            _check(block, words)


@pytest.mark.parametrize(
    "page", PAGES
)  # of pages that are made, the site's strict build sees to it
def test_links_of_a_page_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    missing = [link.target for link in links.links(text, page) if not (ROOT / link.target).exists()]
    assert not missing


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    named = {link.target for link in links.links(index, "docs/index.md")}
    assert sorted(set(PAGES) - named - {"docs/index.md"}) == []


def test_the_readme_s_grpc_client_imports_nothing_of_ours() -> None:
    (block,) = (found for found in _blocks("README.md") if "predict_pb2" in found.fence.code)
    assert "tfclf" not in block.fence.code


@pytest.mark.parametrize("card", CARDS, ids=_name)
def test_a_card_s_page_has_its_labels_figures_and_recipe(card: Card) -> None:
    page = MADE[card_pages.address(card)]
    figures = [card_pages.figure(value) for value in card.metrics.values()]
    recipe = [f"| `{key}` | `{value}` |" for key, value in card.training.recipe.items()]
    missing = [
        part
        for part in (*card.labels, *card.nlu_references, *card.metrics, *figures, *recipe)
        if part not in page
    ]
    assert not missing
    assert page.count("the card does not give it") == len(card.training.assumed)


@pytest.mark.parametrize("card", [card for card in CARDS if card.spark_nlp], ids=_name)
def test_a_card_s_page_has_the_old_ways_beside_the_new(card: Card) -> None:
    programs = [
        block.fence.code
        for block in _blocks(card_pages.address(card))
        if block.fence.language == "python"
    ]
    new, nlu, spark_nlp = programs
    assert new.strip() == snippet.python(card)
    assert f'nlu.load("{card.nlu_references[0]}").predict("""{card.example}""")' in nlu
    assert card.spark_nlp is not None
    assert f'{card.spark_nlp.annotator}.pretrained("{card.name}", "{card.language}")' in spark_nlp


@pytest.mark.parametrize("card", [card for card in CARDS if card.saved_model is None], ids=_name)
def test_a_card_s_snippet_says_how_to_get_the_model_where_it_is_not_here(
    card: Card, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("TFCLF_CACHE", str(tmp_path))
    with pytest.raises(SourceError, match=re.escape(snippet.shell(card))):
        exec(snippet.python(card), {})


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
def test_dots_stand_for_what_differs_and_nothing_else_does(
    printed: str, shown: str, same: bool
) -> None:
    assert matches(printed, shown) is same


def _in_shell(block: Block) -> bool:
    return block.fence.language in ("sh", "console")


def _commands(block: Block) -> Iterator[list[str]]:
    """The command lines of ours in a block, as words."""
    if not _in_shell(block):
        return
    for line in block.fence.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True) if "tfclf" in line else []
        if "|" in words[:-1] and "tfclf" in words[1:]:  # the last of a pipe
            words = words[len(words) - words[::-1].index("|") :]
        for stop in ("|", "2>", ">", "&"):
            words = words[: words.index(stop)] if stop in words else words
        if words[:1] == ["tfclf"] or words[:3] == ["python", "-m", "tfclf.server"]:
            yield words


def _check(block: Block, words: list[str]) -> None:
    if words[0] == "python":
        flags.parse(words[3:])  # ends the program where a flag is wrong
        return
    found = [command for command in commands.ALL if command.__name__ == words[1]]
    assert found, f"{block}: there is no `tfclf {words[1]}`"
    alone = typer.Typer(add_completion=False)
    alone.command()(found[0])
    typer.main.get_command(alone).make_context(f"{block}: {words[1]}", words[2:])
