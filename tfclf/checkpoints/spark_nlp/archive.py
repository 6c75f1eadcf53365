"""A Spark NLP model as files: found in a folder or a zip, and unpacked safely.

No entry of a zip is written before all of them are known to be harmless: no name that leads out of
the folder, no link, no size that the compressed bytes could hardly hold. Unpacked files live in the
system's temporary folder, never beside the archive, and go with their `Files` object.
"""

import shutil
import stat
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tfclf.checkpoints.files import CONFIG
from tfclf.errors import CheckpointError
from tfclf.files import list_folder

_METADATA = "metadata/part-00000"
_BLOCK = 1 << 20
_MOST_ENTRIES = 10_000
_MOST_BYTES = 1 << 36
# Weights hardly compress, vocabularies to a quarter. A zip of zeros grows a thousandfold.
_MOST_GROWTH = 100
_SMALL = 1 << 26
_DEFLATED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class NamedPath:
    """A path, and the name under which errors show it.

    A file of a zip is unpacked to a temporary folder, which is gone when the error is read, and so
    is named by its place in the zip.

    >>> part = NamedPath(Path("/tmp/a1b2"), Path("model.zip")) / "fields" / "labels"
    >>> str(part), str(part.path)
    ('model.zip/fields/labels', '/tmp/a1b2/fields/labels')
    """

    path: Path
    shown: Path

    def __truediv__(self, name: str) -> "NamedPath":
        return NamedPath(self.path / name, self.shown / name)

    def __str__(self) -> str:
        return str(self.shown)


class Files:
    """The files of a model.

    Attributes:
      source: the zip or the folder, as given.
      model: the folder with `metadata` in it.
      work: a new folder for files that are unpacked, and made of those; removed with this object,
        at the latest when the program ends.
    """

    def __init__(self, source: Path) -> None:
        self.source = source
        self.work = Path(tempfile.mkdtemp(prefix="tfclf-spark-nlp-"))
        # Not TemporaryDirectory, which warns if it is collected instead of closed.
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.work, ignore_errors=True)
        self.model = NamedPath(source, source)

    def close(self) -> None:
        """Remove `work` at once."""
        self._finalizer()


def is_model(path: Path) -> bool:
    """Return whether a path is a model's folder, or the one around it, or looks like its zip."""
    if path.is_dir():
        # A Hugging Face checkpoint may hold the Spark NLP model made of it in a folder below.
        return not (path / CONFIG).is_file() and _find_root(path) is not None
    if not path.is_file():
        return False
    if path.suffix.lower() == ".zip":
        return True
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return _find_root_entry(archive.namelist()) is not None
    except (zipfile.BadZipFile, OSError):
        return False


def open_files(source: Path) -> Files:
    """Open a model; a zip is unpacked.

    Raises: CheckpointError; nothing unpacked is left then.
    """
    files = Files(source)
    try:
        folder = source
        if not source.is_dir():
            folder = files.work / "archive"
            unpack(source, folder, name=source)
        root = _find_root(folder)
        if root is None:
            raise CheckpointError(
                f"{source} is no Spark NLP model: it has no {_METADATA}, neither at its top nor "
                f"one folder below. Expected the files that `save` of a Spark NLP annotator "
                f"writes: metadata, fields and a *_classification_tensorflow file."
            )
    except BaseException:
        files.close()
        raise
    files.model = NamedPath(root, source / root.relative_to(folder))
    return files


def _find_root(folder: Path) -> Path | None:
    if (folder / _METADATA).is_file():
        return folder
    below = [entry for entry in sorted(folder.iterdir()) if (entry / _METADATA).is_file()]
    return below[0] if len(below) == 1 else None


def _find_root_entry(names: list[str]) -> str | None:
    roots = [name for name in names if _METADATA in (name, name.partition("/")[2])]
    return roots[0] if len(roots) == 1 else None


def unpack(path: Path, folder: Path, *, name: object) -> None:
    """Unpack a zip into a new folder; Hadoop's checksums are left out, since the zip has its own.

    Args:
      name: how errors name the zip.
    Raises: CheckpointError; for an entry that is not to be trusted, before anything is written.
    """
    with _explain_errors(path, name), zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        _check_entries(entries, path.stat().st_size, name)
        _check_disk_space(sum(entry.file_size for entry in entries), folder.parent, name)
        folder.mkdir(parents=True)
        for entry in entries:
            target = folder.joinpath(*PurePosixPath(entry.filename).parts)
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            elif not target.name.endswith(".crc"):
                target.parent.mkdir(parents=True, exist_ok=True)
                # zipfile stops at the entry's stated size, checked above, and compares its CRC.
                with archive.open(entry) as packed, target.open("xb") as file:
                    shutil.copyfileobj(packed, file, _BLOCK)


