"""`tfclf evaluate`, with stub models."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.evaluation.answers import LABELS, says
from tfclf.cli.evaluate.command import evaluate as evaluate_command
from tfclf.errors import DataError, InputError, SourceNotFoundError
from tfclf.evaluation.writing import COMPARISON_FILES, REPORT_FILES
from tfclf.explanation import Explanation
from tfclf.prediction import Prediction
from tfclf.saved_model.manifest import Manifest

IMDB = "roberta_base_sequence_classifier_imdb"
_ANSWERS = {"other": ["neg", "pos", "neg"]}


class _Stub:
    """A loaded model: the one named "other" is always right, others are wrong on the last row."""

    labels = LABELS

    def __init__(self, source: str) -> None:
        many = Path(source).name == "many"
        self.manifest = Manifest(
            name=Path(source).name,
            source=source,
            family="roberta",
            engine="lean",
            precision="float32",
            storage="float32",
            problem_type=f"{'multi' if many else 'single'}_label_classification",
            labels=LABELS,
            max_length=512,
        )

    def explain(self, texts: Iterable[str], **_: object) -> list[Explanation]:
        raise AssertionError("nobody asked for an explanation")

    def predict(
        self, texts: Iterable[str], *, batch_size: int, progress: bool
    ) -> Iterator[Prediction]:
        assert batch_size == 2
        return says(_ANSWERS.get(self.manifest.name, ["neg", "pos", "pos"]))(texts)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs the command on three rows."""
    loader = ModuleType("tfclf.loader")
    loader.load = lambda source, **_: _Stub(source)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tfclf.loader", loader)
    data = tmp_path / "rows.csv"
    data.write_text("text,label\nà,0\nb,1\nc,0\n", encoding="utf-8")
    app = typer.Typer()
    app.command()(evaluate_command)

    def run(
        *options: str,
        models: tuple[str, ...] = ("some_model",),
        data: Path = data,
        stdin: bytes = b"",
    ) -> str:
        arguments = [*models, str(data), "--batch-size", "2", *options]
        outcome = CliRunner().invoke(app, arguments, input=stdin, catch_exceptions=False)
        assert outcome.exit_code == 0, outcome.output
        return outcome.output

    return run


def test_it_prints_one_json_object(run: Callable[..., str]) -> None:
    content = json.loads(run("--json"))
    assert content["eval_accuracy"] == pytest.approx(2 / 3)
    assert content["worst_mistakes"][0]["text"] == "c"
    assert content["about"]["models"][0]["source"] == "some_model"


def test_it_says_how_numbers_were_read(run: Callable[..., str], tmp_path: Path) -> None:
    assert "numbers read as 0 neg, 1 pos" in run("--output", str(tmp_path / "report"))
    page = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "| numbers read as | 0 neg, 1 pos |" in page
    assert json.loads(run("--json"))["about"]["numbers"] == {"0": "neg", "1": "pos"}


def test_a_report_is_not_overwritten_in_silence(run: Callable[..., str], tmp_path: Path) -> None:
    output = ("--output", str(tmp_path / "report"))
    run(*output)
    with pytest.raises(InputError, match=r"holds a report already: .*report\.md.*--overwrite"):
        run(*output)
    assert "Written to" in run(*output, "--overwrite")


