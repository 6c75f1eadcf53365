"""Memory and start-up time of a base model; each step runs in a process of its own.

A peak is the largest resident memory of the process, minus that of a process that did all but
this step.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_MIB = 2**20
_PROLOGUE = r"""
import json, re, time
import tensorflow as tf
import tfclf
from tfclf._tensorflow import load_text_ops
load_text_ops()
tf.linalg.matmul(tf.ones([64, 64]), tf.ones([64, 64]))
{imports}
started = time.perf_counter()
{work}
done = time.perf_counter()
{after}
# Not getrusage: its maximum is inherited from the process that started this one.
peak = re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())
print(json.dumps({{
    "peak": int(peak.group(1)) * 1024,
    "seconds": done - started,
    "after": time.perf_counter() - done,
}}))
"""
# The imports that reading a checkpoint needs in addition.
_READING = """
from tfclf._transformers import tf_class
tf_class("TFBertForSequenceClassification")
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.tokenization.read import read
"""


def measure(checkpoint: Path, folder: Path) -> dict[str, Any]:
    """Export a checkpoint and load the export; return MiB above TensorFlow's own, and seconds."""
    weights = sum(file.stat().st_size for file in checkpoint.glob("tf_model*.h5"))
    idle = _run()
    idle_reading = _run(imports=_READING)
    exported = _run(
        imports=_READING, work=f"path = tfclf.export({str(checkpoint)!r}, {str(folder)!r})"
    )
    answer = 'classifier(["Parliament votes to dissolve itself"])["label"].numpy()'
    loaded = _run(work=f"classifier = tfclf.load({str(folder)!r})", after=answer)
    load_peak, export_peak = loaded["peak"] - idle["peak"], exported["peak"] - idle_reading["peak"]
    return {
        "weights_mib": round(weights / _MIB),
        "tensorflow_mib": round(idle["peak"] / _MIB),
        "loaded_and_called_mib": round(load_peak / _MIB),
        "loaded_to_weights": round(load_peak / weights, 2),
        "export_mib": round(export_peak / _MIB),
        "export_to_weights": round(export_peak / weights, 2),
        "load_seconds": round(loaded["seconds"], 2),
        "first_answer_seconds": round(loaded["after"], 2),
    }


def _run(*, imports: str = "", work: str = "", after: str = "") -> dict[str, float]:
    code = _PROLOGUE.format(imports=imports, work=work, after=after)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"the measured process ended with {done.returncode}:\n{done.stderr[-2000:]}"
        )
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures
