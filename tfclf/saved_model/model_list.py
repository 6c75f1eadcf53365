"""Names that the embedded server sends beside its answers: an extension of ours.

They are trailing metadata over gRPC and headers over REST; TF Serving's own messages have no place
for them and stay as they are.

| key | beside | names |
|-|-|-|
| `tfclf-models` | NOT_FOUND | the models that the server has |
| `tfclf-labels` | GetModelMetadata of an export | its labels, in the order of the probabilities |
"""

from collections.abc import Iterable
from urllib.parse import quote, unquote

MODELS = "tfclf-models"
LABELS = "tfclf-labels"
_MOST_CHARACTERS = 4_000  # gRPC takes 8 KiB of metadata


def encode_names(names: Iterable[str]) -> str:
    """Encode names as ASCII; "" if there are too many for a header.

    >>> encode_names(["news", "café, bar"])
    'news,caf%C3%A9%2C%20bar'
    """
    text = ",".join(quote(name, safe="") for name in names)
    return text if len(text) <= _MOST_CHARACTERS else ""


def decode_names(text: str | bytes | None) -> tuple[str, ...]:
    """Decode what `encode_names` wrote; empty if there is nothing.

    >>> decode_names("news,caf%C3%A9%2C%20bar"), decode_names(None)
    (('news', 'café, bar'), ())
    """
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    return tuple(unquote(name) for name in (text or "").split(",") if name)
