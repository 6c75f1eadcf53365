"""Models of TF1: by the names in their graph, with assets, init ops, several graphs."""

import pytest
import tensorflow as tf
from tensorflow.core.example.example_pb2 import Example
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap

from tests.server.conformance.engines import Served
from tests.server.messages import (
    classify_request,
    example_list,
    predict_request,
    regress_request,
    strings,
)


def words(*texts: bytes) -> Example:
    return Example(features={"feature": {"words": {"bytes_list": {"value": texts}}}})


ROWS = [words(b"good", b"fine"), words(b"bad"), words(b"unheard of"), Example()]
LOGITS = [1.5, -1.0, 0.0, 0.0]


@pytest.mark.parametrize("x", [[[1.0], [2.0]], [1.0, 2.0], 1.0], ids=["rows", "README", "scalar"])
def test_x_of_any_shape_is_answered(served: Served, x: object) -> None:
    request = predict_request(
        {"x": tf.make_tensor_proto(x)}, model="half_plus_two", output_filter=["y"]
    )
    y = tf.make_ndarray(served.stub.Predict(request).outputs["y"])
    assert y.tolist() == (tf.constant(x) * 0.5 + 2).numpy().tolist()


@pytest.mark.parametrize("model", ["columns", "old_columns"], ids=["main_op", "legacy_init_op"])
def test_a_vocabulary_column_is_looked_up_in_its_asset(served: Served, model: str) -> None:
    actual = served.stub.Regress(
        regress_request(example_list(*ROWS), model, signature="regression")
    )
    assert [one.value for one in actual.result.regressions] == LOGITS


def test_a_classifier_of_columns_names_classes_by_number(served: Served) -> None:
    actual = served.stub.Classify(
        classify_request(example_list(*ROWS), "columns")
    ).result.classifications
    assert [[one.label for one in row.classes] for row in actual] == [["0", "1"]] * 4
    assert [row.classes[1].score for row in actual] == pytest.approx(
        tf.sigmoid(LOGITS).numpy().tolist()
    )


def test_predict_takes_serialized_examples(served: Served) -> None:
    sent = {"examples": strings(*(row.SerializeToString() for row in ROWS))}
    response = served.stub.Predict(predict_request(sent, model="columns", signature="predict"))
    assert list(response.outputs["logits"].float_val) == LOGITS


def test_of_several_graphs_the_one_tagged_serve_answers(served: Served) -> None:
    request = predict_request({"x": tf.make_tensor_proto([2.0])}, model="graphs")
    outputs = served.stub.Predict(request).outputs
    assert (list(outputs["graph_bytes"].string_val), list(outputs["y"].float_val)) == (
        [b"serve"],
        [6.0],
    )


def test_the_tags_of_another_graph_may_be_given(single: Served) -> None:
    request = predict_request(
        {"x": tf.make_tensor_proto([2.0])}, model="one", output_filter=["graph_bytes"]
    )
    assert (
        single.stub.Predict(request).outputs["graph_bytes"].tensor_content == b"\x0dserve and gpu"
    )


def test_metadata_is_that_of_the_graph_that_answers(served: Served) -> None:
    request = GetModelMetadataRequest(
        model_spec={"name": "graphs"}, metadata_field=["signature_def"]
    )
    actual = SignatureDefMap()
    served.stub.GetModelMetadata(request).metadata["signature_def"].Unpack(actual)
    assert list(actual.signature_def) == ["serving_default"]
