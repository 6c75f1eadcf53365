"""A Spark NLP model as files: found in a folder or a zip, and unpacked, safely, to a folder that goes again.

Nothing of a zip is written before all of its entries are known to be harmless: no name that leads out of the folder,
no link, no size that its compressed bytes could hardly stand for. What is unpacked lives in the system's temporary
folder as long as the `Files` that it belongs to, never beside the archive.
"""

import shutil
import stat
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tfclf.errors import CheckpointError
from tfclf.files import list_folder

_METADATA = "metadata/part-00000"
_BLOCK = 1 << 20
_MOST_ENTRIES = 10_000
_MOST_BYTES = 1 << 36
# Weights hardly shrink, vocabularies to a quarter. An archive of all zeros grows a thousandfold.
_MOST_GROWTH = 100
_SMALL = 1 << 26
_DEFLATED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


class Files:
    """Where a model's files are.

    Attributes:
      source: the zip or the folder, as given.
      model: the folder with `metadata` in it.
      work: a new folder for what is unpacked and made of it; removed with this object, at the latest when the
        program ends.
    """

    def __init__(self, source: Path) -> None:
        self.source = source
        self.work = Path(tempfile.mkdtemp(prefix="tfclf-spark-nlp-"))
        # Not TemporaryDirectory: that one warns where it is let go instead of closed.
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.work, ignore_errors=True)
        self.model = source

    def told(self, message: str) -> str:
        """A message with the archive's own name where it has that of a folder which is gone when it is read."""
        for name in ("archive", "weights", "checkpoint"):
            message = message.replace(str(self.work / name), str(self.source))
        return message

    def close(self) -> None:
        """Removes `work` at once."""
        self._finalizer()


def is_model(path: Path) -> bool:
    """Whether it is a Spark NLP model's folder, or that around it, or looks like the zip of one."""
    if path.is_dir():
        # A Hugging Face checkpoint may well have what was made of it in a folder of its own.
        return not (path / "config.json").is_file() and _root_of(path) is not None
    if not path.is_file():
        return False
    if path.suffix.lower() == ".zip":
        return True
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return _root_in(archive.namelist()) is not None
    except (zipfile.BadZipFile, OSError):
        return False


def open_files(source: Path) -> Files:
    """The files of a model, unpacked where it is a zip. Raises: CheckpointError; nothing unpacked is left then."""
    files = Files(source)
    try:
        if source.is_dir():
            root = _root_of(source)
        else:
            unpack(source, files.work / "archive", name=source)
            root = _root_of(files.work / "archive")
        if root is None:
            raise CheckpointError(
                f"{source} is no Spark NLP model: it has no {_METADATA}, neither at its top nor one folder below. "
                f"Expected what `save` of a Spark NLP annotator writes: metadata, fields and a "
                f"*_classification_tensorflow file."
            )
    except BaseException:
        files.close()
        raise
    files.model = root
    return files


def _root_of(folder: Path) -> Path | None:
    if (folder / _METADATA).is_file():
        return folder
    below = [entry for entry in sorted(folder.iterdir()) if (entry / _METADATA).is_file()]
    return below[0] if len(below) == 1 else None


def _root_in(names: list[str]) -> str | None:
    found = [name for name in names if name == _METADATA or name.partition("/")[2] == _METADATA]
    return found[0] if len(found) == 1 else None


def unpack(path: Path, folder: Path, *, name: object) -> None:
    """All of a zip into a new folder, but for Hadoop's checksums, which the zip's own make needless.

    Args:
      name: how errors name the zip.
    Raises: CheckpointError, before anything is written where an entry is not to be trusted.
    """
    with _telling(path, name), zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        _check(entries, path.stat().st_size, name)
        _check_room(sum(entry.file_size for entry in entries), folder.parent, name)
        folder.mkdir(parents=True)
        for entry in entries:
            target = folder.joinpath(*PurePosixPath(entry.filename).parts)
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            elif not target.name.endswith(".crc"):
                target.parent.mkdir(parents=True, exist_ok=True)
                # Never more than the entry's stated size, which has been checked; the end checks its CRC.
                with archive.open(entry) as packed, target.open("xb") as file:
                    shutil.copyfileobj(packed, file, _BLOCK)


