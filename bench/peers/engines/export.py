"""Our exports: batches in the order given, or `predict_columns` with a stream on each core."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.peers.engine import (
    BATCH,
    Array,
    Classify,
    Material,
    Unavailable,
    batches,
    has_bfloat16,
    written_once,
)


def prepare(material: Material, *, precision: str, streams: bool) -> None:  # noqa: ARG001
    import tfclf
    from tfclf.errors import TfclfError

    place = _place(material, precision)
    with written_once(place) as folder:
        if folder:
            for older in material.folder.glob(f"{precision}-*"):
                shutil.rmtree(older)
            try:
                tfclf.export(
                    material.checkpoint,
                    folder,
                    precision=_choose(precision),
                    calibration_texts=material.calibration if precision == "int8" else None,
                )
            except TfclfError as error:
                raise Unavailable(str(error)) from error


def load(material: Material, *, precision: str, streams: bool) -> Classify:
    from tfclf._tensorflow import use_cores_as_streams

    if streams:
        use_cores_as_streams(material.streams)
    import tfclf

    clf = tfclf.load(_place(material, precision))

    def classify(texts: Sequence[str]) -> Array:
        return np.concatenate([clf(batch)["logits"].numpy() for batch in batches(texts)])

    def classify_in_streams(texts: Sequence[str]) -> Array:
        columns = clf.predict_columns(list(texts), batch_size=BATCH, streams=material.streams)
        logits: Array = np.log(columns["probabilities"])  # up to a number per text
        return logits

    return classify_in_streams if streams else classify


def _choose(precision: str) -> str:
    """Return int8's form for this processor: its rest in bfloat16 if there are instructions."""
    if precision == "int8" and has_bfloat16():
        return "int8_bfloat16"
    return precision


def _place(material: Material, precision: str) -> Path:
    return material.folder / f"{precision}-{material.code}"