@contextmanager
def _explain_errors(path: Path, name: object) -> Iterator[None]:
    try:
        yield
    # zipfile raises RuntimeError for encryption, and NotImplementedError for unknown compression.
    except (zipfile.BadZipFile, EOFError, ValueError, RuntimeError, zlib.error) as error:
        size = path.stat().st_size if path.is_file() else 0
        raise CheckpointError(
            f"{name} ({size:,} bytes) is no zip that can be read: {error or type(error).__name__}. "
            f"Expected the zip of a Spark NLP model; it may be cut short, so download it again."
        ) from error
    except OSError as error:
        raise CheckpointError(
            f"{name} cannot be unpacked: {error.strerror or error}. Free some space in "
            f"{tempfile.gettempdir()}, or set TMPDIR to another folder; if two of its entries have "
            f"one name, download it again."
        ) from error


def _check_entries(entries: list[zipfile.ZipInfo], packed: int, name: object) -> None:
    if len(entries) > _MOST_ENTRIES:
        raise CheckpointError(
            f"{name} has {len(entries):,} entries; expected a model, at most {_MOST_ENTRIES:,}."
        )
    seen: set[str] = set()
    for entry in entries:
        flaw = _find_flaw(entry) or ("its name comes twice" if entry.filename in seen else None)
        if flaw:
            raise CheckpointError(
                f"{name} is refused, and nothing of it was unpacked: of its entry "
                f"{entry.filename[:200]!r} {flaw}. Expected plain files below one folder, as in "
                f"Spark NLP's archives; get it from a source that you trust."
            )
        seen.add(entry.filename)
    total = sum(entry.file_size for entry in entries)
    if total > _MOST_BYTES or total > max(_SMALL, _MOST_GROWTH * packed):
        raise CheckpointError(
            f"{name} is refused, and nothing of it was unpacked: its {packed:,} bytes would grow "
            f"to {total:,}. Expected at most {_MOST_GROWTH} times as many, and no more than "
            f"{_MOST_BYTES:,}: it is a zip bomb, or it is damaged."
        )


def _find_flaw(entry: zipfile.ZipInfo) -> str | None:
    """Return the reason to refuse an entry; None for a harmless one."""
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
        return f"the compression is of method {entry.compress_type}, and only deflate is read"
    return None


def _check_disk_space(total: int, folder: Path, name: object) -> None:
    free = shutil.disk_usage(folder).free
    if total > free:
        raise CheckpointError(
            f"{name} takes {total:,} bytes unpacked, and {tempfile.gettempdir()} has {free:,} "
            f"left. Free some space there, or set TMPDIR to a folder with enough."
        )


def _find_weights(source: Path, model: Path) -> Path:
    """Find the file that holds graph and weights.

    Raises: CheckpointError if there is none, or only another engine's.
    """
    names = sorted(entry.name for entry in model.iterdir() if not entry.name.startswith("."))
    packed = [name for name in names if name.endswith("_classification_tensorflow")]
    for engine in () if packed else ("onnx", "openvino"):
        if any(name.lower().endswith((f"_{engine}", f".{engine}")) for name in names):
            raise CheckpointError(
                f"{source} holds its weights for {engine.upper()} (found {list_folder(model)}), "
                f"which cannot be read here. Expected a *_classification_tensorflow file: take an "
                f"archive that was saved with the engine tensorflow, or load the Hugging Face "
                f"checkpoint that it was made from."
            )
    if len(packed) != 1:
        raise CheckpointError(
            f"{source} holds {', '.join(packed) or 'no *_classification_tensorflow file'}: found "
            f"{list_folder(model)}. Expected one such file, with the weights; copy or download it "
            f"again."
        )
    return model / packed[0]


def unpack_weights(files: Files, model: NamedPath) -> Path:
    """Return the folder with saved_model.pb and the variables' files, unpacked if need be.

    Args:
      model: the folder of the annotator; in a pipeline, that of its stage.
    Raises: CheckpointError.
    """
    packed = _find_weights(files.source, model.path)
    name = f"{packed.name} in {files.source}"
    folder = packed if packed.is_dir() else files.work / "weights"
    if not packed.is_dir():
        unpack(packed, folder, name=name)
        if files.work in packed.parents:
            packed.unlink()  # frees as much disk space as its content takes
    for needed in ("saved_model.pb", "variables.index"):
        if not (folder / needed).is_file():
            raise CheckpointError(
                f"{name} has no {needed}: found {list_folder(folder)}. Expected saved_model.pb, "
                f"variables.index and variables.data-*, as Spark NLP saves them; copy or download "
                f"it again."
            )
    return folder
