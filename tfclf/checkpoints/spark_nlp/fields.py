"""The fields of a Spark NLP model: `fields/NAME/part-*`, SequenceFiles of arrays of tuples."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tfclf.checkpoints.spark_nlp import java_stream, sequence_file
from tfclf.checkpoints.spark_nlp.archive import NamedPath
from tfclf.errors import CheckpointError
from tfclf.files import list_folder

# A vocabulary of 250,000 pieces and its numbers take 10 MB.
_MOST_BYTES = 1 << 29
_MOST_SHOWN = 80  # characters of a key in an error
Merge = tuple[str, str]


def read_pieces(folder: NamedPath, name: str) -> tuple[str, ...]:
    """Read a field that numbers strings (labels, a vocabulary), in the order of the numbers.

    Raises: CheckpointError if it is missing or broken, or its numbers have gaps.
    """
    return tuple(key for key in _read_numbered(folder, name) if isinstance(key, str))


def read_merges(folder: NamedPath) -> tuple[Merge, ...]:
    """Read the pairs that BPE merges, in the order of training. Raises: CheckpointError."""
    keys = _read_numbered(folder, "merges", in_pairs=True)
    merges = [key for key in keys if isinstance(key, tuple)]
    # Spark NLP reads the version line of merges.txt as the first merge.
    return tuple(merges[1:] if merges and merges[0][0].startswith("#version") else merges)


def read_strings(folder: NamedPath, name: str) -> Mapping[str, str]:
    """Read a field of strings by strings. Raises: CheckpointError."""
    strings: dict[str, str] = {}
    for origin, key, value in _read_entries(folder, name):
        if not isinstance(key, str) or not isinstance(value, str):
            raise CheckpointError(
                f"{origin} holds an entry that is not two strings; expected a name and a text."
            )
        strings[key] = value
    return strings


def _read_numbered(folder: NamedPath, name: str, *, in_pairs: bool = False) -> list[str | Merge]:
    by_number: dict[int, str | Merge] = {}
    path = folder / "fields" / name
    for origin, key, number in _read_entries(folder, name):
        if not (_is_merge(key) if in_pairs else isinstance(key, str)):
            raise CheckpointError(
                f"{origin} numbers {_describe(key)}; expected "
                f"{'two strings' if in_pairs else 'a string'} in the field {name}."
            )
        if not isinstance(number, int) or number < 0:
            raise CheckpointError(
                f"{origin} does not number {_describe(key)} with a whole number from 0."
            )
        if number in by_number:
            raise CheckpointError(
                f"{path} gives the number {number} to {_describe(by_number[number])} and to "
                f"{_describe(key)}; expected distinct numbers. The model was saved from broken "
                f"files; save it again."
            )
        by_number[number] = key  # type: ignore[assignment]
    if not by_number:
        raise CheckpointError(
            f"{path} is empty; expected at least one entry. Copy or download the model again."
        )
    missing = next((number for number in range(len(by_number)) if number not in by_number), None)
    if missing is not None:
        raise CheckpointError(
            f"{path} numbers {len(by_number):,} entries up to {max(by_number):,}, and none with "
            f"{missing:,}; expected numbers without gaps. A part of it may be missing (found "
            f"{list_folder(path.path)}), or the file that it was made from had a line twice."
        )
    return [by_number[number] for number in range(len(by_number))]


def _is_merge(key: object) -> bool:
    return isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, str) for part in key)


def _describe(key: object) -> str:
    """Describe a key. The repr of other objects could be endless: a stream may share parts."""
    is_plain = isinstance(key, str) or _is_merge(key)
    return repr(key)[:_MOST_SHOWN] if is_plain else "an object"


def _find_parts(folder: NamedPath, name: str) -> list[Path]:
    path = folder / "fields" / name
    if not path.path.is_dir():
        fields = path.path.parent
        found = list_folder(fields) if fields.is_dir() else "no folder of fields"
        raise CheckpointError(
            f"{folder} has no field {name!r}: found {found}. Expected fields/{name} with its "
            f"parts, as Spark NLP saves it; copy or download the model again."
        )
    parts = sorted(part for part in path.path.iterdir() if part.name.startswith("part-"))
    if not parts:
        raise CheckpointError(
            f"{path} holds {list_folder(path.path)}; expected files part-00000 and so on."
        )
    if any(part.suffix == ".parquet" for part in parts):
        raise CheckpointError(
            f"{path} holds Parquet files: Spark NLP wrote it with "
            f"performance.serialization=dataset, in a format of its own classes (Kryo). Expected "
            f"serialization 'object', its default; save the model again with that."
        )
    if (size := sum(part.stat().st_size for part in parts)) > _MOST_BYTES:
        raise CheckpointError(
            f"{path} takes {size:,} bytes; expected a vocabulary, at most {_MOST_BYTES:,}."
        )
    return parts


def _read_entries(
    folder: NamedPath, name: str
) -> Iterator[tuple[NamedPath, java_stream.Value, java_stream.Value]]:
    """Yield (file, key, value) of every entry. Raises: CheckpointError."""
    for part in _find_parts(folder, name):
        origin = folder / "fields" / name / part.name
        for record in sequence_file.read_values(part.read_bytes(), origin=origin):
            entries = java_stream.read_object(record, origin=origin)
            if not isinstance(entries, list):
                raise CheckpointError(
                    f"{origin} holds a record that is no array; expected an array of tuples."
                )
            for entry in entries:
                if not isinstance(entry, tuple) or len(entry) != 2:
                    raise CheckpointError(
                        f"{origin} holds an array with an entry that is no pair; expected tuples "
                        f"of two."
                    )
                yield origin, *entry
