"""Every error that tfclf raises on purpose.

    TfclfError
    ├── InputError            a text or an option that the call does not take (also a ValueError)
    ├── SourceError           a model that cannot be loaded
    │   ├── SourceNotFoundError     no folder, card or hub id has that name
    │   ├── DownloadError           a download that failed, or differs from what was announced
    │   ├── CheckpointError         a checkpoint whose files are missing, broken or disagree
    │   ├── UnknownFamilyError      a model_type that no family declares
    │   ├── CardError               a TOML file that is not a model card
    │   └── SavedModelError         a folder without an export of tfclf, or with a broken one
    ├── TokenizerError        a tokenizer that cannot be compiled exactly
    │   ├── UnknownComponentError   a part that the compiler does not know
    │   └── VocabularyError         a vocabulary with duplicate, missing or misplaced tokens
    ├── DataError             rows to train on or to evaluate that cannot be read
    ├── ExportError           an export that cannot be written, or would not run where it should
    ├── ServerError           a server that cannot start or continue
    ├── ClientError           a server that refuses a request or does not answer; `code` says why
    └── MissingExtraError     an optional dependency that is not installed (also an ImportError)

A message says what was found, where, what was expected and what to do next. On the command line
each of these errors ends the program with exit code 2 and without a traceback.
"""


class TfclfError(Exception):
    """The root of the tree in this module's docstring."""


class InputError(TfclfError, ValueError):
    """A text or an option of a kind or value that the call does not take."""


class SourceError(TfclfError):
    """A model that cannot be loaded."""


class SourceNotFoundError(SourceError):
    """No folder, card or hub id has that name."""


class DownloadError(SourceError):
    """A download that was refused, cut short or altered; or a cache that cannot be written."""


class CheckpointError(SourceError):
    """A checkpoint whose files are missing, broken or disagree with one another."""


class UnknownFamilyError(SourceError):
    """A `model_type` that no family declares."""


class CardError(SourceError):
    """A file in `tfclf/catalog/cards` that is not a model card."""


class SavedModelError(SourceError):
    """A folder without an export of tfclf, or with a broken one."""


class TokenizerError(TfclfError):
    """A tokenizer that cannot be compiled exactly."""


class UnknownComponentError(TokenizerError):
    """A part of a tokenizer that the compiler does not know; it never approximates."""


class VocabularyError(TokenizerError):
    """A vocabulary with duplicate tokens, or with missing or misplaced special tokens."""


class DataError(TfclfError):
    """Rows to train on, to evaluate or to predict that cannot be read."""


class ExportError(TfclfError):
    """An export that cannot be written, or that would not run where it should."""


class ServerError(TfclfError):
    """A server that cannot start or continue."""


class ClientError(TfclfError):
    """A server that refuses a request of `tfclf.Client`, or does not answer it.

    Attributes:
      code: the status by its canonical name, the same over gRPC and REST: NOT_FOUND, UNAVAILABLE,
        DEADLINE_EXCEEDED, INVALID_ARGUMENT and so on.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class MissingExtraError(TfclfError, ImportError):
    """An optional dependency that is not installed."""

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        super().__init__(
            f"{package} is not installed, and {purpose} needs it. "
            f"Install it with: pip install 'tfclf[{extra}]'"
        )


def first_line(error: BaseException, *, longest: int = 300) -> str:
    r"""Return what an error of another library says, as one line for a message of ours.

    >>> first_line(ValueError("  no such op\nstack of calls"))
    'no such op'
    >>> first_line(KeyError())
    'KeyError'
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:longest]
