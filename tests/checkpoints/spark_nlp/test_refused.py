"""Hostile, damaged and foreign archives are refused with a reason; nothing is left behind."""

import contextlib
import json
import shutil
import stat
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework.graph_pb2 import GraphDef

import tfclf
from samples.checkpoints import LABELS
from tests.checkpoints.spark_nlp.writers import (
    WORDS,
    annotator_of,
    change_weights,
    numbered,
    write_field,
    write_metadata,
    zipped,
)
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.checkpoints.spark_nlp import archive as archive_module
from tfclf.checkpoints.spark_nlp.archive import NamedPath
from tfclf.errors import CheckpointError, SourceNotFoundError, TokenizerError

WEIGHTS = "distilbert_classification_tensorflow"


@pytest.fixture(autouse=True)
def leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check after every test of this file that unpacked files are gone once the error is raised."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield
    assert list(temporary.iterdir()) == []


def write_zip(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)
    return path


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


_HOSTILE: dict[str, tuple[tuple[str | zipfile.ZipInfo, bytes], ...]] = {
    "path leads out": (("../outside", b"x"),),
    "path leads out of it deep down": (("fields/../../outside", b"x"),),
    "path leads out, absolute": (("/outside", b"x"),),
    "path leads out, in the way of Windows": (("..\\outside", b"x"),),
    "path leads out, with a drive": (("C:/outside", b"x"),),
    "is a link": ((link("fields"), b"/etc"), ("fields/passwd", b"x")),
    "its name comes twice": (("metadata/part-00000", b"{}"), ("metadata/part-00000", b"{}")),
}


