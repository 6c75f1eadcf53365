"""French in and out of every command, in a locale that knows only ASCII."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tfclf
from samples.checkpoints import edit_json, tiny_checkpoint, write_small_tokenizer
from tests.signatures import few_signatures
from tfclf import Client
from tfclf.server import serve
from tfclf.server.process import Server

TEXT = "J'ai bien aimé ce film… à voir d'urgence, cœur serré !"
LABELS = ("négatif", "mitigé ½", "très positif 👍")
ASCII = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose own name, and every name in it, is French."""
    return tmp_path_factory.mktemp("été")


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONIOENCODING", "LC_CTYPE")
    }

    def tfclf(
        *arguments: object, stdin: bytes = b"", **settings: str
    ) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "tfclf", *map(str, arguments)]
        environment = {**kept, **ASCII, "TFCLF_CACHE": str(folder / "caché"), **settings}
        return subprocess.run(
            command, input=stdin, capture_output=True, env=environment, cwd=folder, check=False
        )

    return tfclf


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    """An export under relative French names: modèle/1."""
    checkpoint = tiny_checkpoint(
        folder / "entraîné",
        id2label={str(index): name for index, name in enumerate(LABELS)},
        n_layers=1,
    )
    write_small_tokenizer(checkpoint)
    edit_json(checkpoint / "tokenizer_config.json", tokenizer_class=None)
    with few_signatures("classify", "detail"):
        tfclf.export(checkpoint, folder / "modèle")
    return Path("modèle")


@pytest.fixture(scope="module")
def rows(folder: Path, model: Path) -> Path:
    (folder / "critiques.jsonl").write_text(
        "".join(
            json.dumps({"text": TEXT, "label": label}, ensure_ascii=False) + "\n"
            for label in LABELS
        ),
        encoding="utf-8",
    )
    return Path("critiques.jsonl")


def _lines(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8").splitlines()


def test_texts_may_be_arguments_and_what_is_no_text_is_written_as_json_writes_it(
    run: Run, model: Path
) -> None:
    done = run("predict", model, TEXT, b"caf\xe9".decode("utf-8", "surrogateescape"), "--json")
    row, broken = map(json.loads, _lines(done))
    assert row["text"] == TEXT
    assert row["label"] in LABELS
    assert list(row["probabilities"]) == list(LABELS)
    assert broken["text"] == "caf\udce9"


def test_texts_may_come_on_standard_input(run: Run, model: Path) -> None:
    table = _lines(
        run("predict", model, stdin=f"{TEXT}\n".encode(), PYTHONIOENCODING="latin-1", COLUMNS="200")
    )
    assert table[1].endswith(TEXT)
    assert table[1].startswith(LABELS)


def test_show_names_the_labels(run: Run, model: Path) -> None:
    assert ", ".join(LABELS) in " ".join(
        " ".join(_lines(run("show", model, COLUMNS="200"))).split()
    )
    shown = json.loads(_lines(run("show", model, "--json"))[0])
    assert (shown["name"], shown["labels"]) == ("modèle", list(LABELS))


@pytest.mark.verify
def test_evaluate_measures_labels_in_french(run: Run, model: Path, rows: Path) -> None:
    assert all(
        label in "\n".join(_lines(run("evaluate", model, rows, COLUMNS="200"))) for label in LABELS
    )


@pytest.mark.verify
def test_export_and_verify_keep_them(run: Run, folder: Path, model: Path) -> None:
    written = json.loads(_lines(run("export", "entraîné", "modèle exporté", "--json"))[0])
    assert written["path"] == "modèle exporté/1"
    (folder / "à vérifier.txt").write_text(f"{TEXT}\n", encoding="utf-8")
    done = run("verify", "modèle exporté", "--source", "entraîné", "--texts", "à vérifier.txt")
    assert _lines(done)[0].startswith("equal")


def test_cards_are_printed_as_they_are_written(run: Run) -> None:
    assert "AlloCiné" in "\n".join(_lines(run("cards", "fr.classify.xlm_roberta.allocine")))


def test_a_cache_may_have_any_name(run: Run) -> None:
    assert _lines(run("pull", "--list"))[0].endswith("caché holds no archive.")


def test_an_error_is_french_where_its_cause_is(run: Run) -> None:
    done = run("show", "modèle perdu")
    assert done.returncode == 2
    assert done.stderr.decode("utf-8").startswith("error: modèle perdu: there is no such folder")


@pytest.fixture(scope="module")
def server(folder: Path, model: Path) -> Iterator[Server]:
    with serve(folder / model, model_name="modèle", port=0, rest_port=0) as running:
        yield running


@pytest.fixture(scope="module")
def expected(folder: Path, model: Path) -> tfclf.Prediction:
    return tfclf.load(folder / model).predict([TEXT])[0]


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_a_served_model_answers_in_french(
    server: Server, expected: tfclf.Prediction, protocol: str
) -> None:
    address = server.address if protocol == "grpc" else f"http://127.0.0.1:{server.rest_port}"
    with Client(address, model="modèle") as client:
        (found,) = client.predict([TEXT])
    assert found.label == expected.label
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
