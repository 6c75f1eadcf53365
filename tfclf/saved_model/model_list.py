"""Names and numbers that the embedded server sends beside its answers: an extension of ours.

They are trailing metadata over gRPC and headers over REST; TF Serving's own messages have no place
for them and stay as they are.

| key | beside | says |
|-|-|-|
| `tfclf-models` | NOT_FOUND | the models that the server has |
| `tfclf-labels` | GetModelMetadata of an export | its labels, in the order of the probabilities |
| `tfclf-thresholds` | the same, if it is calibrated | the threshold of each label, in that order |
| `tfclf-facts` | the same, and Predict | `digest_facts`: what the answers are read with |
"""

import hashlib
import json
import math
from collections.abc import Iterable
from urllib.parse import quote, unquote

MODELS = "tfclf-models"
LABELS = "tfclf-labels"
THRESHOLDS = "tfclf-thresholds"
FACTS = "tfclf-facts"
KEYS = (MODELS, LABELS, THRESHOLDS, FACTS)
_MOST_CHARACTERS = 3_500  # gRPC takes 8 KiB of metadata, and two of these lists go together


def digest_facts(*facts: object) -> str:
    """Digest the facts of an export by which a client reads its answers.

    Two exports may have one version number: after a restart, or on two servers behind one address.

    >>> digest_facts(["a", "b"], None)
    'ac8b7c94fd57c16c'

    Args:
      facts: what JSON can hold.
    """
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


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


def encode_thresholds(thresholds: Iterable[float]) -> str:
    """Encode thresholds, each exact as a float32; "" if there are too many for a header.

    >>> encode_thresholds([0.25, 0.123456789])
    '0.25,0.123456789'
    """
    text = ",".join(f"{threshold:.9g}" for threshold in thresholds)
    return text if len(text) <= _MOST_CHARACTERS else ""


def decode_thresholds(text: str | bytes | None) -> tuple[float, ...]:
    """Decode what `encode_thresholds` wrote; empty if there is nothing, or no list of thresholds.

    >>> decode_thresholds("0.25,0.123456789"), decode_thresholds("0.25,2"), decode_thresholds(None)
    ((0.25, 0.123456789), (), ())
    """
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    try:
        thresholds = tuple(float(one) for one in (text or "").split(",") if one)
    except ValueError:
        return ()
    is_good = all(math.isfinite(one) and 0 <= one <= 1 for one in thresholds)
    return thresholds if is_good else ()
