"""Every block of code in README.md and the model's card runs, and says what it should."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkpoints import DEMO, ROOT
from tfclf.server import serve

_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_BLOCKS = [match.groups() for match in _BLOCK.finditer((ROOT / "README.md").read_text(encoding="utf-8"))]


def _code(language: str, mark: str = "") -> list[str]:
    return [code for found, marked, code in _BLOCKS if found == language and marked.strip() == mark]


def _run(*command: str) -> str:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("code", "expected"),
    list(
        zip(
            _code("python"),
            [r"World 0\.\d+\nBusiness 0\.\d+\n", r"\['Sports', 'Business'\]\nTrue\n\[b'Business'\]\n"],
            strict=True,
        )
    ),
    ids=["predict", "pipelines"],
)
def test_python_blocks_run(code: str, expected: str) -> None:
    assert re.fullmatch(expected, _run(sys.executable, "-c", code))


def test_the_shell_block_runs() -> None:
    (code,) = (block for block in _code("sh") if "tfclf predict" in block)
    output = _run("sh", "-e", "-c", code)
    assert re.search(r"^World +0\.\d+  Ceasefire talks", output, re.MULTILINE)
    assert '"label": "Business"' in output
    assert "TF Serving" in output


def test_the_grpc_client_gets_labels_and_imports_nothing_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = _code("python", "grpc")
    assert "tfclf" not in code
    with serve(DEMO, port=0) as server:
        exec(code.replace("localhost:8500", server.address), {})
    assert capsys.readouterr().out == "[b'Business', b'Sports']\n"