@pytest.mark.parametrize("name", _HOSTILE)
@pytest.mark.parametrize("inner", [False, True], ids=["archive", "weights"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_that_reaches_for_what_is_not_its_own_is_refused_before_a_byte_is_written(
    name: str, inner: bool, own_model: Path, tmp_path: Path
) -> None:
    path = write_zip(own_model / WEIGHTS if inner else tmp_path / "model.zip", *_HOSTILE[name])
    with pytest.raises(
        CheckpointError,
        match=r"refused, and nothing of it was unpacked: of its entry .* (path|kind|its)",
    ):
        open_checkpoint(own_model if inner else path)
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("inner", [False, True], ids=["archive", "weights"])
def test_a_zip_bomb_is_refused_before_a_byte_is_written(
    inner: bool, own_model: Path, tmp_path: Path
) -> None:
    path = own_model / WEIGHTS if inner else tmp_path / "model.zip"
    write_zip(path, ("metadata/part-00000", bytes(100 << 20)))
    with pytest.raises(CheckpointError, match=r"would grow to 104,857,600.*a zip bomb"):
        open_checkpoint(own_model if inner else path)


def test_a_zip_of_more_bytes_than_any_model_is_refused(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_MOST_BYTES", 1000)
    with pytest.raises(CheckpointError, match=r"and no more than 1,000: it is a zip bomb"):
        open_checkpoint(archive)


def test_a_zip_of_too_many_entries_is_refused(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_MOST_ENTRIES", 3)
    with pytest.raises(CheckpointError, match="entries; expected a model, at most 3"):
        open_checkpoint(archive)


def test_a_zip_that_the_disk_has_no_room_for_is_refused(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(archive.parent)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CheckpointError, match=r"has 1,000 left\. Free some space"):
        open_checkpoint(archive)


def test_an_entry_that_is_larger_than_it_says_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "model.zip", ("metadata/part-00000", b"x" * 10_000))
    content = path.read_bytes()
    # In the local header and in the directory.
    path.write_bytes(content.replace(struct.pack("<I", 10_000), struct.pack("<I", 10)))
    with pytest.raises(CheckpointError, match="no zip that can be read: Bad CRC-32"):
        open_checkpoint(path)


def test_an_encrypted_zip_is_refused(archive: Path, tmp_path: Path) -> None:
    content = bytearray(archive.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = -1
        while (place := content.find(mark, place + 1)) >= 0:
            content[place + offset] |= 1
    (tmp_path / "model.zip").write_bytes(content)
    with pytest.raises(CheckpointError, match="the content is encrypted"):
        open_checkpoint(tmp_path / "model.zip")


def test_a_compression_that_spark_does_not_write_is_refused(model: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w", zipfile.ZIP_LZMA) as file:
        file.write(model / "metadata" / "part-00000", "metadata/part-00000")
    with pytest.raises(CheckpointError, match="the compression is of method 14"):
        open_checkpoint(tmp_path / "model.zip")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_zip_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.zip").write_bytes(content)
    with pytest.raises(
        CheckpointError, match=rf"model\.zip \({len(content)} bytes\) is no zip that can be read"
    ):
        open_checkpoint(tmp_path / "model.zip")


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match="is no Spark NLP model: it has no metadata/part-00000"
    ):
        open_checkpoint(write_zip(tmp_path / "model.zip", ("config.json", b"{}")))


def test_a_file_of_another_kind_is_still_told_as_before(tmp_path: Path) -> None:
    (tmp_path / "tf_model.h5").write_bytes(b"x")
    with pytest.raises(
        SourceNotFoundError, match=r"is a file.*or the zip of a Spark NLP model.*give its folder"
    ):
        tfclf.load(tmp_path / "tf_model.h5")


@pytest.mark.parametrize("part", [0.2, 0.9, 0.999])
def test_an_archive_cut_short_is_refused(part: float, archive: Path, tmp_path: Path) -> None:
    content = archive.read_bytes()
    (tmp_path / "model.zip").write_bytes(content[: int(part * len(content))])
    with pytest.raises(CheckpointError, match="is no zip that can be read"):
        open_checkpoint(tmp_path / "model.zip")


_FILES = (
    "metadata/part-00000",
    "fields/labels/part-00000",
    "fields/labels/part-00001",
    "fields/vocabulary/part-00000",
    "fields/signatures/part-00000",
    WEIGHTS,
)


@pytest.mark.parametrize("name", _FILES)
@pytest.mark.parametrize("kept", [None, 0.0, 0.5, 0.98])
def test_a_file_that_is_missing_or_cut_is_named(
    name: str, kept: float | None, own_model: Path
) -> None:
    path = own_model / name
    if kept is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(
        SourceNotFoundError if (name, kept) == (_FILES[0], None) else CheckpointError
    ) as caught:
        tfclf.load(own_model)
    assert str(own_model) in str(caught.value)


@pytest.mark.parametrize("name", ["labels", "vocabulary", "signatures"])
def test_a_field_that_is_missing_is_named(name: str, own_model: Path) -> None:
    shutil.rmtree(own_model / "fields" / name)
    with pytest.raises(CheckpointError, match=f"has no field '{name}': found "):
        open_checkpoint(own_model)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            [("a", 0), ("b", 2), ("c", 3), ("d", 4)],
            "4 entries up to 4, and none with 1; expected numbers without gaps",
        ),
        ([("a", 0), ("b", 1), ("c", 1), ("d", 2)], "gives the number 1 to '[bc]' and to '[bc]'"),
        ([("a", 0), ("a", 1), ("c", 2), ("d", 3)], "labels has 'a' more than once"),
        ([("a", 0), ("b", 1)], "names 2 labels, and the model gives 4 values"),
        (
            [("a", -1), ("b", 0), ("c", 1), ("d", 2)],
            "does not number 'a' with a whole number from 0",
        ),
        ([("a", "0")], "does not number 'a' with a whole number"),
        ([(("a", "b"), 0)], "expected a string in the field labels"),
        ([], "labels is empty"),
    ],
)
def test_labels_that_are_no_labels_are_refused(
    entries: list[tuple[object, object]], message: str, own_model: Path
) -> None:
    write_field(own_model, "labels", entries)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(own_model)


def test_an_error_about_a_zip_names_the_zip_and_no_folder_that_is_gone(
    own_model: Path, tmp_path: Path
) -> None:
    shutil.rmtree(own_model / "fields" / "labels")
    archive = zipped(own_model, tmp_path / "model.zip", below="tiny/")
    with pytest.raises(CheckpointError, match=rf"^{archive}/tiny has no field 'labels'"):
        open_checkpoint(archive)


def test_a_vocabulary_larger_than_the_embeddings_is_refused(own_model: Path) -> None:
    write_field(
        own_model, "vocabulary", numbered([*WORDS, *(f"w{number}" for number in range(400))])
    )
    with pytest.raises(CheckpointError, match="those tokens have no embedding"):
        tfclf.load(own_model)


def test_a_vocabulary_without_its_special_tokens_is_told_with_the_archives_name(
    own_model: Path,
) -> None:
    write_field(own_model, "vocabulary", numbered(["[PAD]", "a", "b"]))
    checkpoint = open_checkpoint(own_model)
    with pytest.raises(TokenizerError, match=rf"^{own_model}: the tokenizer .* is not among them"):
        checkpoint.read_tokenizer()


def test_merges_that_are_no_pairs_are_refused(tmp_path: Path) -> None:
    from tfclf.checkpoints.spark_nlp import fields

    write_field(tmp_path, "merges", numbered(["th", "he"]))
    with pytest.raises(
        CheckpointError, match="numbers 'th'; expected two strings in the field merges"
    ):
        fields.read_merges(NamedPath(tmp_path, tmp_path))


def test_fields_in_parquet_are_refused_with_the_setting_that_made_them(own_model: Path) -> None:
    (own_model / "fields" / "labels" / "part-00002-x.snappy.parquet").touch()
    with pytest.raises(CheckpointError, match=r"performance\.serialization=dataset"):
        open_checkpoint(own_model)


@pytest.mark.parametrize("file", ["distilbert_classification_onnx", "openvino_model.xml_openvino"])
def test_an_archive_for_another_engine_is_refused(file: str, own_model: Path) -> None:
    (own_model / WEIGHTS).rename(own_model / file)
    with pytest.raises(
        CheckpointError,
        match=r"holds its weights for (ONNX|OPENVINO).*load the Hugging Face checkpoint",
    ):
        open_checkpoint(own_model)


def test_another_annotator_is_named(shared: Path) -> None:
    with pytest.raises(
        CheckpointError, match="the model is a BertEmbeddings, and can be read here: Albert"
    ):
        open_checkpoint(shared / "spark_nlp" / "embeddings_folder_sample")


def test_a_field_of_a_foreign_class_is_refused_with_its_name(shared: Path) -> None:
    from tfclf.checkpoints.spark_nlp import fields

    folder = shared / "spark_nlp" / "embeddings_folder_sample" / "1_NerDLModel_159c71b98c0a"
    with pytest.raises(CheckpointError, match=r"class '.*DatasetEncoderParams;'"):
        fields.read_pieces(NamedPath(folder, folder), "datasetParams")


def test_a_vocabulary_of_eight_parts_found_in_the_wild_is_read(shared: Path) -> None:
    from tfclf.checkpoints.spark_nlp import fields

    expected = (
        (shared / "vocab" / "distilbert-base-uncased" / "vocab.txt")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    folder = shared / "spark_nlp" / "embeddings_folder_sample"
    found = fields.read_pieces(NamedPath(folder, folder), "vocabulary")
    assert list(found) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "names no class"),
        ('{"class": 1}', "names no class"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_metadata_that_is_none_is_refused(content: str, message: str, own_model: Path) -> None:
    (own_model / "metadata" / "part-00000").write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(own_model)


@pytest.mark.parametrize(
    "parameters",
    [
        {"maxSentenceLength": 0},
        {"maxSentenceLength": "512"},
        {"caseSensitive": 1},
        {"activation": "gelu"},
    ],
    ids=str,
)
def test_a_parameter_that_is_none_is_named_with_its_value(
    parameters: dict[str, object], own_model: Path
) -> None:
    write_metadata(own_model, annotator_of("distilbert"), **parameters)
    ((name, value),) = parameters.items()
    with pytest.raises(CheckpointError, match=f"{name} is {value!r}; expected"):
        open_checkpoint(own_model)


@pytest.mark.parametrize("count", [0, 2])
def test_a_pipeline_without_one_classifier_is_refused(count: int, tmp_path: Path) -> None:
    write_metadata(tmp_path, "org.apache.spark.ml.PipelineModel")
    for number in range(count):
        write_metadata(tmp_path / "stages" / str(number), annotator_of("bert"))
    with pytest.raises(
        CheckpointError,
        match=f"is a pipeline of .*, {count} of which can be read as a text classifier",
    ):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("saved_model.pb", r"has no saved_model\.pb: found variables\.data"),
        ("variables.index", r"has no variables\.index: found saved_model\.pb"),
        ("variables.data-00000-of-00001", r"the variables\.data files beside it hold 0"),
    ],
)
def test_a_part_of_the_weights_that_is_missing_is_named(
    file: str, message: str, own_model: Path
) -> None:
    change_weights(own_model, WEIGHTS, lambda inside: (inside / file).unlink())
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(own_model)


