"""Imports go one way along the road, and `import tfclf` is quick."""

import subprocess
import sys
from pathlib import Path

import pytest

import tfclf
from samples.checkpoints import ROOT

HEAVY = {
    "tensorflow",
    "transformers",
    "keras",
    "tf_keras",
    "numpy",
    "sklearn",
    "matplotlib",
    "grpc",
    "pandas",
}


def test_no_module_imports_what_stands_above_it() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", ["tfclf", "tfclf.cli", "tfclf.cli.commands", "tfclf.errors"])
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    script = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) & HEAVY == set()


@pytest.mark.parametrize("name", tfclf.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    assert getattr(tfclf, name).__doc__


@pytest.mark.parametrize("name", tfclf.__all__)
def test_no_module_bears_a_public_name(name: str) -> None:
    """Importing it would put the module in the function's place."""
    assert not (ROOT / "tfclf" / f"{name}.py").exists()
    assert not (ROOT / "tfclf" / name).is_dir()


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'lod'; it has .*load"):
        tfclf.lod  # noqa: B018
