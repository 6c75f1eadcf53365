"""The command line: output and exit codes."""

import dataclasses
import functools
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tfclf
from samples.checkpoints import DEMO, LABELS, edit_json
from tests.forks import fork_python
from tests.signatures import few_signatures
from tfclf import cli, loader
from tfclf.catalog.cards import cards
from tfclf.cli.commands import ALL
from tfclf.sample_texts import HEADLINES
from tfclf.saved_model.certificate import Agreement, Certificate
from tfclf.saved_model.manifest import Manifest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def load_once() -> Callable[..., tfclf.Classifier]:
    """tfclf.load, which loads what it has loaded before no second time."""
    return functools.cache(loader.load)


@pytest.fixture
def run(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    load_once: Callable[..., tfclf.Classifier],
) -> Run:
    """Run `tfclf` in this process, which has TensorFlow loaded; `process` is closer to a user."""
    monkeypatch.setattr(loader, "load", load_once)

    def tfclf(*arguments: object, stdin: str | bytes = "") -> subprocess.CompletedProcess[str]:
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        command = ["tfclf", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", command)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capfd.readouterr()
        return subprocess.CompletedProcess(command, int(ended.value.code or 0), said.out, said.err)

    return tfclf


@pytest.fixture(scope="module")
def process() -> Run:
    """Run `tfclf` as a process of its own, as a user does."""
    # No TF_CPP_MIN_LOG_LEVEL: hiding TensorFlow's greeting is the command's own task.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}

    def tfclf(*arguments: object, stdin: str | bytes = "") -> subprocess.CompletedProcess[str]:
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        command = [sys.executable, "-m", "tfclf", *map(str, arguments)]
        done = subprocess.run(command, input=raw, capture_output=True, env=environment, check=False)
        return subprocess.CompletedProcess(
            command, done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
        )

    return tfclf


def test_predict_prints_a_table(process: Run) -> None:
    done = process("predict", DEMO, *HEADLINES[:2])
    header, first, second = done.stdout.splitlines()
    assert header.split() == ["label", "score", "text"]
    assert first.split()[0] == "Business"
    assert second.split()[0] == "Sports"
    assert (done.returncode, done.stderr) == (0, "")


def test_predict_prints_json_lines(run: Run) -> None:
    done = run("predict", DEMO, "--json", stdin="Shares jump\n\nLate goal wins the cup\n")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["text"] for row in rows] == ["Shares jump", "", "Late goal wins the cup"]
    assert set(rows[0]) == {"text", "label", "score", "probabilities", "truncated"}
    assert list(rows[0]["probabilities"]) == list(LABELS)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.txt", "Shares jump\nLate goal\n"),
        ("rows.csv", "text\nShares jump\nLate goal\n"),
        ("rows.jsonl", '{"text": "Shares jump"}\n{"text": "Late goal"}\n'),
    ],
)
def test_predict_reads_files(run: Run, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    done = run("predict", DEMO, "--file", tmp_path / name, "--json")
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == [
        "Shares jump",
        "Late goal",
    ]


def test_predict_takes_the_word_for_a_header(run: Run, exported: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("kind;tweet\nx;A goal\n", encoding="utf-8")
    options = ("--text-column", "1", "--delimiter", ";", "--header", "--json")
    done = run("predict", exported, "-f", tmp_path / "rows.csv", *options)
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == ["A goal"]


def test_no_table_begins_if_the_first_batch_is_an_error(
    run: Run, exported: Path, tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "A goal"}\n{"text": 3}\n', encoding="utf-8")
    done = run("predict", exported, "--file", tmp_path / "rows.jsonl")
    assert (done.returncode, done.stdout) == (2, "")


def test_predict_tells_what_was_cut(run: Run, exported: Path) -> None:
    done = run("predict", exported, "news " * 600, "news")
    _, first, second = done.stdout.splitlines()
    assert re.search(r"\d\.\d{3}\* news", first)
    assert re.search(r"\d\.\d{3}  news", second)
    assert done.stderr.startswith(
        "* 1 of 2 rows are longer than 512 tokens, and were truncated to that. --long windows"
    )
    rows = [
        json.loads(line)
        for line in run("predict", exported, "news " * 600, "news", "--json").stdout.splitlines()
    ]
    assert [row["truncated"] for row in rows] == [True, False]


def test_predict_reads_long_texts_in_windows(run: Run, exported: Path) -> None:
    options = ("--long", "windows", "--stride", 10, "--json")
    rows = [
        json.loads(line)
        for line in run("predict", exported, "news " * 600, "a", *options).stdout.splitlines()
    ]
    assert [(row["windows"], row["truncated"]) for row in rows] == [(2, False), (1, False)]


def test_predict_takes_pairs_as_arguments(
    run: Run, exported: Path, classifier: tfclf.Classifier
) -> None:
    done = run("predict", exported, "a b", "c", "--pair", "d", "--pair", "e f", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["text"], row["text_pair"]) for row in rows] == [("a b", "d"), ("c", "e f")]
    expected = classifier.predict(["a b", "c"], pairs=["d", "e f"])
    assert [row["score"] for row in rows] == pytest.approx(
        [one.score for one in expected], abs=1e-6
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", "text,hypothesis\na b,d\nc,e f\n"),
        ("rows.jsonl", '{"text": "a b", "hypothesis": "d"}\n{"text": "c", "hypothesis": "e f"}\n'),
    ],
)
def test_predict_takes_pairs_from_a_second_column(
    run: Run, exported: Path, tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    table = run(
        "predict", exported, "--file", tmp_path / name, "--pair-column", "hypothesis"
    ).stdout.splitlines()
    assert [line.split("  ")[-1] for line in table[1:]] == ["a b | d", "c | e f"]


def test_predict_takes_what_would_move_the_cursor_out_of_the_table(run: Run) -> None:
    assert "\x1b" not in run("predict", DEMO, "a \x1b[31mred\r text").stdout


def test_predict_lists_ranks_and_thresholds(run: Run, multi_label_export: Path) -> None:
    options = ("--top-k", 2, "--threshold", "red=0", "--threshold", "green=1", "--json")
    content = json.loads(run("predict", multi_label_export, "news", *options).stdout)
    assert "red" in content["labels"]
    assert "green" not in content["labels"]
    assert [list(one) for one in content["top"]] == [["label", "probability"]] * 2


def test_predict_prints_what_was_decided_below_the_row(run: Run, multi_label_export: Path) -> None:
    options = ("--top-k", 1, "--threshold", 0, "--abstain-below", 1)
    _, row, reason, labels, first = run(
        "predict", multi_label_export, "news", *options
    ).stdout.splitlines()
    assert row.startswith("-  ")
    assert reason.startswith("  the highest probability, 0.")
    assert labels == "  labels: red, green, blue"
    assert re.fullmatch(r"  1\. (red|green|blue)  0\.\d{3}", first)


def test_a_label_of_none_is_null_in_json(run: Run, multi_label_export: Path) -> None:
    done = run("predict", multi_label_export, "news", "--abstain-below", 1, "--json")
    assert json.loads(done.stdout)["label"] is None


def test_predict_stops_when_the_pipe_closes(exported: Path) -> None:
    texts = "\n".join(["text"] * 5000)
    command = f"({fork_python()} -m tfclf predict {exported} --json; echo $? >&2) | head -1"
    done = subprocess.run(
        ["sh", "-c", command], input=texts, capture_output=True, text=True, check=False
    )
    assert json.loads(done.stdout)["text"] == "text"
    assert done.stderr == "0\n"


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_a_text_that_looks_like_an_option_is_told_its_place(run: Run, command: str) -> None:
    done = run(command, "model", "-goal")
    assert "begins with - goes after --" in " ".join(done.stderr.split())


def test_a_full_disk_behind_standard_output_gives_no_traceback(exported: Path) -> None:
    command = f"{fork_python()} -m tfclf predict {exported} news > /dev/full"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard output cannot be written to its end: No space")


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
def test_a_stream_that_was_closed_is_the_null_device(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sys, name, None)
    cli._open_closed_streams()
    with getattr(sys, name) as stream:
        assert stream.name == os.devnull


def test_show_prints_the_manifest(run: Run, exported: Path) -> None:
    done = run("show", exported.parent)
    assert "World, Sports, Business, Sci/Tech" in done.stdout
    assert "none: run `tfclf verify`" in done.stdout
    assert json.loads(run("show", exported, "--json").stdout)["labels"] == list(LABELS)


def test_show_prints_the_inputs_and_outputs_of_each_signature(run: Run, exported: Path) -> None:
    printed = run("show", exported).stdout
    assert "pairs(text: string[?], text_pair: string[?]) -> label: string[?], logits:" in printed
    content = json.loads(run("show", exported, "--json").stdout)
    assert content["signatures"]["tokenize"]["inputs"] == {
        "text": {"dtype": "string", "shape": [None]}
    }


def test_show_tells_the_versions_beside_the_one_shown(run: Run, own_export: Path) -> None:
    base = own_export.parent
    shutil.copytree(own_export, base / "10")
    assert "10; beside it 1 (the latest)" in run("show", base).stdout
    assert "1; beside it 10 (a server of the folder serves 10)" in run("show", own_export).stdout
    assert json.loads(run("show", base, "--json").stdout)["other_versions"] == [1]


def test_whole_paths_and_names_reach_a_pipe(run: Run, exported: Path) -> None:
    assert str(exported) in run("show", exported).stdout
    names = run("cards").stdout.split()
    assert {card.name for card in cards()} <= {*names}


def test_show_prints_bfloat16_beside_float32(run: Run, own_export: Path) -> None:
    agreement = {
        "bfloat16": Agreement(7600, 0.9987, 0.0123, 0.0456),
        "float32": Agreement(7600, 1.0, 3e-7, 1e-6),
    }
    manifest = Manifest.read(own_export)
    certificate = Certificate(
        True, 7600, 8, 0, 0, 0.0456, 0.05, True, "TFx", {}, {}, "2026-11-21", agreement=agreement
    )
    dataclasses.replace(manifest, certificate=certificate.to_dict()).write(own_export)
    printed = " ".join(run("show", own_export).stdout.split())
    assert "bfloat16 beside the original, on 7,600 given texts: 99.87% of the labels," in printed
    assert "float32 beside the original, on 7,600 given texts: 100.00% of the labels," in printed
    assert "probabilities within 1.2e-02, logits within 4.6e-02" in printed


@pytest.fixture
def headlines(tmp_path: Path) -> Path:
    """A file of few texts to verify on."""
    path = tmp_path / "headlines.txt"
    path.write_text("\n".join(HEADLINES), encoding="utf-8")
    return path


def test_export_and_verify_follow_one_another(
    run: Run, short_checkpoint: Path, headlines: Path, tmp_path: Path
) -> None:
    with few_signatures("pairs", "tokenize", "encode"):
        exported = run("export", short_checkpoint, tmp_path / "model", "--json")
    path = json.loads(exported.stdout)["path"]
    verified = run("verify", path, "--source", short_checkpoint, "--texts", headlines)
    assert (verified.returncode, verified.stdout.split()[:2]) == (0, ["equal", "to"])


def test_verify_ends_with_1_and_the_rows_that_differ(
    run: Run, short_export: Path, short_checkpoint: Path, headlines: Path, tmp_path: Path
) -> None:
    own_export = shutil.copytree(short_export, tmp_path / "export" / "1")
    own_checkpoint = shutil.copytree(short_checkpoint, tmp_path / "checkpoint")
    path = own_checkpoint / "tokenizer.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"the":', '"thee":'), encoding="utf-8")
    done = run("verify", own_export, "--source", own_checkpoint, "--texts", headlines)
    assert done.returncode == 1
    assert done.stdout.startswith("DIFFERS from the original")
    assert re.search(r"^row \d+, tokens: ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "xla"), [((), None), (("--xla",), True), (("--no-xla",), False)], ids=str
)
def test_predict_loads_the_model_with_or_without_xla(
    run: Run,
    exported: Path,
    classifier: tfclf.Classifier,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    xla: bool | None,
) -> None:
    asked = []

    def load(model: str, *, xla: bool | None) -> tfclf.Classifier:
        asked.append(xla)
        return classifier

    monkeypatch.setattr(loader, "load", load)
    assert run("predict", exported, "news", *options).returncode == 0
    assert asked == [xla]


def test_evaluate_prints_the_metrics_of_the_cards(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        "text,label\nShares jump,Business\nLate goal,Sports\n", encoding="utf-8"
    )
    metrics = json.loads(run("evaluate", DEMO, tmp_path / "rows.csv", "--json").stdout)
    assert {
        "eval_accuracy",
        "eval_f1",
        "eval_precision",
        "eval_recall",
        "eval_loss",
        "eval_runtime",
    } <= set(metrics)
    assert metrics["eval_samples_per_second"] > 0


@pytest.mark.parametrize("command", ALL, ids=lambda command: command.__name__)
def test_help_has_an_example(run: Run, command: Callable[..., object]) -> None:
    done = run(command.__name__, "--help")
    assert done.returncode == 0
    assert f"tfclf {command.__name__}" in done.stdout.replace("\n", " ")


def test_no_text_at_all_is_no_error(run: Run) -> None:
    assert run("predict", DEMO, stdin="").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["predict", "nowhere", "text"], "nowhere: there is no such folder"),
        (["predict", DEMO, "--file", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["predict", "nowhere", "--file", "nowhere.csv"], "nowhere.csv does not exist"),
        (["predict", "nowhere", "--text-column", "b"], "standard input has one text per line"),
        (["predict", DEMO, "text", "--file", "rows.txt"], "expected one of the two"),
        (["predict", DEMO, "a", "--pair", "b", "--pair", "c"], "there are 1 texts and 2 --pair"),
        (
            ["predict", DEMO, "--pair-column", "b"],
            "--pair-column b names a column, and standard input has none",
        ),
        (["predict", DEMO, "a", "--pair-column", "b"], "give each text its --pair"),
        (
            ["predict", DEMO, "a", "--long", "some"],
            "long is 'some'; expected 'truncate' or 'windows'",
        ),
        (["predict", DEMO, "a", "--stride", "3"], "a stride is for long='windows'"),
        (["predict", DEMO, "a", "--threshold", "0.5"], "is a single-label model"),
        (["predict", DEMO, "a", "--abstain-below", "60"], "60 percent is 0.6"),
        (["predict", DEMO, "a", "--threshold", "half"], "expected a number from 0 to 1"),
        (["predict", DEMO, "a", "--threshold", "a=2"], "expected a number from 0 to 1"),
        (
            ["predict", DEMO, "a", "--threshold", "0.5", "--threshold", "a=0.2"],
            "--threshold is given 2 times, once as '0.5'",
        ),
        (["show", "nowhere"], "there is no such folder"),
        (["export", DEMO, "out"], "has no config.json"),
        (["verify", "nowhere", "--source", DEMO], "there is no such folder"),
        (["serve", "nowhere"], "nowhere"),
    ],
    ids=lambda value: " ".join(map(str, value))[:30] if isinstance(value, list) else "",
)
def test_an_error_ends_with_2_and_no_traceback(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[object], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert told in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


def test_an_error_ends_a_process_with_2_and_no_traceback(tmp_path: Path) -> None:
    command = [fork_python(), "-m", "tfclf", "predict", str(tmp_path / "nowhere"), "text"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_text_that_is_not_utf8_is_named_by_line_and_byte(run: Run) -> None:
    done = run("predict", DEMO, stdin=b"caf\xc3\xa9\ncaf\xe9\n")
    assert done.returncode == 2
    assert "standard input, line 2: byte 4 of the line, 0xe9, is not UTF-8" in done.stderr


def test_a_checkpoint_of_an_unknown_family_is_an_error(
    run: Run, own_checkpoint: Path, tmp_path: Path
) -> None:
    edit_json(own_checkpoint / "config.json", model_type="gpt9")
    done = run("export", own_checkpoint, tmp_path / "out")
    assert done.returncode == 2
    assert "'gpt9', for which transformers" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_told(run: Run, option: str) -> None:
    done = run(option)
    assert (done.returncode, done.stdout) == (0, f"tfclf {tfclf.__version__}\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_a_shell_is_for_the_program_tfclf(
    run: Run, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    # Typer detects the shell that runs it, and under `make` that is none that it completes for.
    monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, shell))
    done = run("--show-completion")
    assert done.returncode == 0
    assert "_TFCLF_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("tfclf sh", "show"),
        ("tfclf predict --text-c", "--text-column"),
        ("tfclf cards en.classify.a", "en.classify.albert.ag_news"),
    ],
)
def test_completion_knows_commands_options_and_cards(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: str, completed: str
) -> None:
    monkeypatch.setenv("_TFCLF_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    assert run().stdout.split() == [completed]


def test_completion_does_without_tensorflow() -> None:
    code = "import sys, tfclf.cli.commands; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("predict", "tfclf predict [OPTIONS] MODEL [TEXT]..."),
        ("serve", "tfclf serve [OPTIONS] MODEL [FLAG]..."),
        ("pull", "tfclf pull [OPTIONS] [NAME]..."),
        ("evaluate", "tfclf evaluate [OPTIONS] MODEL DATA"),
        ("train", "tfclf train [OPTIONS] [BASE] [DATA]"),
    ],
)
def test_usage_names_values_in_capitals(run: Run, command: str, usage: str) -> None:
    assert usage in run(command, "-h").stdout


@pytest.mark.parametrize("command", ["", *(command.__name__ for command in ALL)])
def test_help_shows_no_type_of_a_switch_or_a_list(run: Run, command: str) -> None:
    shown = run(*command.split(), "--help").stdout
    assert [word for word in ("<bool>", "list[", "{") if word in shown.replace("{file}", "")] == []


def test_explain_prints_the_words_that_moved_the_label(run: Run) -> None:
    done = run("explain", DEMO, "Acme shares fall", "Late\x1b[2J goal")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Business  0.9")
    assert lines[1] == "  Acme shares fall"
    assert re.search(r"^  [+]\d[.]\d{3} shares  ", lines[2])
    assert "\x1b" not in done.stdout


def test_explain_prints_json_lines(run: Run) -> None:
    done = run("explain", DEMO, "--json", stdin="Shares jump\n\n")
    first, empty = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["text"], one["start"], one["end"]) for one in first["words"]] == [
        ("Shares", 0, 6),
        ("jump", 7, 11),
    ]
    assert empty["words"] == []


def test_explain_shows_both_texts_of_a_pair(run: Run) -> None:
    done = run("explain", DEMO, "", "--pair", "Shares jump")
    assert "  Shares jump" in done.stdout.splitlines()
