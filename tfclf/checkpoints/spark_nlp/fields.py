"""The fields of a Spark NLP model: `fields/NAME/part-*`, each part a SequenceFile of arrays of tuples."""

from collections.abc import Mapping
from pathlib import Path

from tfclf.checkpoints.spark_nlp import java_stream, sequence_file
from tfclf.errors import CheckpointError
from tfclf.files import list_folder

# A vocabulary of 250,000 pieces and its numbers take 10 MB.
_MOST_BYTES = 1 << 29
_PIECE, _MERGE = "a string", "two strings"
Merge = tuple[str, str]


def pieces(folder: Path, name: str) -> tuple[str, ...]:
    """A field that numbers strings (labels, pieces of a vocabulary), in the order of the numbers, from 0.

    Raises: CheckpointError where it is missing, broken, or has gaps.
    """
    return tuple(key for key in _numbered(folder, name) if isinstance(key, str))


def merges(folder: Path) -> tuple[Merge, ...]:
    """The field of the byte pairs that BPE joins, in the order of training. Raises: CheckpointError."""
    found = [key for key in _numbered(folder, "merges", paired=True) if isinstance(key, tuple)]
    # Spark NLP takes the version line of merges.txt for the first of them.
    return tuple(found[1:] if found and found[0][0].startswith("#version") else found)


def texts(folder: Path, name: str) -> Mapping[str, str]:
    """A field of strings by strings. Raises: CheckpointError."""
    found: dict[str, str] = {}
    for origin, key, value in _pairs(folder, name):
        if not isinstance(key, str) or not isinstance(value, str):
            raise CheckpointError(
                f"{origin} holds an entry that is not two strings; expected a name and a text."
            )
        found[key] = value
    return found


def _numbered(folder: Path, name: str, *, paired: bool = False) -> list[str | Merge]:
    by_number: dict[int, str | Merge] = {}
    path = folder / "fields" / name
    for origin, key, number in _pairs(folder, name):
        if not _is_merge(key) if paired else not isinstance(key, str):
            raise CheckpointError(
                f"{origin} numbers what is not {_MERGE if paired else _PIECE}, as {name} should be."
            )
        if not isinstance(number, int) or number < 0:
            raise CheckpointError(
                f"{origin} numbers {_shown(key)} with what is no whole number from 0."
            )
        if number in by_number:
            raise CheckpointError(
                f"{path} gives the number {number} to {_shown(by_number[number])} and to {_shown(key)}; expected "
                f"distinct numbers. The model was saved from broken files; save it again."
            )
        by_number[number] = key  # type: ignore[assignment]
    if not by_number:
        raise CheckpointError(
            f"{path} is empty; expected at least one entry. Copy or download the model again."
        )
    missing = next((number for number in range(len(by_number)) if number not in by_number), None)
    if missing is not None:
        raise CheckpointError(
            f"{path} numbers {len(by_number):,} entries up to {max(by_number):,}, and none with {missing:,}; expected "
            f"numbers without gaps. A part of it may be missing (found {list_folder(path)}), or a line came twice in the "
            f"file that it was made from."
        )
    return [by_number[number] for number in range(len(by_number))]


def _is_merge(key: java_stream.Value) -> bool:
    return isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, str) for part in key)


def _shown(key: object) -> str:
    """Never the repr of what a stream has built: shared parts of it could make that endless."""
    return repr(key)[:80] if isinstance(key, str) or _is_merge(key) else "an object"  # type: ignore[arg-type]


def _pairs(folder: Path, name: str) -> list[tuple[Path, java_stream.Value, java_stream.Value]]:
    path = folder / "fields" / name
    if not path.is_dir():
        held = (
            list_folder(folder / "fields")
            if (folder / "fields").is_dir()
            else "no folder of fields"
        )
        raise CheckpointError(
            f"{folder} has no field {name!r}: found {held}. Expected fields/{name} with its parts, as Spark NLP saves "
            f"it; copy or download the model again."
        )
    parts = sorted(part for part in path.iterdir() if part.name.startswith("part-"))
    if not parts:
        raise CheckpointError(
            f"{path} holds {list_folder(path)}; expected files part-00000 and so on."
        )
    if any(part.suffix == ".parquet" for part in parts):
        raise CheckpointError(
            f"{path} holds Parquet files: Spark NLP wrote it with performance.serialization=dataset, in a format of "
            f"its own classes (Kryo). Expected serialization 'object', its default; save the model again with that."
        )
    if (size := sum(part.stat().st_size for part in parts)) > _MOST_BYTES:
        raise CheckpointError(
            f"{path} takes {size:,} bytes; expected a vocabulary, at most {_MOST_BYTES:,}."
        )
    found = []
    for part in parts:
        for record in sequence_file.values(part.read_bytes(), origin=part):
            entries = java_stream.read_object(record, origin=part)
            if not isinstance(entries, list):
                raise CheckpointError(
                    f"{part} holds a record that is no array; expected one of tuples."
                )
            for entry in entries:
                if not isinstance(entry, tuple) or len(entry) != 2:
                    raise CheckpointError(
                        f"{part} holds an array of what are no pairs; expected tuples of two."
                    )
                found.append((part, *entry))
    return found
