"""KerasHub presets: ids and logits equal those of KerasHub's own classifier in this process."""

import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfclf
from tests.checkpoints.kerashub.presets import (
    KINDS,
    eager_outputs,
    outputs,
    tiny_classifier,
    token_ids,
)
from tests.signatures import few_signatures
from tfclf.errors import (
    CheckpointError,
    TokenizerError,
    UnknownComponentError,
    UnknownFamilyError,
    VocabularyError,
)
from tfclf.sample_texts import HEADLINES, hostile_texts
from tfclf.saved_model.manifest import Manifest

# Keras uses what numpy has deprecated, and KerasHub leaves the vocabulary's file open.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:keras"),
    pytest.mark.filterwarnings("ignore::ResourceWarning:keras_hub"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
TOLERANCE = 1e-5
# KerasHub's loop over byte pairs needs minutes for a word of ten thousand letters, and seconds for
# one of three hundred.
HOSTILE = [text[:300] for text in hostile_texts(1000)]
PAIRS = list(zip(HOSTILE[:200], HOSTILE[200:400], strict=True))
_ALL = pytest.param(HOSTILE, marks=pytest.mark.verify, id="hostile")
_SOME = pytest.param([text[:40] for text in HOSTILE[:40]], id="40 hostile")


@pytest.fixture(scope="module")
def keras_hub() -> Any:
    """KerasHub, on TensorFlow, quiet about its own dependencies."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(
            "keras_hub", reason="KerasHub is not installed: pip install 'tfclf[kerashub]'"
        )


Make = Callable[..., tuple[Any, Path]]


@pytest.fixture(scope="module")
def make(
    keras_hub: Any, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Make:
    """A KerasHub classifier, and its preset's folder."""

    def made(name: str, **options: Any) -> tuple[Any, Path]:
        vocabularies = (
            request.getfixturevalue("shared") / "vocab" if KINDS[name].vocabulary else None
        )
        classifier = tiny_classifier(keras_hub, name, vocabularies, **options)
        folder = tmp_path_factory.mktemp(name) / "preset"
        classifier.save_to_preset(str(folder))
        return classifier, folder

    return made


@pytest.fixture(scope="module", params=sorted(KINDS))
def both(request: pytest.FixtureRequest, make: Make) -> tuple[Any, tfclf.Classifier]:
    """A classifier of each architecture, in KerasHub and here."""
    classifier, folder = make(request.param, pieces=None)
    return classifier, tfclf.load(folder)


@pytest.fixture(scope="module")
def preset(make: Make) -> Path:
    """One whose vocabulary needs no shared files."""
    return make("DistilBert", layers=1)[1]


@pytest.fixture
def own_preset(preset: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(preset, tmp_path / "own"))


def ours(clf: tfclf.Classifier, texts: list[str], key: str = "logits") -> np.ndarray:
    found: np.ndarray = clf(tf.constant(texts))[key].numpy()
    return found


def test_the_logits_are_those_of_kerashub(both: tuple[Any, tfclf.Classifier]) -> None:
    classifier, clf = both
    np.testing.assert_allclose(
        ours(clf, list(HEADLINES)),
        eager_outputs(classifier, HEADLINES),
        atol=TOLERANCE,
        rtol=TOLERANCE,
    )


# Tracing takes seconds, and more for byte pairs.
@pytest.mark.sample("DistilBert")
@pytest.mark.parametrize("hostile", [_SOME, _ALL])
def test_the_logits_are_those_of_kerashubs_predict(
    both: tuple[Any, tfclf.Classifier], hostile: list[str]
) -> None:
    classifier, clf = both
    texts = [*HEADLINES, *hostile]
    np.testing.assert_allclose(
        ours(clf, texts), outputs(classifier, texts), atol=TOLERANCE, rtol=TOLERANCE
    )


@pytest.mark.sample("Albert", "DistilBert")
def test_the_logits_are_those_of_kerashub_on_real_rows(
    both: tuple[Any, tfclf.Classifier], mixed_rows: list[str]
) -> None:
    classifier, clf = both
    np.testing.assert_allclose(
        ours(clf, mixed_rows), outputs(classifier, mixed_rows), atol=TOLERANCE, rtol=TOLERANCE
    )


@pytest.mark.parametrize("hostile", [_SOME, _ALL])
def test_the_ids_are_those_of_kerashub(
    both: tuple[Any, tfclf.Classifier], mixed_rows: list[str], hostile: list[str]
) -> None:
    classifier, clf = both
    rows = mixed_rows if hostile is HOSTILE else [*mixed_rows[:20], mixed_rows[-1]]
    texts = [*hostile, *rows]
    found = clf.tokenize(tf.constant(texts)).to_list()
    expected = token_ids(classifier, hostile, rows)
    assert [row for row in zip(texts, found, expected, strict=True) if row[1] != row[2]] == []


# An odd and an even number of places for the two; both ways to cut.
@pytest.mark.sample(
    ("DistilBert", "round_robin", 20, 40), ("XLMRoberta", 21, 40), ("waterfall", 40)
)
@pytest.mark.parametrize("rows", [40, 200])
@pytest.mark.parametrize(
    ("name", "truncate", "length"),
    [(name, "round_robin", length) for name in sorted(KINDS) for length in (20, 21)]
    + [("DistilBert", "waterfall", 20)],
)
def test_the_logits_of_pairs_are_those_of_kerashub(
    name: str, truncate: str, length: int, rows: int, make: Make
) -> None:
    classifier, folder = make(name, preprocessor={"sequence_length": length, "truncate": truncate})
    first, second = (list(column) for column in zip(*PAIRS[:rows], strict=True))
    found = tfclf.load(folder).call_pairs(first, second)["logits"].numpy()
    np.testing.assert_allclose(
        found, outputs(classifier, first, second), atol=TOLERANCE, rtol=TOLERANCE
    )


@pytest.mark.parametrize(
    ("activation", "problem_type"),
    [("softmax", "single_label_classification"), ("sigmoid", "multi_label_classification")],
)
def test_the_heads_activation_tells_the_problem_type(
    activation: str, problem_type: str, make: Make
) -> None:
    classifier, folder = make("DistilBert", layers=1, activation=activation)
    clf = tfclf.load(folder)
    found = ours(clf, list(HEADLINES), "probabilities")
    assert clf.manifest.problem_type == problem_type
    np.testing.assert_allclose(
        found, eager_outputs(classifier, HEADLINES), atol=TOLERANCE, rtol=TOLERANCE
    )


def test_one_class_without_an_activation_is_a_regression(make: Make) -> None:
    classifier, folder = make("DistilBert", layers=1, classes=1)
    found = ours(tfclf.load(folder), list(HEADLINES), "score")
    np.testing.assert_allclose(
        found, eager_outputs(classifier, HEADLINES)[:, 0], atol=TOLERANCE, rtol=TOLERANCE
    )


def test_a_head_of_another_width_is_taken(make: Make) -> None:
    classifier, folder = make("DistilBert", layers=1, hidden_dim=24, classes=3)
    found = ours(tfclf.load(folder), list(HEADLINES))
    np.testing.assert_allclose(
        found, eager_outputs(classifier, HEADLINES), atol=TOLERANCE, rtol=TOLERANCE
    )


def test_weights_in_several_files_are_read(keras_hub: Any, make: Make) -> None:
    classifier, folder = make("DistilBert", layers=1)
    gibibytes = sum(weight.numpy().nbytes for weight in classifier.backbone.weights) / 2**30
    classifier.save_to_preset(str(folder.parent / "sharded"), max_shard_size=0.95 * gibibytes)
    shutil.rmtree(folder)
    assert not (folder.parent / "sharded" / "model.weights.h5").exists()
    found = ours(tfclf.load(folder.parent / "sharded"), list(HEADLINES))
    np.testing.assert_allclose(
        found, eager_outputs(classifier, HEADLINES), atol=TOLERANCE, rtol=TOLERANCE
    )


@pytest.mark.sample("bfloat16")
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_of_two_bytes_are_read(
    dtype: str, keras_hub: Any, make: Make, tmp_path: Path
) -> None:
    classifier, _ = make("DistilBert", layers=1)
    config = classifier.get_config()
    keras_hub.models.DistilBertTextClassifier(
        keras_hub.models.DistilBertBackbone(
            **{**classifier.backbone.get_config(), "dtype": dtype, "name": "narrow"},
        ),
        preprocessor=classifier.preprocessor,
        num_classes=config["num_classes"],
    ).save_to_preset(str(tmp_path / "preset"))
    reference = keras_hub.models.TextClassifier.from_preset(str(tmp_path / "preset"))
    found = ours(tfclf.load(tmp_path / "preset"), list(HEADLINES))
    np.testing.assert_allclose(
        found, eager_outputs(reference, HEADLINES), atol=TOLERANCE, rtol=TOLERANCE
    )


def test_an_export_is_verified_against_kerashub(preset: Path, tmp_path: Path) -> None:
    with few_signatures("pairs", "tokenize", "encode"):
        version = tfclf.export(preset, tmp_path / "export")
    certificate = tfclf.verify(version, preset, ["", *HEADLINES, *HOSTILE[:5]])
    assert certificate.equal, certificate.differences
    assert certificate.reference == "DistilBertTextClassifier, DistilBertTokenizer"
    assert Manifest.read(version).serving_versions == "2.12 to 2.20"


@pytest.mark.verify
def test_an_export_of_other_weights_is_not_equal(preset: Path, make: Make, tmp_path: Path) -> None:
    version = tfclf.export(make("DistilBert", layers=1, seed=1)[1], tmp_path / "export")
    assert not tfclf.verify(version, preset, list(HEADLINES)).equal


def test_labels_are_numbered_because_a_preset_names_none(preset: Path) -> None:
    assert tfclf.load(preset).labels == ("LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3")


def test_the_limit_is_the_preprocessors(make: Make) -> None:
    assert (
        tfclf.load(make("DistilBert", layers=1, preprocessor={"sequence_length": 20})[1]).max_length
        == 20
    )


def test_a_preset_has_no_original_engine(preset: Path) -> None:
    with pytest.raises(CheckpointError, match=r"runs Hugging Face TF classes only.*engine='lean'"):
        tfclf.load(preset, engine="original")


@pytest.mark.parametrize(
    ("file", "error", "message"),
    [
        ("task.json", CheckpointError, "without task.json: a DistilBertBackbone alone"),
        (
            "task.weights.h5",
            CheckpointError,
            "no task.weights.h5, the classifier's own layers: found",
        ),
        (
            "model.weights.h5",
            CheckpointError,
            "no model.weights.h5: found .*task.weights.h5.*Download",
        ),
        (
            "assets/tokenizer/vocabulary.txt",
            TokenizerError,
            "vocabulary.txt is missing .found nothing",
        ),
    ],
)
def test_a_missing_file_is_named(
    file: str, error: type[Exception], message: str, own_preset: Path
) -> None:
    (own_preset / file).unlink()
    with pytest.raises(error, match=message):
        tfclf.load(own_preset)


@pytest.mark.parametrize("file", ["model.weights.h5", "task.weights.h5"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_weights_cut_short_are_told(file: str, kept: float, own_preset: Path) -> None:
    path = own_preset / file
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(CheckpointError, match=f"{file}.*cannot be read.*download it again"):
        tfclf.load(own_preset)


def spoil(path: Path, *keys: str, value: Any) -> None:
    """Sets one value deep in a JSON file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(content), encoding="utf-8")


TOKENIZER = ("config", "preprocessor", "config", "tokenizer", "config")


@pytest.mark.parametrize(
    ("file", "keys", "value", "error", "message"),
    [
        (
            "task.json",
            ["config", "preprocessor", "module"],
            "os",
            CheckpointError,
            "names code of its own .* of 'os'",
        ),
        (
            "config.json",
            ["config", "dtype"],
            [{"module": "keras.layers", "class_name": "Lambda"}],
            CheckpointError,
            r"config\.json: the preset names code of its own \('Lambda'",
        ),
        (
            "config.json",
            ["class_name"],
            "DistilBertBackbon",
            UnknownFamilyError,
            "Did you mean DistilBertBackbone",
        ),
        (
            "config.json",
            ["class_name"],
            "GemmaBackbone",
            UnknownFamilyError,
            "'GemmaBackbone'.*Known: Albert",
        ),
        (
            "config.json",
            ["config", "hidden_dim"],
            64,
            CheckpointError,
            r"hidden_dim is 64, and task\.json says 32",
        ),
        (
            "config.json",
            ["config", "num_heads"],
            8,
            CheckpointError,
            r"num_heads is 8, and task\.json says 4 for the same backbone",
        ),
        ("config.json", ["config"], [], CheckpointError, r"config is \[\]; expected the settings"),
        (
            "config.json",
            ["config", "num_layers"],
            "2",
            CheckpointError,
            "num_layers is '2'; expected a whole number",
        ),
        (
            "config.json",
            ["config", "dtype", "config", "name"],
            "int8_from_float32",
            CheckpointError,
            "are quantized",
        ),
        (
            "config.json",
            ["config", "dtype", "config", "name"],
            "float8_from_float32",
            CheckpointError,
            "are quantized",
        ),
        (
            "config.json",
            ["config", "dtype"],
            {
                "class_name": "DTypePolicyMap",
                "config": {
                    "default_policy": None,
                    "policy_map": {"layer": {"config": {"mode": "int4/128"}}},
                },
            },
            CheckpointError,
            "are quantized .'int4/128'",
        ),
        (
            "task.json",
            ["class_name"],
            "DistilBertMaskedLM",
            CheckpointError,
            "'DistilBertMaskedLM'; expected Distil",
        ),
        (
            "task.json",
            ["config", "num_classes"],
            5,
            CheckpointError,
            r"task/dense_1/kernel has the shape \(32, 4\)",
        ),
        ("task.json", ["config", "num_classes"], 0, CheckpointError, "num_classes is 0"),
        ("task.json", ["config", "activation"], "gelu", CheckpointError, "activation is 'gelu'"),
        (
            "task.json",
            ["config", "preprocessor"],
            None,
            CheckpointError,
            "saved without a preprocessor",
        ),
        (
            "task.json",
            ["config", "preprocessor", "config", "truncate"],
            "left",
            CheckpointError,
            "truncate is 'left'",
        ),
        (
            "task.json",
            ["config", "preprocessor", "config", "sequence_length"],
            "128",
            CheckpointError,
            "sequence_length is '128'; expected a whole number",
        ),
        ("task.json", ["config", "hidden_dim"], "32", CheckpointError, "hidden_dim is '32'"),
        ("task.json", TOKENIZER, "x", CheckpointError, "saved without a preprocessor"),
        (
            "task.json",
            [*TOKENIZER, "lowercase"],
            "no",
            TokenizerError,
            "lowercase='no'; expected true or false",
        ),
        ("task.json", [*TOKENIZER, "split"], False, UnknownComponentError, "split=False"),
        (
            "task.json",
            [*TOKENIZER, "special_tokens_in_strings"],
            True,
            UnknownComponentError,
            "in_strings=True",
        ),
        (
            "task.json",
            [*TOKENIZER, "oov_token"],
            "<unk>",
            VocabularyError,
            "'<unk>' is not among them",
        ),
    ],
)
def test_what_does_not_fit_is_told(
    file: str,
    keys: list[str],
    value: object,
    error: type[Exception],
    message: str,
    own_preset: Path,
) -> None:
    spoil(own_preset / file, *keys, value=value)
    with pytest.raises(error, match=message):
        tfclf.load(own_preset)


def test_sizes_that_the_weights_do_not_have_are_told(own_preset: Path) -> None:
    spoil(own_preset / "config.json", "config", "num_layers", value=2)
    spoil(own_preset / "task.json", "config", "backbone", "config", "num_layers", value=2)
    with pytest.raises(CheckpointError, match=r"transformer_encoder/0/1.* is missing"):
        tfclf.load(own_preset)


def test_a_preset_that_kerashub_quantized_is_refused(make: Make, tmp_path: Path) -> None:
    classifier, _ = make("DistilBert", layers=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some layers have no method for it
        classifier.backbone.quantize("int8")
    classifier.save_to_preset(str(tmp_path / "quantized"))
    with pytest.raises(CheckpointError, match=r"are quantized .'int8'"):
        tfclf.load(tmp_path / "quantized")


@pytest.mark.parametrize("file", ["model.weights.h5", "task.weights.h5"])
def test_whole_numbers_in_place_of_weights_are_refused(file: str, own_preset: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(own_preset / file, "r+") as opened:
        paths: list[str] = []
        opened.visititems(lambda path, item: paths.append(path) if hasattr(item, "shape") else None)
        kernel = next(path for path in paths if "dense" in path and path.endswith("vars/0"))
        values = opened[kernel][()]
        del opened[kernel]
        opened[kernel] = values.astype("int8")
    with pytest.raises(CheckpointError, match=f"{file}: .*dense.* is stored as int8.*quantized"):
        tfclf.load(own_preset)


def test_tokenizer_options_that_are_not_stated_are_kerashubs_defaults(own_preset: Path) -> None:
    path = own_preset / "task.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    config = content["config"]["preprocessor"]["config"]["tokenizer"]["config"]
    for option in ("lowercase", "strip_accents", "suffix_indicator", "oov_token"):
        del config[option]
    path.write_text(json.dumps(content), encoding="utf-8")
    own = tfclf.load(own_preset).tokenize(tf.constant(["the", "The"])).to_list()
    assert own[0] != own[1]


def test_a_vocabulary_with_a_piece_twice_is_told(own_preset: Path) -> None:
    path = own_preset / "assets" / "tokenizer" / "vocabulary.txt"
    path.write_text(path.read_text(encoding="utf-8") + "the\n", encoding="utf-8")
    with pytest.raises(VocabularyError, match="holds 'the' twice"):
        tfclf.load(own_preset)


def test_a_weight_that_is_no_number_is_told(own_preset: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(own_preset / "model.weights.h5", "r+") as file:
        file["layers/layer_normalization/vars/0"][3] = np.nan
    with pytest.raises(
        CheckpointError, match="backbone/layer_normalization/gamma holds values that are no finite"
    ):
        tfclf.load(own_preset)


@pytest.mark.parametrize("content", [b"", b"no model at all"])
def test_a_sentencepiece_file_that_is_none_is_told(content: bytes, make: Make) -> None:
    _, folder = make("Albert")
    (folder / "assets" / "tokenizer" / "vocabulary.spm").write_bytes(content)
    with pytest.raises(VocabularyError, match=r"vocabulary\.spm"):
        tfclf.load(folder)
