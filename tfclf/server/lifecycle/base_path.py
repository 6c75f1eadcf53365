"""A model's base path and the versions in it that are complete and at rest; it is polled.

Source: TF Serving, file_system_storage_path_source.cc.
"""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from tfclf.saved_model.versions import find_versions
from tfclf.server.lifecycle.version_policy import Policy, choose

_log = logging.getLogger(__name__)

# Per file: its path within the version, its bytes, its time of change in nanoseconds.
Fingerprint = frozenset[tuple[str, int, int]]


class BasePath:
    """A base path at the last look. A problem is logged when it begins, not at every look."""

    def __init__(self, model: str, folder: Path) -> None:
        self.folder = folder
        self._model = model
        self._seen: dict[Path, Fingerprint] = {}
        self._loaded: dict[Path, Fingerprint] = {}  # the model's files as they were loaded
        self._warned: set[str] = set()  # at the last look
        self._warnings: set[str] = set()  # at this look

    def look(
        self, policy: Policy, *, loaded: Mapping[int, Path], at_rest: bool
    ) -> dict[int, Path] | None:
        """Return the folders, by number, of the versions that the policy chooses.

        Args:
          loaded: the versions that are loaded already. They stay as they are, as in TF Serving; if
            their files change, a warning says so.
          at_rest: pass over a version that is new since the last look, or whose files have changed
            since: it may still be copied, with every file there but not yet complete.
        Returns: None if the base path cannot be read.
        """
        try:
            return self._look(policy, loaded, at_rest=at_rest)
        except OSError as error:
            # As in TF Serving, a folder that is missing for a while (a mount, say) unloads nothing.
            self._warn(
                f"base path {self.folder} of model {self._model!r} cannot be read: "
                f"{error.strerror or error}; what is loaded goes on serving"
            )
            return None
        finally:
            self._warned, self._warnings = self._warnings, set()

    def fingerprint(self, folder: Path) -> Fingerprint | None:
        """Return the files of a version that is not loaded, as of the last look."""
        return self._seen.get(folder)

    def _look(
        self, policy: Policy, loaded: Mapping[int, Path], *, at_rest: bool
    ) -> dict[int, Path]:
        folders = find_versions(self.folder, passed_over=self._warn_of_incomplete)
        for number, folder in loaded.items():  # it stays, even while its files are written over
            if folder.parent == self.folder and folder.is_dir():
                folders.setdefault(number, folder)
        self._check_loaded(loaded.values())
        if policy.WhichOneof("policy_choice") == "specific":
            for version in sorted(set(policy.specific.versions) - folders.keys()):
                self._warn(
                    f"version {version} of model {self._model!r} was asked for, "
                    f"but is not in {self.folder}"
                )
        seen: dict[Path, Fingerprint] = {}
        # Versions that change are passed over; the policy then chooses among the others.
        while True:
            chosen = {number: folders[number] for number in choose(policy, folders.keys())}
            new = {
                number: folder for number, folder in chosen.items() if loaded.get(number) != folder
            }
            seen |= {folder: _fingerprint(folder) for folder in new.values() if folder not in seen}
            changing = [
                number for number, folder in new.items() if self._seen.get(folder) != seen[folder]
            ]
            if not (at_rest and changing):
                break
            for number in changing:
                del folders[number]
        self._seen = seen
        if not chosen:
            self._warn(
                f"No versions of servable {self._model} found under base path {self.folder}. "
                f"Did you forget to name your leaf directory as a number (eg. '/1/')?"
            )
        return chosen

    def _check_loaded(self, folders: Iterable[Path]) -> None:
        now = {
            folder: _model_files(_fingerprint(folder))
            for folder in folders
            if folder.parent == self.folder and folder.is_dir()
        }
        for folder, files in now.items():
            if folder not in self._loaded:
                # As they were at the look before the load; a copy may have gone on since.
                before = self._seen.get(folder)
                self._loaded[folder] = files if before is None else _model_files(before)
            if files != self._loaded[folder]:
                self._warn(
                    f"the files in {folder} have changed since version {folder.name} of model "
                    f"{self._model!r} was loaded; the server goes on with what it has loaded. Give "
                    f"a new export a version number of its own."
                )
        self._loaded = {folder: self._loaded[folder] for folder in now}

    def _warn_of_incomplete(self, folder: Path) -> None:
        self._warn(f"passed over {folder}: not a whole SavedModel; it may still be copied")

    def _warn(self, message: str) -> None:
        if message not in self._warned:
            _log.warning("%s", message)
        self._warnings.add(message)


def _model_files(files: Fingerprint) -> Fingerprint:
    """Return the files that make the answers; `verify` writes others into an export."""
    return frozenset(each for each in files if not each[0].startswith("assets.extra"))


def _fingerprint(folder: Path) -> Fingerprint:
    files = set()
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                status = path.stat()
            except OSError:  # removed meanwhile, or a dangling link
                continue
            files.add((str(path.relative_to(folder)), status.st_size, status.st_mtime_ns))
    return frozenset(files)
