"""GetModelMetadata answers as TF Serving does: TF_SERVING.md, section 6."""

from pathlib import Path

from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from .conftest import Refusal


def metadata_request(*fields: str, model: str = "echo", version: int | None = None) -> GetModelMetadataRequest:
    request = GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = model
    if version is not None:
        request.model_spec.version.value = version
    return request


def test_signatures_are_those_of_saved_model_pb(stub: PredictionServiceStub, echo_base: Path) -> None:
    response = stub.GetModelMetadata(metadata_request("signature_def"))
    signatures = SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    saved_model = SavedModel.FromString((echo_base / "2" / "saved_model.pb").read_bytes())
    assert dict(signatures.signature_def) == dict(saved_model.meta_graphs[0].signature_def)


def test_the_initialization_signature_is_among_them(stub: PredictionServiceStub) -> None:
    response = stub.GetModelMetadata(metadata_request("signature_def"))
    signatures = SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    assert "__saved_model_init_op" in signatures.signature_def


def test_only_the_field_that_was_asked_for_comes_back(stub: PredictionServiceStub) -> None:
    assert list(stub.GetModelMetadata(metadata_request("signature_def")).metadata) == ["signature_def"]


def test_model_spec_is_echoed_without_a_signature(stub: PredictionServiceStub) -> None:
    request = metadata_request("signature_def")
    request.model_spec.signature_name = "pairs"
    spec = stub.GetModelMetadata(request).model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("echo", 2, "")


def test_missing_model_spec(refusal: Refusal) -> None:
    request = GetModelMetadataRequest(metadata_field=["signature_def"])
    assert refusal(request, method="GetModelMetadata") == ("INVALID_ARGUMENT", "Missing ModelSpec")


def test_empty_name(refusal: Refusal) -> None:
    expected = ("INVALID_ARGUMENT", "ModelSpec has no name specified.")
    assert refusal(metadata_request("signature_def", model=""), method="GetModelMetadata") == expected


def test_unknown_version(refusal: Refusal) -> None:
    expected = ("NOT_FOUND", "Servable not found for request: Specific(echo, 7)")
    assert refusal(metadata_request("signature_def", version=7), method="GetModelMetadata") == expected


def test_no_field(refusal: Refusal) -> None:
    expected = ("INVALID_ARGUMENT", "GetModelMetadataRequest must specify at least one metadata_field")
    assert refusal(metadata_request(), method="GetModelMetadata") == expected


def test_an_unknown_field_comes_before_an_unknown_model(refusal: Refusal) -> None:
    expected = ("INVALID_ARGUMENT", "Metadata field weights is not supported")
    request = metadata_request("signature_def", "weights", model="nobody")
    assert refusal(request, method="GetModelMetadata") == expected
