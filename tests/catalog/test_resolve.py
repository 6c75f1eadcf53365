"""Names of models: found on this machine, or an error that says how to get the model."""

import shutil
import sys
from pathlib import Path

import huggingface_hub.constants
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfclf
from samples.checkpoints import DEMO, LABELS
from tests.catalog.pull.hub import in_cache
from tests.catalog.pull.server import FileServer
from tfclf.catalog import cards
from tfclf.catalog import pull as download
from tfclf.catalog import resolve as sources
from tfclf.errors import SourceNotFoundError

CARD = "en.classify.albert.ag_news"
BUNDLED = "en.classify.distilbert_mini.ag_news"


@pytest.fixture(autouse=True)
def own_hub_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.parametrize("name", [BUNDLED, "distilbert_mini_sequence_classifier_ag_news"])
def test_a_bundled_model_is_found_by_its_card(name: str) -> None:
    assert sources.find(name) == sources.LocalModel(
        DEMO, "distilbert_mini_sequence_classifier_ag_news"
    )


def test_the_one_liner_of_a_card_runs() -> None:
    assert tfclf.load(BUNDLED).predict("Midfielder scores twice in extra time").label == "Sports"


def test_a_path_that_exists_comes_before_a_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / BUNDLED).mkdir()
    monkeypatch.chdir(tmp_path)
    assert sources.find(BUNDLED).path == Path(BUNDLED)


def test_a_path_object_is_no_name() -> None:
    with pytest.raises(SourceNotFoundError, match="there is no such folder"):
        sources.find(Path(BUNDLED))


def test_a_pulled_archive_is_found(server: FileServer) -> None:
    mirrored = download.read_settings(mirror=server.url)
    pulled = download.pull(CARD, settings=mirrored)
    assert sources.find(CARD) == sources.LocalModel(
        pulled.path, "albert_base_sequence_classifier_ag_news"
    )
    assert sources.find(cards.find(CARD).name, exports=False).path == pulled.path


@pytest.mark.verify
def test_a_genuine_archive_is_pulled_and_predicts_by_its_reference(
    server: FileServer, shared: Path
) -> None:
    """The tiny ALBERT that Spark NLP 3.4.4 wrote, in the place of the card's own."""
    genuine = (
        shared
        / "spark_nlp"
        / "archives"
        / "albert_tiny_sequence_classifier_ag_news_en_3.4.4_3.0.zip"
    )
    server.content = genuine.read_bytes()
    download.pull(CARD, settings=download.read_settings(mirror=server.url))
    classifier = tfclf.load(CARD)
    assert (classifier.manifest.name, classifier.manifest.family) == (
        cards.find(CARD).name,
        "albert",
    )
    assert set(classifier.predict(cards.find(CARD).example).probabilities or ()) == set(
        cards.find(CARD).labels
    )


def test_a_card_that_is_not_there_says_exactly_how_to_get_it() -> None:
    archive = cards.find(CARD).archive
    assert archive is not None
    with pytest.raises(SourceNotFoundError) as caught:
        tfclf.load(CARD)
    assert str(caught.value) == (
        f"{CARD} is not on this machine yet. Get its archive (44.9 MB) with: tfclf pull {CARD} - "
        f"or download {archive.url} by hand and give the file: "
        f'tfclf.load("albert_base_sequence_classifier_ag_news_en_3.4.0_3.0_1639648298937.zip")'
    )


@pytest.mark.parametrize(
    "card", [card for card in cards.cards() if card.archive], ids=lambda card: card.name
)
def test_every_card_with_an_archive_can_be_asked_for(card: cards.Card) -> None:
    for name in (card.name, *card.nlu_references):
        with pytest.raises(SourceNotFoundError, match=f"tfclf pull {name} - or download https://"):
            sources.find(name)


@pytest.mark.parametrize("package", ["platformdirs", "huggingface_hub"])
def test_names_are_told_how_to_get_also_without_the_extra(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delenv("TFCLF_CACHE")
    for name in (CARD, "org/name"):
        with pytest.raises(SourceNotFoundError, match=f"tfclf pull {name}"):
            sources.find(name)


def test_a_name_that_is_none_gets_the_nearest_cards() -> None:
    with pytest.raises(
        SourceNotFoundError, match=r"no such folder.*Nearest cards: en\.classify\.albert\.ag_news"
    ):
        tfclf.load("en.classify.alber.ag_news")


def test_a_hub_id_that_is_not_there_says_how_to_get_it() -> None:
    with pytest.raises(SourceNotFoundError, match=r"there is no such folder.*tfclf pull org/name$"):
        tfclf.load("org/name")


def test_a_pulled_checkpoint_loads_by_its_name(own_hub_cache: Path, checkpoint: Path) -> None:
    shutil.copytree(checkpoint, in_cache(own_hub_cache, "org/name", {}), dirs_exist_ok=True)
    classifier = tfclf.load("org/name")
    assert (classifier.manifest.name, classifier.labels) == ("name", LABELS)


def test_a_bundled_export_is_no_checkpoint() -> None:
    with pytest.raises(
        SourceNotFoundError, match=r"comes as an export, .*; here a checkpoint is needed"
    ):
        sources.find(BUNDLED, exports=False)


def test_what_serves_takes_a_bundled_card_and_paths() -> None:
    assert sources.find_export(BUNDLED) == DEMO
    assert sources.find_export("nowhere") == Path("nowhere")


@pytest.mark.parametrize("name", [CARD, "org/name"])
def test_what_serves_says_that_an_export_is_needed(name: str) -> None:
    with pytest.raises(
        SourceNotFoundError,
        match=f"`tfclf pull {name}` gets it, `tfclf export {name} saved_models/",
    ):
        sources.find_export(name)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_found_or_told(text: str) -> None:
    try:
        found = sources.find(text)
    except SourceNotFoundError:
        return
    assert found.path.exists()


@pytest.fixture
def outside_a_clone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Look for models as an installed package does."""
    monkeypatch.setattr("tfclf.catalog.local._CHECKOUT", tmp_path / "site-packages")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("outside_a_clone")
def test_outside_a_clone_load_serve_and_pull_say_the_same_of_the_bundled_model(
    tmp_path: Path,
) -> None:
    messages = set()
    for look_up in (
        sources.find,
        sources.find_export,
        lambda name: download.pull(name, settings=download.Settings(tmp_path)),
    ):
        with pytest.raises(SourceNotFoundError) as raised:
            look_up(BUNDLED)
        messages.add(str(raised.value))
    (message,) = messages
    assert "tfclf pull" not in message
    assert f"/path/to/tfclf/saved_models/{DEMO.name}" in message
