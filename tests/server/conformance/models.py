"""The models that every engine serves here, and the models.config that names them."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from samples.checkpoints import DEMO
from tests.server.models import save_echo
from tests.server.scorers import save_native_scorer
from tests.server.tf1_models import save_columns, save_faults, save_graphs, save_slow_to_load


@dataclass(frozen=True)
class Models:
    """The folder of all models, and their base paths by name.

    Attributes:
      go: the file that `slow_to_load` waits for while it loads.
    """

    folder: Path
    bases: dict[str, Path]
    go: Path

    def make_entry(self, name: str, *, of: str | None = None) -> ModelConfig:
        """Make a model's entry. `of`: the model whose base path it shares; None: its own."""
        return ModelConfig(
            name=name, base_path=str(self.bases[of or name]), model_platform="tensorflow"
        )

    def config(self) -> ModelServerConfig:
        """Make the configuration of all models, with every version policy, and with labels."""
        config = ModelServerConfig()
        models = config.model_config_list.config
        models.extend(
            self.make_entry(name)
            for name in self.bases
            if name not in {"echo", "numbers", "slow_to_load"}
        )
        echo = self.make_entry("echo")
        echo.model_version_policy.specific.versions.extend([1, 2])
        echo.version_labels.update({"stable": 1, "canary": 2})
        latest, latest_two, every, specific = (
            self.make_entry(name, of="numbers")
            for name in ("latest", "latest_two", "every", "specific")
        )
        latest_two.model_version_policy.latest.num_versions = 2
        every.model_version_policy.all.SetInParent()
        specific.model_version_policy.specific.versions.extend([1, 3])
        models.extend([echo, latest, latest_two, every, specific])
        return config


def save_models(folder: Path, *, echo: Path, scorer: Path, half_plus_two: Path) -> Models:
    """Write the models that have no fixture; the demo is the bundled export."""
    for version in (1, 2, 3):
        shutil.copytree(half_plus_two / "123", folder / "numbers" / str(version))
    save_echo(folder / "moving" / "1", 1)
    save_native_scorer(folder / "native" / "1")
    save_columns(folder / "columns" / "1")
    save_columns(folder / "old_columns" / "1", legacy_init_op=True)
    save_graphs(folder / "graphs" / "1")
    save_faults(folder / "faults" / "1")
    save_slow_to_load(folder / "slow_to_load" / "1", folder / "go")
    own = (
        "numbers",
        "moving",
        "native",
        "columns",
        "old_columns",
        "graphs",
        "faults",
        "slow_to_load",
    )
    bases = {"echo": echo, "scorer": scorer, "half_plus_two": half_plus_two, "demo": DEMO}
    return Models(folder, {**bases, **{name: folder / name for name in own}}, folder / "go")
