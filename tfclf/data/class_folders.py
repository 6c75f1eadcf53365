"""A split as the aclImdb archive has it: a folder a label, a file a text."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tfclf.data.data_sets import DataSet
from tfclf.data.layout import Row
from tfclf.errors import DataError
from tfclf.files import list_folder


def class_folders(folder: Path, data_set: DataSet) -> Mapping[str, Path]:
    """Label -> its folder, in the order of the labels; {} where `folder` has no folders in it.

    Raises: DataError where a label's folder is missing or empty, or one is of no label.
    """
    ignored = {name.lower() for name in data_set.ignored_folders}
    entries = [
        path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")
    ]
    found: dict[str, Path] = {}
    for path in entries:
        if path.name.lower() in ignored:
            continue
        label = data_set.label_named(path.name)
        if label is None or label in found:
            reason = (
                f"is another folder of {label}" if label else f"is no label of {data_set.title}"
            )
            raise DataError(
                f"{path} {reason}. Expected one folder for each of {', '.join(data_set.labels)}, with a text a file "
                f"(.txt). Is it the right data set?"
            )
        found[label] = path
    missing = [label for label in data_set.labels if label not in found]
    if missing and entries:
        raise DataError(
            f"{folder} lacks the class folder {', '.join(missing)}: found {list_folder(folder)}. Expected a folder for "
            f"each of {', '.join(data_set.labels)}, with a text a file (.txt). Unpack {data_set.title} again."
        )
    for label, path in found.items():
        if next(_texts_in(path), None) is None:
            raise DataError(
                f"{path} holds {list_folder(path)}; expected the texts of the label {label}, one a file (.txt). "
                f"Unpack {data_set.title} again."
            )
    return {label: found[label] for label in data_set.labels if label in found}


def class_folder_rows(folders: Mapping[str, Path]) -> Iterator[Row]:
    """The texts of each label, by the names of their files, so that their order is the same on every machine."""
    for label, folder in folders.items():
        for path in sorted(_texts_in(folder)):
            yield Row(_text(path), label)


def _texts_in(folder: Path) -> Iterator[Path]:
    # "._0_9.txt" is what macOS leaves beside the files of an archive.
    return (path for path in folder.glob("*.txt") if not path.name.startswith("."))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: byte {error.start + 1}, 0x{error.object[error.start]:02x}, is not UTF-8. Expected a text in "
            f"UTF-8; convert it, for instance with: iconv -f LATIN1 -t UTF-8"
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
