"""What was evaluated: which models, on which rows, when, with which versions."""

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from tfclf._version import __version__
from tfclf.saved_model.manifest import Manifest


@dataclass(frozen=True)
class About:
    """Where the figures of a report come from.

    Attributes:
      models: of each model what is known of it, by name ("source", "version", ...), in the order of the report.
      data: the file of the rows, as it was given.
      rows: in it.
      made: UTC, ISO 8601.
      versions: of the packages that ran here.
    """

    models: tuple[Mapping[str, str], ...]
    data: str
    rows: int
    made: str
    versions: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """As `metrics.json` has it."""
        return asdict(self)


def described(
    models: tuple[Mapping[str, str], ...], *, data: str, rows: int, tensorflow: bool
) -> About:
    """As of now.

    Args:
      tensorflow: whether a model ran in this process.
    """
    versions = {"tfclf": __version__, "python": platform.python_version()}
    if tensorflow:
        versions["tensorflow"] = importlib.metadata.version("tensorflow")
    made = datetime.now(timezone.utc).isoformat(timespec="seconds")
    in_utf8 = tuple({name: _in_utf8(value) for name, value in facts.items()} for facts in models)
    return About(in_utf8, _in_utf8(data), rows, made, versions)


def _in_utf8(path: str) -> str:
    """A path may hold bytes that are no UTF-8, which Python has as lone surrogates."""
    return path.encode("utf-8", "replace").decode("utf-8")


def facts_of(manifest: Manifest, *, source: str, version: int | None) -> dict[str, str]:
    """What a report says of a model that ran in process.

    Args:
      source: what was loaded, as it was given.
      version: of an export; None for a checkpoint, which has none, and where it is not known.
    """
    exported = {} if version is None else {"version": str(version)}
    if exported or manifest.certificate:
        exported["certificate"] = certificate_in_words(manifest.certificate)
    return {
        "name": manifest.name,
        "source": source,
        "family": f"{manifest.family}, {manifest.problem_type.replace('_', ' ')}",
        "engine": f"{manifest.engine}, {manifest.precision}",
        "labels": ", ".join(manifest.labels),
        "reads": f"at most {manifest.max_length} tokens of a text",
        **exported,
    }


def certificate_in_words(certificate: Mapping[str, Any] | None) -> str:
    """What `tfclf verify` found, in a sentence."""
    if not certificate:
        return "none: `tfclf verify` has not been run"
    return (
        f"{'equal to' if certificate['equal'] else 'differs from'} the original ({certificate['reference']}) on "
        f"{certificate['rows']:,} texts: {certificate['token_mismatches']:,} with other tokens, "
        f"{certificate['label_mismatches']:,} with another label, logits within "
        f"{certificate['largest_logit_difference']:.1e}; {certificate['made']}"
    )
