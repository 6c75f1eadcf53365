"""Warm-up: a version answers requests before it serves; no client waits for a cold start.

An export of tfclf gets a request for each signature that clients call with text, whatever records
it holds: older exports hold some of them only. Any model gets the requests that it recorded.

Source: TF Serving, saved_model_warmup.cc and saved_model_warmup_util.cc: at most 1,000 records. One
more, or one that cannot be read or answered, fails the load.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from grpc import StatusCode
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from tfclf.errors import SavedModelError, first_line
from tfclf.saved_model.warm_up import make_logs
from tfclf.server.rpc.inference import classify, multi_inference, regress
from tfclf.server.rpc.predict import predict
from tfclf.server.runtime.servable import Servable
from tfclf.server.status import RequestError, invalid_argument

_log = logging.getLogger(__name__)

_PLACE = Path("assets.extra") / "tf_serving_warmup_requests"
_MOST = 1_000
_METHODS: Mapping[str, Callable[[Servable, Any], Any]] = {
    "predict_log": predict,
    "classify_log": classify,
    "regress_log": regress,
    "multi_inference_log": multi_inference,
}
_REFUSED = "session_run_log"


def warm_up_signatures(servable: Servable) -> int:
    """Call each signature of an export of tfclf that takes text, with one row and with a batch.

    One after the other: TensorFlow prepares the graph of one signature at a time, and that is most
    of a first call. A request that fails is logged; its signature stays cold.

    Returns: the number of requests that were answered.
    """
    answered = 0
    for signature, log in make_logs(servable.signatures):
        try:
            _replay(servable, log)
            answered += 1
        except RequestError as error:
            _log.warning(
                "model=%r version=%d signature=%r not warmed up: %s",
                servable.name,
                servable.version,
                signature,
                first_line(error),
            )
    _log.info(
        "warmed up model=%r version=%d requests=%d", servable.name, servable.version, answered
    )
    return answered


def warm_up(servable: Servable, folder: Path, *, runs: int = 1) -> int:
    """Replay a version's warm-up records; records without a request are passed over.

    Args:
      runs: how often each record is replayed.
    Returns: the number of records.
    Raises: SavedModelError for a record that cannot be read or answered, and for too many.
    """
    path = folder / _PLACE
    if runs < 1 or not path.is_file():
        return 0
    replayed = 0
    try:
        for count, record in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()):
            if count == _MOST:
                raise invalid_argument(f"Number of warmup records exceeds the maximum ({_MOST})")
            log = PredictionLog.FromString(record)
            kind = log.WhichOneof("log_type")
            if kind == _REFUSED:
                number = PredictionLog.DESCRIPTOR.fields_by_name[kind].number
                raise RequestError(
                    StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {number}"
                )
            if kind in _METHODS:
                for _ in range(runs):
                    _replay(servable, log)
                replayed += 1
    except (RequestError, DecodeError, tf.errors.OpError) as error:
        reason = first_line(error)
        raise SavedModelError(
            f"{path}: warm-up failed after {replayed} requests: {reason}. Expected TFRecords of "
            f"PredictionLog, {_MOST:,} at most, that this model answers. "
            f"Export the model again, or remove the file."
        ) from error
    _log.info(
        "warmed up model=%r version=%d requests=%d", servable.name, servable.version, replayed
    )
    return replayed


def _replay(servable: Servable, log: PredictionLog) -> None:
    """Answer a record that holds a request."""
    kind = log.WhichOneof("log_type")
    _METHODS[kind](servable, getattr(log, kind).request)