def test_a_file_that_cannot_be_read_is_told_before_the_model_is_loaded(
    run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows.csv").write_text("id,title\n1,goal\n")
    monkeypatch.setattr(sys.modules["tfclf.loader"], "load", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(DataError, match=r"'id', 'title'.*--text-column"):
        run()


def test_rows_are_read_from_standard_input(run: Callable[..., str]) -> None:
    rows = b"text,label\na,0\nb,1\nc,0\n"
    content = json.loads(run("--format", "csv", "--json", data=Path("-"), stdin=rows))
    assert content["eval_accuracy"] == pytest.approx(2 / 3)
    assert content["about"]["data"] == "standard input"


def test_rows_on_standard_input_need_a_format(run: Callable[..., str]) -> None:
    with pytest.raises(DataError, match=r"standard input has no suffix.*--format csv"):
        run(data=Path("-"))


def test_a_pipe_is_read_once(run: Callable[..., str], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"text,label\na,0\nb,1\n",))
    writer.start()
    assert json.loads(run("--json", data=pipe))["eval_accuracy"] == 1
    writer.join()


def test_an_unknown_format_is_refused(run: Callable[..., str]) -> None:
    with pytest.raises(InputError, match="--format 'xlsx': expected one of txt, csv, tsv"):
        run("--format", "xlsx")


def test_a_multi_label_model_is_measured_by_label(run: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,neg,pos\na,1,0\nb,0,1\nc,0,0\n")
    content = json.loads(run("--json", models=("many",)))
    assert content["problem_type"] == "multi_label_classification"
    assert set(content["classification_report"]) == {*LABELS, "micro avg", "macro avg"}
    assert "subset accuracy" in run("-o", str(tmp_path / "report"), models=("many",))


def test_a_multi_label_model_refuses_rows_of_one_label(run: Callable[..., str]) -> None:
    with pytest.raises(DataError, match="the model is multi-label"):
        run(models=("many",))


def test_a_multi_label_model_is_not_compared(run: Callable[..., str]) -> None:
    with pytest.raises(InputError, match="--compare takes single-label models"):
        run("--compare", models=("many", "many"))


def test_no_text_leaves_it_without_mistakes(run: Callable[..., str], tmp_path: Path) -> None:
    content = json.loads(run("--json", "--mistakes", "0", "--output", str(tmp_path / "report")))
    assert "worst_mistakes" not in content
    assert "Texts were left out" in (tmp_path / "report" / "report.html").read_text(
        encoding="utf-8"
    )


def test_steps_are_batches(run: Callable[..., str]) -> None:
    content = json.loads(run("--json"))
    assert content["eval_steps_per_second"] / content["eval_samples_per_second"] == pytest.approx(
        2 / 3
    )


def test_bins_are_an_option(run: Callable[..., str]) -> None:
    assert len(json.loads(run("--json", "--bins", "7"))["calibration"]["bins"]) == 7


def test_it_prints_tables(run: Callable[..., str]) -> None:
    printed = run()
    assert "accuracy 0.6667" in printed
    assert "macro avg" in printed


def test_it_writes_a_folder(run: Callable[..., str], tmp_path: Path) -> None:
    run("--output", str(tmp_path / "report"))
    assert {path.name for path in (tmp_path / "report").iterdir()} == set(REPORT_FILES)


@pytest.mark.parametrize("options", [("--card", IMDB), ("--card", "en.classify.roberta.imdb")])
def test_a_named_card_stands_beside_it(run: Callable[..., str], options: tuple[str, ...]) -> None:
    card = json.loads(run("--json", *options))["card"]
    assert card["card"] == IMDB
    assert {one["metric"] for one in card["figures"]} >= {"eval_accuracy", "eval_loss"}


def test_the_card_of_the_models_name_stands_beside_it(run: Callable[..., str]) -> None:
    assert json.loads(run("--json", models=(f"some/{IMDB}",)))["card"]["card"] == IMDB


def test_a_model_without_a_card_has_none(run: Callable[..., str]) -> None:
    assert "card" not in json.loads(run("--json"))


def test_an_unknown_card_is_refused_with_the_nearest(run: Callable[..., str]) -> None:
    with pytest.raises(SourceNotFoundError, match=r"Nearest: en\.classify\.roberta\.imdb"):
        run("--card", "roberta_imdb")


def test_two_models_are_put_side_by_side(run: Callable[..., str]) -> None:
    content = json.loads(run("--compare", "--json", models=("some_model", "other")))
    assert content["names"] == ["some_model", "other"]
    assert content["right_and_wrong"] == {
        "both_right": 2,
        "only_first_right": 0,
        "only_second_right": 1,
        "both_wrong": 0,
    }
    assert [one["text"] for one in content["disagreements"]] == ["c"]
    assert content["mcnemar"]["p_value"] == 1.0


def test_a_comparison_prints_tables(run: Callable[..., str]) -> None:
    printed = run("--compare", models=("some_model", "other"))
    assert "exact binomial" in printed
    assert "Same label on 66.67% of 3 rows (1 differ)" in printed


def test_a_comparison_writes_a_folder(run: Callable[..., str], tmp_path: Path) -> None:
    run("--compare", "--output", str(tmp_path / "report"), models=("some_model", "other"))
    assert {path.name for path in (tmp_path / "report").iterdir()} == set(COMPARISON_FILES)


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (("a/model", "b/model"), ["a/model", "b/model"]),
        (("a/model", "a/model"), ["a/model (first)", "a/model (second)"]),
    ],
)
def test_models_of_one_name_are_told_apart(
    run: Callable[..., str], models: tuple[str, ...], names: list[str]
) -> None:
    assert json.loads(run("--compare", "--json", models=models))["names"] == names


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        ((), (), r"the models before it are: none\. Expected one"),
        (("a", "b"), (), r"the models before it are: a, b\. Expected one"),
        (("a",), ("--compare",), r"are: a\. Expected two"),
        (("a",), ("--server", "127.0.0.1:1"), r"are: a\. Expected none, since the server has it"),
        (("a",), ("--model", "x"), "give its address with --server"),
        (("a",), ("--model-version", "x"), "give its address with --server"),
        (("a", "b"), ("--compare", "--card", IMDB), "figures stand beside those of one model"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    run: Callable[..., str], models: tuple[str, ...], options: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run(*options, models=models)


def test_an_output_that_is_a_file_is_refused_before_anything_is_read(
    run: Callable[..., str], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="is no folder"):
        run("--output", str(tmp_path / "rows.csv"))


@pytest.mark.parametrize("source", ["not_there", "/"])
def test_what_is_no_export_has_no_version(run: Callable[..., str], source: str) -> None:
    (facts,) = json.loads(run("--json", models=(source,)))["about"]["models"]
    assert not {"version", "certificate"} & set(facts)


def test_the_facts_of_an_export_are_its_manifests(exported: Path) -> None:
    from tfclf.cli.evaluate.models import load_model

    facts: Any = load_model(str(exported), xla=None, batch_size=2, progress=False).facts
    assert facts["version"] == "1"
    assert facts["certificate"] == "none: `tfclf verify` has not been run"
    assert facts["engine"] == "lean, float32"


def test_a_regression_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from tfclf.cli.evaluate.models import load_model

    loader = ModuleType("tfclf.loader")
    stub = SimpleNamespace(manifest=SimpleNamespace(problem_type="regression"))
    loader.load = lambda source, **_: stub  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tfclf.loader", loader)
    with pytest.raises(InputError, match="is a regression; expected a classifier"):
        load_model("some_model", xla=None, batch_size=2, progress=False)
