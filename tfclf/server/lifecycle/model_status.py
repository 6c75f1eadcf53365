"""GetModelStatus: the state of each version of a model.

Source: TF Serving, get_model_status_impl.cc. There a version label selects nothing: the response
has all versions.
"""

from grpc import StatusCode
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
)

from tfclf.server.runtime.registry import Registry
from tfclf.server.status import RequestError


def get_model_status(registry: Registry, request: GetModelStatusRequest) -> GetModelStatusResponse:
    """Answer a GetModelStatusRequest; the largest version comes first.

    Raises: RequestError.
    """
    spec = request.model_spec
    states = registry.states.of(spec.name)
    if spec.WhichOneof("version_choice") == "version":
        version = spec.version.value
        if version not in states:
            raise RequestError(
                StatusCode.NOT_FOUND, f"Could not find version {version} of model {spec.name}"
            )
        states = {version: states[version]}
    elif not states:
        raise RequestError(
            StatusCode.NOT_FOUND, f"Could not find any versions of model {spec.name}"
        )
    response = GetModelStatusResponse()
    for version, state in states.items():
        status = response.model_version_status.add(version=version, state=state.stage)
        status.status.error_code = state.code.value[0]
        status.status.error_message = state.message
        status.status.SetInParent()  # present even if OK
    return response