@contextmanager
def _telling(path: Path, name: object) -> Iterator[None]:
    try:
        yield
    # RuntimeError and NotImplementedError: what zipfile makes of encryption and of compression that it lacks.
    except (zipfile.BadZipFile, EOFError, ValueError, RuntimeError, zlib.error) as error:
        size = path.stat().st_size if path.is_file() else 0
        raise CheckpointError(
            f"{name} ({size:,} bytes) is no zip that can be read: {error or type(error).__name__}. Expected the zip "
            f"of a Spark NLP model; it may be cut short, so download it again."
        ) from error
    except OSError as error:
        raise CheckpointError(
            f"{name} cannot be unpacked: {error.strerror or error}. Free some space in {tempfile.gettempdir()}, or "
            f"set TMPDIR to another folder; where two of its entries are of one name, download it again."
        ) from error


def _check(entries: list[zipfile.ZipInfo], packed: int, name: object) -> None:
    if len(entries) > _MOST_ENTRIES:
        raise CheckpointError(
            f"{name} has {len(entries):,} entries; expected a model, at most {_MOST_ENTRIES:,}."
        )
    seen: set[str] = set()
    for entry in entries:
        reason = _wrong(entry) or ("its name comes twice" if entry.filename in seen else None)
        if reason:
            raise CheckpointError(
                f"{name} is refused, and nothing of it was unpacked: of its entry {entry.filename[:200]!r} {reason}. "
                f"Expected plain files below one folder, as Spark NLP's archives have them; get it from a source that "
                f"you trust."
            )
        seen.add(entry.filename)
    total = sum(entry.file_size for entry in entries)
    if total > _MOST_BYTES or total > max(_SMALL, _MOST_GROWTH * packed):
        raise CheckpointError(
            f"{name} is refused, and nothing of it was unpacked: its {packed:,} bytes would grow to {total:,}. "
            f"Expected at most {_MOST_GROWTH} times as many, and no more than {_MOST_BYTES:,}: it is a zip bomb, or "
            f"it is damaged."
        )


def _wrong(entry: zipfile.ZipInfo) -> str | None:
    """What must not be, of one entry."""
    name = entry.orig_filename
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name or not name:
        return "the path leads out of the folder that it is unpacked to"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "the kind is a link or a device"
    if entry.flag_bits & _ENCRYPTED:
        return "the content is encrypted"
    if entry.compress_type not in _DEFLATED:
        return f"the compression is of method {entry.compress_type}, where only deflate is read"
    return None


def _check_room(total: int, folder: Path, name: object) -> None:
    free = shutil.disk_usage(folder).free
    if total > free:
        raise CheckpointError(
            f"{name} takes {total:,} bytes unpacked, and {tempfile.gettempdir()} has {free:,} left. Free some space "
            f"there, or set TMPDIR to a folder that has it."
        )


def weights_file(files: Files) -> Path:
    """The file that holds graph and weights. Raises: CheckpointError for another engine's, or none."""
    names = sorted(entry.name for entry in files.model.iterdir() if not entry.name.startswith("."))
    found = [name for name in names if name.endswith("_classification_tensorflow")]
    for engine in () if found else ("onnx", "openvino"):
        if any(name.lower().endswith((f"_{engine}", f".{engine}")) for name in names):
            raise CheckpointError(
                f"{files.source} holds its weights for {engine.upper()} (found {list_folder(files.model)}), which cannot "
                f"be read here. Expected a *_classification_tensorflow file: take an archive that was saved with the "
                f"engine tensorflow, or load the Hugging Face checkpoint that it was made from."
            )
    if len(found) != 1:
        raise CheckpointError(
            f"{files.source} holds {', '.join(found) or 'no *_classification_tensorflow file'}: found "
            f"{list_folder(files.model)}. Expected one such file, which has the weights; copy or download it again."
        )
    return files.model / found[0]


def unpack_weights(files: Files) -> Path:
    """The folder with saved_model.pb and the variables' files. Raises: CheckpointError."""
    packed = weights_file(files)
    name = f"{packed.name} in {files.source}"
    folder = packed if packed.is_dir() else files.work / "weights"
    if not packed.is_dir():
        unpack(packed, folder, name=name)
        if files.work in packed.parents:
            packed.unlink()  # as large as what came out of it
    for needed in ("saved_model.pb", "variables.index"):
        if not (folder / needed).is_file():
            raise CheckpointError(
                f"{name} has no {needed}: found {list_folder(folder)}. Expected saved_model.pb, variables.index and "
                f"variables.data-*, as Spark NLP saves them; copy or download it again."
            )
    return folder
