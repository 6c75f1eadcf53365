"""HandleReloadConfigRequest: another configuration while the server runs.

Source: TF Serving, model_service_impl.cc.
"""

import logging

from grpc import StatusCode
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse

from tfclf.server.call import Call
from tfclf.server.models.manager import Manager
from tfclf.server.status import RequestError

_log = logging.getLogger(__name__)


def handle_reload_config(manager: Manager | None, request: ReloadConfigRequest, *, call: Call) -> ReloadConfigResponse:
    """Answers a ReloadConfigRequest when the new models answer. `metric_names` are passed over.

    Raises: RequestError; UNIMPLEMENTED where the server's models are fixed.
    """
    if manager is None:
        raise RequestError(StatusCode.UNIMPLEMENTED, "The models of this server are fixed")
    try:
        manager.reload(request.config, call=call)
    except RequestError as error:
        _log.error("reload failed: %s: %r", error.code.name, error.message)  # quoted: it holds what was sent
        raise
    response = ReloadConfigResponse()
    response.status.SetInParent()  # present though it says OK
    return response
