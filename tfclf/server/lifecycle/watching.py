"""The options of watching: how folders and models.config are polled, and what a reload may do."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Watching:
    """Options of a Manager: how it watches the file system and accepts configurations.

    Attributes:
      poll_seconds: time between two looks at the base paths (`--file_system_poll_wait_seconds`). 0
        or less: one look at the start and one at each reload; with less than 0 TF Serving itself
          would
        load nothing at all.
      config_file: the models.config that the configuration comes from, if any.
      config_poll_seconds: time between two looks at it (`--model_config_file_poll_wait_seconds`);
        0: none.
      max_load_retries, retry_seconds: how often, and after how long, a version that could not be
        loaded is tried again (`--max_num_load_retries`, `--load_retry_interval_micros`). A version
        whose files have changed is tried again at the next look. At the start, a model none of
        whose versions can be loaded is an error at once.
      reload_roots: folders that a request may load models from (HandleReloadConfigRequest), beside
        the parents of the base paths at the start.
      labels_for_unavailable: whether labels may name versions that are not loaded
        (`--allow_version_labels_for_unavailable_models`); never one that moves from another
        version.
    """

    poll_seconds: float = 1.0
    config_file: Path | None = None
    config_poll_seconds: float = 0.0
    max_load_retries: int = 5
    retry_seconds: float = 60.0
    reload_roots: tuple[Path, ...] = ()
    labels_for_unavailable: bool = False
