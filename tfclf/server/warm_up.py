"""Warm-up: a version answers its own recorded requests before anybody else's, so that no client waits for it.

Source: TF Serving, saved_model_warmup_util.cc: at most 1,000 records; one that cannot be read or answered fails
the load.
"""

import logging
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from tfclf.errors import SavedModelError
from tfclf.server.predict import predict
from tfclf.server.servable import Servable
from tfclf.server.status import RequestError

_log = logging.getLogger(__name__)

_PLACE = Path("assets.extra") / "tf_serving_warmup_requests"
_MOST = 1_000


def warm_up(servable: Servable, folder: Path) -> int:
    """Replays the Predict requests among a version's warm-up records; gives their number.

    Records of the other RPCs are passed over: this server does not answer those yet.

    Raises: SavedModelError for a record that cannot be read or answered.
    """
    path = folder / _PLACE
    if not path.is_file():
        return 0
    replayed = 0
    try:
        for record in tf.data.TFRecordDataset(str(path)).take(_MOST).as_numpy_iterator():
            log = PredictionLog.FromString(record)
            if log.HasField("predict_log"):
                predict(servable, log.predict_log.request)
                replayed += 1
    except (RequestError, DecodeError, tf.errors.OpError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise SavedModelError(
            f"{path}: warm-up failed after {replayed} requests: {reason}. Expected TFRecords of PredictionLog that "
            f"this model answers. Export the model again, or remove the file."
        ) from error
    _log.info("warmed up model=%r version=%d requests=%d", servable.name, servable.version, replayed)
    return replayed
