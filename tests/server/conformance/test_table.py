"""README.md names every test of this suite, and every case of section 6 of TF_SERVING.md."""

import ast
import re
from pathlib import Path

import pytest

from tests.server.conformance.engines import ENGINES, explain_missing

HERE = Path(__file__).parent
TABLE = (HERE / "README.md").read_text(encoding="utf-8")


def test_every_test_of_the_suite_is_in_the_table_and_every_name_in_the_table_is_a_test() -> None:
    tests = {
        node.name
        for file in HERE.glob("test_*.py")
        if file != Path(__file__)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert set(re.findall(r"`(test_\w+)`", TABLE)) == tests


def test_every_case_of_section_6_has_a_row(shared: Path) -> None:
    text = (shared / "TF_SERVING.md").read_text(encoding="utf-8")
    section = text[text.index("## 6.") :]
    cases = [
        line.split(" | ")[0].strip("| ") for line in section.splitlines() if line.startswith("| ")
    ]
    assert len(cases) > 15
    rows = [
        line.split(" | ")[0].strip("| ") for line in TABLE.splitlines() if line.startswith("| ")
    ]
    assert rows[: len(cases)] == cases


@pytest.mark.parametrize("engine", ENGINES)
def test_the_suite_runs_against_this_engine(engine: str) -> None:
    if reason := explain_missing(engine):
        pytest.skip(reason)
