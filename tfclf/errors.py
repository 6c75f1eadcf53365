"""Every error that tfclf raises on purpose.

    TfclfError
    ├── InputError            text or an option that the call does not take (also a ValueError)
    ├── SourceError           what was to be loaded cannot be
    │   ├── SourceNotFoundError     nothing of that name
    │   ├── DownloadError           what cannot be fetched, or came other than announced
    │   ├── CheckpointError         a checkpoint whose files are missing, broken or disagree
    │   ├── UnknownFamilyError      a model_type that no family declares
    │   ├── CardError               a file of tfclf/catalog/cards that is no model card
    │   └── SavedModelError         a folder that holds no export of ours, or a broken one
    ├── TokenizerError        a tokenizer that cannot be compiled exactly
    │   ├── UnknownComponentError   a part that the compiler does not know
    │   └── VocabularyError         a vocabulary with duplicate, missing or special tokens out of place
    ├── DataError             rows to train on or to evaluate that cannot be read
    ├── ExportError           an export that cannot be written or would not run where it should
    ├── ServerError           a server that cannot start or go on
    ├── ClientError           a server that refuses a request, or does not answer it; `code` says how
    └── MissingExtraError     an optional dependency that is not installed (also an ImportError)

A message says what was found, where, what was expected and what to do next. On the command line each of
them ends the program with exit code 2 and no traceback.
"""


class TfclfError(Exception):
    """The root of the tree in this module's docstring."""


class InputError(TfclfError, ValueError):
    """Text, or an option, of a kind or value that the call does not take."""


class SourceError(TfclfError):
    """What was to be loaded cannot be."""


class SourceNotFoundError(SourceError):
    """Nothing answers to that name: no folder, no card, no hub id."""


class DownloadError(SourceError):
    """What cannot be fetched: refused, cut short, other than announced; or a cache that cannot be written."""


class CheckpointError(SourceError):
    """A checkpoint whose files are missing, broken or disagree with one another."""


class UnknownFamilyError(SourceError):
    """A `model_type` that no family declares."""


class CardError(SourceError):
    """A file of `tfclf/catalog/cards` that is no model card."""


class SavedModelError(SourceError):
    """A folder that holds no export of ours, or a broken one."""


class TokenizerError(TfclfError):
    """A tokenizer that cannot be compiled exactly."""


class UnknownComponentError(TokenizerError):
    """A part of a tokenizer that the compiler does not know; it never approximates."""


class VocabularyError(TokenizerError):
    """A vocabulary with duplicate tokens, or whose special tokens are missing or out of place."""


class DataError(TfclfError):
    """Rows to train on, to evaluate or to predict that cannot be read."""


class ExportError(TfclfError):
    """An export that cannot be written, or that would not run where it should."""


class ServerError(TfclfError):
    """A server that cannot start, or cannot go on."""


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
            f"{package} is not installed, and {purpose} needs it. Install it with: pip install 'tfclf[{extra}]'"
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
