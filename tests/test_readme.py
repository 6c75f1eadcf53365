"""What README.md says before its servers runs, and says what it should; the rest is tests/test_docs.py's."""

import re

import pytest

from tests.pages import Block, Session, blocks

_BLOCKS = blocks("README.md")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session(tmp_path_factory.mktemp("readme"))


@pytest.mark.parametrize(
    ("block", "expected"),
    list(
        zip(
            [found for found in _BLOCKS if found.language == "python" and not found.mark and "grpc" not in found.code],
            [r"World 0\.\d+\nBusiness 0\.\d+\n", r"\['Sports', 'Business'\]\nTrue\n\[b'Business'\]\n"],
            strict=True,
        )
    ),
    ids=["predict", "pipelines"],
)
def test_python_blocks_run(block: Block, expected: str, session: Session) -> None:
    assert re.fullmatch(expected, session.run(block))


def test_the_shell_block_runs(session: Session) -> None:
    (block,) = (found for found in _BLOCKS if found.language == "sh" and "tfclf predict" in found.code)
    output = session.run(block)
    assert re.search(r"^World +0\.\d+  Ceasefire talks", output, re.MULTILINE)
    assert '"label": "Business"' in output
    assert "TF Serving" in output


def test_the_grpc_client_imports_nothing_of_ours() -> None:
    (block,) = (found for found in _BLOCKS if "predict_pb2" in found.code)
    assert "tfclf" not in block.code
