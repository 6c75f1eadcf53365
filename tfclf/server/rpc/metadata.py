"""GetModelMetadata: the signatures of a model."""

from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)

from tfclf.saved_model.model_list import (
    FACTS,
    LABELS,
    THRESHOLDS,
    encode_names,
    encode_thresholds,
)
from tfclf.server.context import RequestContext
from tfclf.server.runtime.registry import Registry
from tfclf.server.status import invalid_argument

_FIELD = "signature_def"


def get_model_metadata(
    registry: Registry, request: GetModelMetadataRequest, call: RequestContext
) -> GetModelMetadataResponse:
    """Answer a GetModelMetadataRequest. The response covers all signatures, so it names none.

    An export's labels go beside the response, so that a client need not run the model to learn
    them; and so do the thresholds of a calibrated one, which only its manifest holds.

    Raises: RequestError.
    """
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != _FIELD:
            raise invalid_argument(f"Metadata field {field} is not supported")
    servable = registry.find(request.model_spec)
    signatures = SignatureDefMap()
    for name, signature in servable.signatures.items():
        signatures.signature_def[name].CopyFrom(signature)
    if servable.labels and (labels := encode_names(servable.labels)):
        call.beside[LABELS] = labels
    if servable.thresholds and (thresholds := encode_thresholds(servable.thresholds)):
        call.beside[THRESHOLDS] = thresholds
    if servable.facts:
        call.beside[FACTS] = servable.facts
    response = GetModelMetadataResponse()
    response.model_spec.name = servable.name
    response.model_spec.version.value = servable.version
    response.metadata[_FIELD].Pack(signatures)
    return response
