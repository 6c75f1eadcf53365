"""Checkpoints of the hub: which files are fetched, how they are found again, what may go wrong."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.catalog.pull.hub import COMMIT, Hub, in_cache
from tests.forks import fork_python
from tfclf.catalog.local import HubId, hub_folder, hub_id
from tfclf.catalog.pull.hub import choose_files
from tfclf.errors import CheckpointError, SourceNotFoundError

FILES = {
    "config.json": b"{}",
    "tokenizer.json": b'{"version": "1.0"}',
    "vocab.txt": b"[PAD]\n",
    "README.md": b"what it is",
    "model.safetensors": b"weights of PyTorch",
    "tf_model.h5": b"weights of TensorFlow",
    "pytorch_model.bin": b"a pickle",
    "onnx/model.onnx": b"a graph",
}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def served() -> Iterator[Hub]:
    with Hub(FILES, large=frozenset({"tf_model.h5", "model.safetensors"})) as running:
        yield running


@pytest.fixture
def pull(served: Hub, tmp_path: Path) -> Run:
    """`tfclf pull org/name`: huggingface_hub reads its settings when it is imported."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "HF_ENDPOINT": served.url,
            "HF_HUB_DISABLE_XET": "1",
            **settings,
        }
        command = [fork_python(), "-m", "tfclf", "pull", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def _snapshot(tmp_path: Path) -> Path:
    return tmp_path / "hf" / "hub" / "models--org--name" / "snapshots" / COMMIT


def test_only_what_is_read_is_fetched(pull: Run, served: Hub, tmp_path: Path) -> None:
    done = pull("org/name")
    assert done.returncode == 0, done.stderr
    assert sorted(served.sent) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "vocab.txt",
    ]
    assert done.stdout.split()[0] == str(_snapshot(tmp_path))
    assert f"org/name, 4 files: 0.0 MB, from {served.url}" in done.stderr


@pytest.mark.parametrize(
    ("there", "fetched"),
    [
        ({"model.safetensors", "pytorch_model.bin"}, {"model.safetensors"}),
        (
            {
                "model.safetensors.index.json",
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
            },
            {
                "model.safetensors.index.json",
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
            },
        ),
        ({"tf_model.h5", "model.safetensors", "tf_model-00001-of-00001.h5"}, {"model.safetensors"}),
    ],
)
def test_weights_of_one_format_are_chosen(there: set[str], fetched: set[str]) -> None:
    files = dict.fromkeys([*there, "config.json", "notes.txt"], None)
    assert set(choose_files(files, HubId("org/name"))) == {"config.json", *fetched}


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "model-q4.gguf"])
def test_another_format_on_the_hub_is_named(name: str) -> None:
    files = dict.fromkeys(["README.md", "config.json", name], None)
    with pytest.raises(CheckpointError, match=rf"org/name on the hub .*{name} is .*Expected"):
        choose_files(files, HubId("org/name"))


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_beside_whole_weights_is_refused_as_in_a_folder(name: str) -> None:
    files = dict.fromkeys(["config.json", "model.safetensors", name], None)
    with pytest.raises(CheckpointError, match=rf"more than its weights: {name} is of an adapter"):
        choose_files(files, HubId("org/name"))


def test_a_file_that_marks_quantized_weights_is_fetched_for_their_reader() -> None:
    files = dict.fromkeys(["config.json", "model.safetensors", "quantize_config.json"], None)
    assert set(choose_files(files, HubId("org/name"))) == set(files)


def test_a_preset_of_keras_hub_is_fetched_whole() -> None:
    preset = {
        "config.json",
        "task.json",
        "model.weights.h5",
        "task.weights.h5",
        "assets/tokenizer/vocabulary.txt",
    }
    files = dict.fromkeys([*preset, "README.md"], None)
    assert set(choose_files(files, HubId("org/name"))) == preset


def test_a_model_of_a_pickle_alone_is_refused_before_it_is_fetched(pull: Run, served: Hub) -> None:
    served.files = {"config.json": b"{}", "pytorch_model.bin": b"a pickle"}
    done = pull("org/name")
    assert (done.returncode, served.sent) == (2, [])
    assert "only pytorch_model.bin, a pickle" in done.stderr


def test_a_false_digest_is_told_and_the_file_removed(
    pull: Run, served: Hub, tmp_path: Path
) -> None:
    served.false_digest = True
    done = pull("org/name")
    assert done.returncode == 2
    assert "model.safetensors came other than the hub describes it" in done.stderr
    assert not (_snapshot(tmp_path) / "model.safetensors").exists()
    served.false_digest = False
    assert pull("org/name").returncode == 0
    assert (_snapshot(tmp_path) / "model.safetensors").read_bytes() == FILES["model.safetensors"]


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (404, "RepoNotFound", "the hub has no such model, or it is private"),
        (404, "RevisionNotFound", "the model has no such revision"),
        (403, "GatedRepo", "is gated: accept its terms"),
        (500, "", "cannot be fetched from the hub: 500 Server Error"),
    ],
)
def test_what_the_hub_refuses_is_told(
    pull: Run, served: Hub, status: int, code: str, message: str
) -> None:
    served.status, served.error_code = status, code
    done = pull("org/name", "--revision", "v1")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_offline_finds_what_is_there_and_asks_for_nothing(
    pull: Run, served: Hub, tmp_path: Path
) -> None:
    refused = pull("org/name", "--offline")
    assert refused.returncode == 2
    assert "org/name is not in the cache, and --offline" in refused.stderr
    folder = in_cache(tmp_path / "hf" / "hub", "org/name", FILES)
    found = pull("org/name", HF_HUB_OFFLINE="1")
    assert found.stdout.split()[0] == str(folder)
    assert served.sent == []


def test_a_pulled_model_is_found_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    folder = in_cache(tmp_path, "org/name", FILES)
    assert hub_folder("org/name") == folder


def test_a_revision_is_found_after_an_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    folder = in_cache(tmp_path, "org/name", FILES, revision="v1")
    assert hub_folder("org/name@v1") == folder
    with pytest.raises(SourceNotFoundError, match=r"Get it with: tfclf pull org/name$"):
        hub_folder("org/name")


def test_a_model_that_is_there_in_part_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    in_cache(tmp_path, "org/name", {"config.json": b"{}"})
    with pytest.raises(SourceNotFoundError, match=r"only in part.*tfclf pull org/name"):
        hub_folder("org/name")


@pytest.mark.parametrize(
    ("text", "repository", "revision"),
    [
        ("org/name", "org/name", None),
        ("org/na.me-1@v1.0", "org/na.me-1", "v1.0"),
        ("o/n@pr/1", "o/n", "pr/1"),
    ],
)
def test_hub_ids(text: str, repository: str, revision: str | None) -> None:
    found = hub_id(text)
    assert found is not None
    assert (found.repository, found.revision, str(found)) == (repository, revision, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "a/b/c",
        "./name",
        "../name",
        "/name",
        "a b/c",
        "org/",
        "~/x",
        "a/b..c",
        "a/b@../c",
    ],
)
def test_what_is_no_hub_id(text: str) -> None:
    assert hub_id(text) is None


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_hub_id_or_not(text: str) -> None:
    found = hub_id(text)
    assert found is None or str(found) == text
