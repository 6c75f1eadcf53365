"""A model's base path, looked at again and again: which versions are there, whole and at rest.

Source: TF Serving, file_system_storage_path_source.cc.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from tfclf.saved_model.versions import find_versions
from tfclf.server.lifecycle.version_policy import Policy, choose

_log = logging.getLogger(__name__)

Fingerprint = frozenset[
    tuple[str, int, int]
]  # each file's path within the version, bytes, time of change


class BasePath:
    """What was seen of a base path so far. What is amiss is logged when it begins, not at every look."""

    def __init__(self, model: str, folder: Path) -> None:
        self.folder = folder
        self._model = model
        self._seen: dict[Path, Fingerprint] = {}
        self._said: set[str] = set()
        self._says: set[str] = set()

    def look(
        self, policy: Policy, *, loaded: Mapping[int, Path], at_rest: bool
    ) -> dict[int, Path] | None:
        """Folders, by number, of the versions that the policy chooses; None while the base path cannot be read.

        Args:
          loaded: the versions that are loaded, which need no further look.
          at_rest: pass over a new version whose files have changed since the last look, or that was not there: it
            may be a copy under way, every file of which is there, but not yet whole.
        """
        try:
            return self._look(policy, loaded, at_rest=at_rest)
        except OSError as error:
            # As TF Serving: a folder that is not there for a while (a mount, say) unloads nothing.
            self._say(
                f"base path {self.folder} of model {self._model!r} cannot be read: {error.strerror or error}; "
                f"what is loaded goes on serving"
            )
            return None
        finally:
            self._said, self._says = self._says, set()

    def fingerprint(self, folder: Path) -> Fingerprint | None:
        """The files of a version that is not loaded, as of the last look."""
        return self._seen.get(folder)

    def _look(
        self, policy: Policy, loaded: Mapping[int, Path], *, at_rest: bool
    ) -> dict[int, Path]:
        found = find_versions(self.folder, passed_over=self._half_written)
        for (
            number,
            folder,
        ) in loaded.items():  # loaded is loaded, though somebody writes over its files
            if folder.parent == self.folder and folder.is_dir():
                found.setdefault(number, folder)
        if policy.WhichOneof("policy_choice") == "specific":
            for version in sorted(set(policy.specific.versions) - found.keys()):
                self._say(
                    f"version {version} of model {self._model!r} was asked for, but is not in {self.folder}"
                )
        seen: dict[Path, Fingerprint] = {}
        while True:
            chosen = choose(policy, found.keys())
            new = {
                number: found[number] for number in chosen if loaded.get(number) != found[number]
            }
            seen |= {folder: _fingerprint(folder) for folder in new.values() if folder not in seen}
            restless = [
                number for number, folder in new.items() if self._seen.get(folder) != seen[folder]
            ]
            if not (at_rest and restless):
                break
            for number in restless:
                del found[number]
        self._seen = seen
        if not chosen:
            self._say(
                f"No versions of servable {self._model} found under base path {self.folder}. Did you forget to name "
                f"your leaf directory as a number (eg. '/1/')?"
            )
        return {number: found[number] for number in chosen}

    def _half_written(self, folder: Path) -> None:
        self._say(f"passed over {folder}: not a whole SavedModel; it may still be on its way here")

    def _say(self, message: str) -> None:
        if message not in self._said:
            _log.warning("%s", message)
        self._says.add(message)


def _fingerprint(folder: Path) -> Fingerprint:
    files = set()
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                status = path.stat()
            except OSError:  # gone again, or a link that leads nowhere
                continue
            files.add((str(path.relative_to(folder)), status.st_size, status.st_mtime_ns))
    return frozenset(files)
