"""Exports of every family on the TensorFlow and TF-Text that TF Serving links; their ops are known.

TF Serving 2.12 to 2.19.1 links TF-Text 2.12.1, and 2.20 links 2.20.0. TFCLF_SERVING_PYTHONS names
the interpreters of virtual environments with those versions, separated by `:`; docs/deploying.md
sets them up. Without it the sessions run on this TensorFlow, and the older ones are not tried.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfclf
from samples.checkpoints import DEMO, OTHERS, ROOT, other_checkpoint, tiny_checkpoint
from tests.precisions import options_of
from tfclf.families import known
from tfclf.sample_texts import HEADLINES
from tfclf.saved_model.manifest import INT8, Manifest
from tfclf.saved_model.ops import ALL_VERSIONS, serving_versions

PYTHONS = tuple(filter(None, os.environ.get("TFCLF_SERVING_PYTHONS", "").split(os.pathsep))) or (
    sys.executable,
)
TEXTS = [
    *HEADLINES,
    "",
    "a\0b",
    "caf\u00e9 \u0301\u0315\u0300 \u6771\u4eac \u05d0\u05d1",
    "\U0001f469\u200d\U0001f469\u200d\U0001f466 \ue000",
    "\udcff\udcfe not UTF-8",  # surrogateescape
    "word " * 700,
]
KINDS = [
    *((family, "lean") for family in sorted(known())),
    *((family, "original") for family in sorted(known())),
]
KINDS += [(model_type, "original") for model_type in OTHERS]
KINDS += [(family, INT8) for family in sorted(known())]


# The others take minutes to make; `make verify` tries them.
NAMES = [
    "short",
    pytest.param("demo", marks=pytest.mark.verify),
    *(pytest.param(f"{family} {engine}", marks=pytest.mark.verify) for family, engine in KINDS),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serving_versions")


@pytest.fixture(scope="module", params=NAMES)
def export(request: pytest.FixtureRequest, folder: Path) -> Path:
    """A tiny export of every family on every engine that takes it, and the bundled export."""
    if request.param == "short":
        short: Path = request.getfixturevalue("short_export")
        return short
    if request.param == "demo":
        return DEMO / "1"
    family, engine = request.param.split()
    checkpoint = folder / f"{family}_checkpoint"
    if not checkpoint.exists():
        (tiny_checkpoint if family in known() else other_checkpoint)(checkpoint, family)
    options = options_of(INT8) if engine == INT8 else {"engine": engine}
    return tfclf.export(checkpoint, folder / f"{family}_{engine}", **options)


@pytest.fixture(scope="module", params=PYTHONS, ids=lambda path: Path(path).parents[1].name)
def session_outputs(request: pytest.FixtureRequest, export: Path) -> Any:
    """The outputs of a TF1 session of that TensorFlow."""
    if Manifest.read(export).precision == INT8 and _find_version(request.param) < (2, 17):
        pytest.skip("int8 needs TensorFlow 2.17")
    command = [request.param, str(ROOT / "tests" / "saved_model" / "tf1_session.py"), str(export)]
    # Those virtual environments have no tf-keras, which transformers asks for.
    left_out = {"PYTHONPATH", "TF_USE_LEGACY_KERAS"}
    environment = {key: value for key, value in os.environ.items() if key not in left_out}
    done = subprocess.run(
        command,
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)[str(export)]


def _find_version(python: str) -> tuple[int, ...]:
    program = "import tensorflow as tf; print(tf.__version__)"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    return tuple(map(int, done.stdout.split(".")[:2]))


def test_every_op_is_known_to_every_tf_serving(export: Path) -> None:
    expected = "2.17 to 2.20" if Manifest.read(export).precision == INT8 else ALL_VERSIONS
    assert serving_versions(export / "saved_model.pb") == expected


def test_every_op_of_the_bundled_export_is_known_to_every_tf_serving() -> None:
    assert serving_versions(DEMO / "1" / "saved_model.pb") == ALL_VERSIONS


def test_a_tf1_session_answers_as_in_process(export: Path, session_outputs: Any) -> None:
    expected = tfclf.load(export)([text.encode("utf-8", "surrogateescape") for text in TEXTS])
    assert session_outputs["labels"] == [label.decode() for label in expected["label"].numpy()]
    np.testing.assert_allclose(session_outputs["logits"], expected["logits"].numpy(), atol=1e-5)


def test_its_warm_up_records_run_in_a_tf1_session(session_outputs: Any) -> None:
    assert session_outputs["records"] >= 1