@pytest.mark.parametrize(
    "file", ["saved_model.pb", "variables.index", "variables.data-00000-of-00001"]
)
def test_a_part_of_the_weights_that_is_cut_short_is_refused(file: str, own_model: Path) -> None:
    def cut(inside: Path) -> None:
        content = (inside / file).read_bytes()
        (inside / file).write_bytes(content[: len(content) * 9 // 10])

    change_weights(own_model, WEIGHTS, cut)
    with pytest.raises(CheckpointError, match=str(own_model)):
        open_checkpoint(own_model)


def test_weights_of_which_a_byte_has_changed_are_refused(own_model: Path) -> None:
    def change(inside: Path) -> None:
        path = inside / "variables.data-00000-of-00001"
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)

    change_weights(own_model, WEIGHTS, change)
    with pytest.raises(CheckpointError, match="its variables cannot be read"):
        open_checkpoint(own_model).load_model()


def test_the_weights_of_another_kind_of_model_are_refused(own_model: Path) -> None:
    write_metadata(own_model, annotator_of("bert"))
    with pytest.raises(
        CheckpointError, match="is 'bert/embeddings/word_embeddings/weight' of the TF class"
    ):
        open_checkpoint(own_model)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None
)
@given(data=st.data())
def test_a_graph_with_changed_bytes_gives_a_config_or_a_clear_error(
    data: st.DataObject, model: Path
) -> None:
    from tfclf.checkpoints.spark_nlp import architecture, weights
    from tfclf.checkpoints.spark_nlp.graph_def import Graph
    from tfclf.families import known

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.unpack_archive(model / WEIGHTS, folder, "zip")
        content = bytearray((folder / "saved_model.pb").read_bytes())
        for _ in range(data.draw(st.integers(1, 5))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        (folder / "saved_model.pb").write_bytes(content)
        family = known()["distilbert"]
        assert family.weights is not None
        variables = weights.Variables(folder, anchor=family.weights.word_embeddings, origin="x")
        with contextlib.suppress(CheckpointError):
            graph = Graph(folder / "saved_model.pb", "StatefulPartitionedCall:0", origin="x")
            json.dumps(architecture.read_config(family, variables.shapes, graph, origin="x"))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(part=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_an_archive_with_a_changed_byte_is_read_or_refused(
    part: float, byte: int, archive: Path, tmp_path: Path
) -> None:
    content = bytearray(archive.read_bytes())
    content[int(part * len(content))] = byte
    (tmp_path / "model.zip").write_bytes(content)
    with contextlib.suppress(CheckpointError):
        open_checkpoint(tmp_path / "model.zip").load_model()


def test_functions_that_call_themselves_without_end_are_refused(own_model: Path) -> None:
    def change(inside: Path) -> None:
        graph = GraphDef()
        graph.ParseFromString((inside / "saved_model.pb").read_bytes())
        wrapper = next(
            function
            for function in graph.library.function
            if "signature_wrapper" in function.signature.name
        )
        (call,) = (node for node in wrapper.node_def if node.op == "StatefulPartitionedCall")
        call.attr["f"].func.name = wrapper.signature.name
        (inside / "saved_model.pb").write_bytes(graph.SerializeToString())

    change_weights(own_model, WEIGHTS, change)
    with pytest.raises(CheckpointError, match=r"functions are called more than 10,000 times"):
        open_checkpoint(own_model)


def test_labels_are_in_the_order_of_their_numbers(own_model: Path) -> None:
    write_field(own_model, "labels", reversed(numbered(LABELS)), parts=3)
    assert open_checkpoint(own_model).labels == LABELS


def test_a_head_that_reads_no_first_token_is_refused(own_model: Path) -> None:
    def pool(inside: Path) -> None:
        graph = GraphDef()
        graph.ParseFromString((inside / "saved_model.pb").read_bytes())
        for function in graph.library.function:
            nodes = {node.name: node for node in function.node_def}
            for node in function.node_def:
                if node.op == "MatMul" and "pre_classifier" in node.name:
                    read = nodes[node.input[0].partition(":")[0]]
                    read.op = "Mean"
                    del read.input[2:]
        (inside / "saved_model.pb").write_bytes(graph.SerializeToString())

    change_weights(own_model, WEIGHTS, pool)
    with pytest.raises(CheckpointError, match=r"its head reads the result of Mean, and the head"):
        open_checkpoint(own_model)
