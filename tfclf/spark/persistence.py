"""Save and load stages of a pipeline, with the version of what is written."""

from __future__ import annotations

from typing import Any

from pyspark.ml.util import (
    DefaultParamsReader,
    DefaultParamsWriter,
    MLReadable,
    MLReader,
    MLWritable,
    MLWriter,
)

from tfclf._version import __version__
from tfclf.errors import SourceError

FORMAT_VERSION = 1
_KEY = "tfclf"


class Saved(MLReadable, MLWritable):
    """A stage whose Params are stored, and with them the version of the format."""

    def write(self) -> MLWriter:
        """Return the writer, as pyspark.ml's stages have it."""
        return _Writer(self)

    @classmethod
    def read(cls) -> MLReader:
        """Return the reader, as pyspark.ml's stages have it."""
        return _Reader(cls)

    def store(self, path: str, spark: Any) -> dict[str, Any]:  # noqa: ARG002
        """Write what is not a Param into the folder `path`; return Params to store instead."""
        return {}

    def check_overwrite(self, path: str) -> None:
        """Refuse a folder whose deletion would delete what the stage still needs."""

    def discard(self, path: str, stored: dict[str, Any], spark: Any) -> None:
        """Remove what `store` wrote, since the rest could not be written.

        Args:
          stored: what `store` returned.
        """

    def restore(self, path: str, spark: Any) -> None:
        """Read what `store` wrote."""


class _Writer(DefaultParamsWriter):
    def save(self, path: str) -> None:
        """Save the stage; Spark deletes what it overwrites before that."""
        if self.shouldOverwrite:
            self.instance.check_overwrite(path)
        super().save(path)

    def saveImpl(self, path: str) -> None:
        own = {param.name: value for param, value in self.instance._paramMap.items()}
        own |= self.instance.store(path, self.sparkSession)
        facts = {_KEY: {"format_version": FORMAT_VERSION, "version": __version__}}
        try:
            DefaultParamsWriter.saveMetadata(
                self.instance, path, self.sparkSession, extraMetadata=facts, paramMap=own
            )
        except Exception:  # the folder is there already, or the disk is full
            self.instance.discard(path, own, self.sparkSession)
            raise


class _Reader(DefaultParamsReader):
    def load(self, path: str) -> Any:
        """Load a stage. Raises: SourceError if it is of another class or a newer format."""
        metadata = DefaultParamsReader.loadMetadata(path, self.sparkSession)
        instance = self.cls()
        check_metadata(metadata, instance, path)
        instance._resetUid(metadata["uid"])
        DefaultParamsReader.getAndSetParams(instance, metadata)
        instance.restore(path, self.sparkSession)
        return instance


def check_metadata(metadata: dict[str, Any], instance: Any, path: str) -> None:
    """Refuse what this version cannot read.

    Raises: SourceError for another class, a newer format, or Params that this version lacks.
    """
    kind = type(instance)
    expected = f"{kind.__module__}.{kind.__name__}"
    found = metadata.get("class")
    if found != expected:
        raise SourceError(
            f"{path} holds a stage {found}; expected {expected}. Load it with {found}."
        )
    facts = metadata.get(_KEY) or {}
    stated, maker = facts.get("format_version"), facts.get("version", "of an unknown version")
    if not isinstance(stated, int) or stated > FORMAT_VERSION:
        raise SourceError(
            f"{path} was saved by tfclf {maker} in format {stated}; this tfclf, {__version__}, "
            f"reads formats up to {FORMAT_VERSION}. Install tfclf {maker} or newer, on the driver "
            f"and on the executors, or save the pipeline again with this version."
        )
    unknown = sorted(name for name in metadata["paramMap"] if not instance.hasParam(name))
    if unknown:
        raise SourceError(
            f"{path} was saved by tfclf {maker} with the parameter {unknown[0]!r}, which this "
            f"tfclf, {__version__}, does not have. Install tfclf {maker} or newer."
        )
