"""The provenance of a report: its models, rows, time and package versions."""

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from tfclf._version import __version__, package_versions
from tfclf.saved_model.certificate import describe_verdict
from tfclf.saved_model.manifest import Manifest


@dataclass(frozen=True)
class About:
    """The origin of the figures in a report.

    Attributes:
      models: facts about each model by name ("source", "version", ...), in the report's order.
      data: the file of the rows, as it was given.
      rows: number of rows.
      made: time of the evaluation, UTC, ISO 8601.
      versions: of the packages that ran here.
      numbers: the meaning of the numbers in the label column; empty if the labels are names.
    """

    models: tuple[Mapping[str, str], ...]
    data: str
    rows: int
    made: str
    versions: Mapping[str, str]
    numbers: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the part of `metrics.json` under "about"."""
        content = asdict(self)
        if not self.numbers:
            del content["numbers"]
        return content


def describe(
    models: tuple[Mapping[str, str], ...],
    *,
    data: str,
    rows: int,
    tensorflow: bool,
    numbers: Mapping[str, str] | None = None,
) -> About:
    """Describe an evaluation that ends now.

    Args:
      tensorflow: whether a model ran in this process.
      numbers: the meaning of the numbers in the label column, if they are numbers.
    """
    versions = {"tfclf": __version__, "python": platform.python_version()}
    if tensorflow:
        versions |= package_versions("tensorflow")
    made = datetime.now(timezone.utc).isoformat(timespec="seconds")
    in_utf8 = tuple(
        {name: _replace_surrogates(value) for name, value in facts.items()} for facts in models
    )
    return About(in_utf8, _replace_surrogates(data), rows, made, versions, dict(numbers or {}))


def _replace_surrogates(path: str) -> str:
    r"""Replace bytes of a path that are not UTF-8; Python holds them as lone surrogates.

    >>> _replace_surrogates("caf\udce9.csv")
    'caf?.csv'
    """
    return path.encode("utf-8", "replace").decode("utf-8")


def facts_of(manifest: Manifest, *, source: str, version: int | None) -> dict[str, str]:
    """Return the facts that a report shows about a model that ran in this process.

    Args:
      source: what was loaded, as it was given.
      version: of an export; None for a checkpoint, which has none, or if it is not known.
    """
    facts = {
        "name": manifest.name,
        "source": source,
        "family": f"{manifest.family}, {manifest.problem_type.replace('_', ' ')}",
        "engine": f"{manifest.engine}, {manifest.precision}",
        "labels": ", ".join(manifest.labels),
        "reads": f"at most {manifest.max_length} tokens of a text",
    }
    if version is not None:
        facts["version"] = str(version)
    if version is not None or manifest.certificate:
        facts["certificate"] = describe_certificate(manifest.certificate)
    return facts


def describe_certificate(certificate: Mapping[str, Any] | None) -> str:
    """Describe the result of `tfclf verify` in a sentence.

    >>> describe_certificate(None)
    'none: `tfclf verify` has not been run'
    """
    if not certificate:
        return "none: `tfclf verify` has not been run"
    return (
        f"{describe_verdict(certificate)} the original "
        f"({certificate['reference']}) on {certificate['rows']:,} texts: "
        f"{certificate['token_mismatches']:,} with other tokens, "
        f"{certificate['label_mismatches']:,} with another label, logits within "
        f"{certificate['largest_logit_difference']:.1e}; {certificate['made']}"
    )
