"""HandleReloadConfigRequest: another configuration while the server runs.

Source: TF Serving, model_service_impl.cc.
"""

import logging
import os
from pathlib import Path

from grpc import StatusCode
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse

from tfclf.server.context import RequestContext
from tfclf.server.lifecycle.manager import Manager
from tfclf.server.status import RequestError, truncate

_log = logging.getLogger(__name__)


def handle_reload_config(
    manager: Manager | None, request: ReloadConfigRequest, *, call: RequestContext
) -> ReloadConfigResponse:
    """Answer a ReloadConfigRequest once the new models answer; its `metric_names` are ignored.

    Raises: RequestError; UNIMPLEMENTED if the server's models are fixed.
    """
    if manager is None:
        raise RequestError(StatusCode.UNIMPLEMENTED, "The models of this server are fixed")
    try:
        _check_roots(manager, request)
        manager.reload(request.config, call=call)
    except RequestError as error:
        # The message quotes what the client sent, so it is quoted itself.
        _log.error("reload failed: %s: %r", error.code.name, truncate(error.message))
        raise
    response = ReloadConfigResponse()
    response.status.SetInParent()  # present even if OK
    return response


def _check_roots(manager: Manager, request: ReloadConfigRequest) -> None:
    """Check base paths by their spelling only: an unchecked path must not reach the file system."""
    for model in request.config.model_config_list.config:
        path = Path(os.path.normpath(model.base_path))
        if model.base_path and not any(path.is_relative_to(root) for root in manager.reload_roots):
            raise RequestError(
                StatusCode.PERMISSION_DENIED,
                f"The base path of model {model.name} is outside the folders that requests may "
                f"load models from (--reload_roots)",
            )
