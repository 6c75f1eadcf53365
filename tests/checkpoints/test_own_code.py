"""A checkpoint's own Python code never runs, whichever door it comes through."""

import io
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import tfclf
from samples.checkpoints import edit_json
from tfclf.cli import main
from tfclf.data import Row
from tfclf.errors import CheckpointError
from tfclf.tokenization.read import load_reference
from tfclf.training import train

_MARK = "code_was_run"
# File -> what it says to have transformers import code.py.
_MAPS: Mapping[str, Mapping[str, object]] = {
    "config.json": {
        "model_type": "own",
        "auto_map": {"AutoConfig": "code.Own", "AutoModelForSequenceClassification": "code.Own"},
    },
    "tokenizer_config.json": {
        "tokenizer_class": "Own",
        "auto_map": {"AutoTokenizer": ["code.Own", None]},
    },
}


@pytest.fixture(params=sorted(_MAPS))
def own_code(own_checkpoint: Path, request: pytest.FixtureRequest) -> Path:
    """Return a checkpoint whose code would leave a file behind."""
    mark = str(own_checkpoint / _MARK)
    (own_checkpoint / "code.py").write_text(f"open({mark!r}, 'w').close()\n", encoding="utf-8")
    edit_json(own_checkpoint / request.param, **_MAPS[request.param])
    return own_checkpoint


def _run(*arguments: object) -> object:
    """Run the command line in this process.

    Raises: CheckpointError with what it said, if its exit code is 2.
    """
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["tfclf", *map(str, arguments)])
        patch.setattr(sys, "stderr", said)
        with pytest.raises(SystemExit) as stopped:
            main()
    assert stopped.value.code == 2
    raise CheckpointError(" ".join(said.getvalue().split()))


def _evaluate(folder: Path, exported: Path) -> None:
    rows = folder / "rows.csv"
    rows.write_text("text,label\nnews,Sports\n", encoding="utf-8")
    _run("evaluate", folder, rows)


_DOORS: Mapping[str, Callable[[Path, Path], object]] = {
    "load": lambda folder, _: tfclf.load(folder),
    "load, original engine": lambda folder, _: tfclf.load(folder, engine="original"),
    "load_reference": lambda folder, _: load_reference(folder),
    "export": lambda folder, _: tfclf.export(folder, folder / "exported"),
    "verify": lambda folder, exported: tfclf.verify(exported, folder),
    "evaluate": _evaluate,
    "predict": lambda folder, _: _run("predict", folder, "news"),
    "train": lambda folder, _: train(
        folder, [Row("news", "no")], folder / "out", labels=["no", "yes"]
    ),
}


@pytest.mark.parametrize("door", _DOORS)
def test_code_of_a_checkpoint_never_runs_and_never_asks(
    own_code: Path, exported: Path, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = io.StringIO("y\n" * 10)
    monkeypatch.setattr(sys, "stdin", answers)
    with pytest.raises(CheckpointError, match=r"auto_map.*trust_remote_code=False"):
        _DOORS[door](own_code, exported)
    assert not (own_code / _MARK).exists()
    assert answers.tell() == 0


def test_own_code_is_named_with_its_file(own_code: Path) -> None:
    with pytest.raises(CheckpointError, match=r"_?config\.json: auto_map .*code\.Own.*remove"):
        tfclf.load(own_code)


@pytest.mark.parametrize("door", ["load", "load_reference"])
def test_a_pickled_vocabulary_is_never_read(own_checkpoint: Path, door: str) -> None:
    (own_checkpoint / "vocab.pkl").touch()
    with pytest.raises(CheckpointError, match=r"vocab\.pkl is a pickle"):
        _DOORS[door](own_checkpoint, own_checkpoint)


def test_an_empty_auto_map_changes_nothing(own_checkpoint: Path) -> None:
    edit_json(own_checkpoint / "config.json", auto_map={})
    assert tfclf.load(own_checkpoint).labels
    assert json.loads((own_checkpoint / "config.json").read_text())["auto_map"] == {}


def test_nothing_but_the_one_door_calls_from_pretrained() -> None:
    package = Path(tfclf.__file__).parent
    callers = {
        path.name
        for path in package.rglob("*.py")
        if re.search(r"\.from_pretrained\((?!\.\.\.)", path.read_text(encoding="utf-8"))
    }
    assert callers == {"_transformers.py"}
