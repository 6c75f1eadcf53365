"""A split laid out as in the aclImdb archive: a folder per label, a file per text."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tfclf.data.data_sets import DataSet
from tfclf.data.layout import Row
from tfclf.data.lines import decode, not_utf8
from tfclf.errors import DataError
from tfclf.files import list_folder


def find_class_folders(folder: Path, data_set: DataSet) -> Mapping[str, Path]:
    """Return the folder of each label, in the order of the labels; {} if `folder` has no folders.

    Raises: DataError if the folder of a label is missing or empty, or a folder is of no label.
    """
    ignored = {name.lower() for name in data_set.ignored_folders}
    entries = [
        path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")
    ]
    expected = f"for each of {', '.join(data_set.labels)}, with one text per file (.txt)"
    by_label: dict[str, Path] = {}
    for path in entries:
        if path.name.lower() in ignored:
            continue
        label = data_set.label_named(path.name)
        if label is None or label in by_label:
            problem = f"is no label of {data_set.title}"
            if label is not None:
                problem = f"is another folder of {label}"
            raise DataError(
                f"{path} {problem}. Expected one folder {expected}. Is it the right data set?"
            )
        by_label[label] = path
    missing = [label for label in data_set.labels if label not in by_label]
    if missing and entries:
        raise DataError(
            f"{folder} lacks the class folder {', '.join(missing)}: found {list_folder(folder)}. "
            f"Expected a folder {expected}. Unpack {data_set.title} again."
        )
    for label, path in by_label.items():
        if next(_find_texts(path), None) is None:
            raise DataError(
                f"{path} holds {list_folder(path)}; expected the texts of the label {label}, "
                f"one per file (.txt). Unpack {data_set.title} again."
            )
    return {label: by_label[label] for label in data_set.labels if label in by_label}


def read_class_folders(folders: Mapping[str, Path]) -> Iterator[Row]:
    """Read the texts of each label, sorted by file name to get the same order on every machine."""
    for label, folder in folders.items():
        for path in sorted(_find_texts(folder)):
            yield Row(_read_text(path), label)


def _find_texts(folder: Path) -> Iterator[Path]:
    # macOS leaves files such as "._0_9.txt" beside those of an archive.
    return (path for path in folder.glob("*.txt") if not path.name.startswith("."))


def _read_text(path: Path) -> str:
    try:
        return decode(path.read_bytes())
    except UnicodeDecodeError as error:
        raise not_utf8(error, str(path)) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
