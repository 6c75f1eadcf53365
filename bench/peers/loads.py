"""The loads: one text a call, of natural and of fixed lengths, and bulk in two orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.cases import CASES, Case

# With the usual 0.02 all texts get nearly the same logits, and a wrong attention mask hardly shows.
_SIZES = {"initializer_range": 0.04}


@dataclass(frozen=True)
class Load:
    """Texts, and how they are given.

    Attributes:
      single: one text a call, and each call is timed; otherwise all texts are given at once.
    """

    key: str
    name: str
    texts: tuple[str, ...]
    single: bool


@dataclass(frozen=True)
class PeerCase:
    """A checkpoint's sizes and texts.

    Attributes:
      bulk: texts of a bulk load.
      single: texts given one by one at their natural length.
      lengths: texts given one by one, by number of tokens.
      calibration: texts for post-training quantization.
      together: contenders that memory holds at the same time.
      sizes: values of config.json beside those of `case`.
    """

    key: str
    case: Case
    bulk: int
    single: int
    lengths: Mapping[int, int]
    calibration: int
    together: int
    sizes: Mapping[str, Any] = field(default_factory=lambda: _SIZES)


_BY_TYPE = {case.model_type: case for case in CASES}
PEER_CASES = (
    PeerCase(
        "distilbert",
        _BY_TYPE["distilbert"],
        bulk=128,
        single=32,
        lengths={16: 24, 50: 16, 128: 8, 512: 4},
        calibration=200,
        together=10,
    ),
    PeerCase(
        "xlm-roberta",
        _BY_TYPE["xlm-roberta"],
        bulk=64,
        single=16,
        lengths={},
        calibration=200,
        together=5,
    ),
)


def make_loads(case: PeerCase, rows: Sequence[str], tokenizer: Any) -> list[Load]:
    """Return the loads of a case.

    Args:
      rows: at least as many texts as the case needs, in file order.
      tokenizer: a fast tokenizer of transformers.
    """
    bulk = rows[: case.bulk]
    tokens = [len(ids) for ids in tokenizer(list(bulk))["input_ids"]]
    by_length = [text for _, text in sorted(zip(tokens, bulk, strict=True))]
    fixed = [
        Load(
            f"single_{length}",
            f"one text of {length} tokens",
            tuple(make_texts(rows, tokenizer, length=length, count=count)),
            single=True,
        )
        for length, count in case.lengths.items()
    ]
    return [
        Load("single", "one text a call", tuple(rows[: case.single]), single=True),
        *fixed,
        Load("file_order", "file order", tuple(bulk), single=False),
        Load("sorted", "sorted by length", tuple(by_length), single=False),
    ]


def make_texts(rows: Sequence[str], tokenizer: Any, *, length: int, count: int) -> list[str]:
    """Return texts of exactly `length` tokens, special tokens included.

    Each is the beginning of a run of rows, cut where a token ends.

    Raises: ValueError if the rows do not suffice.
    """
    made: list[str] = []
    for start in range(len(rows)):
        joined = ""
        for row in rows[start:]:
            joined = f"{joined} {row}".strip()
            encoded = tokenizer(joined, add_special_tokens=False, return_offsets_mapping=True)
            if len(encoded["input_ids"]) >= length:
                break
        inner = length - tokenizer.num_special_tokens_to_add()
        ends = [end for _, end in encoded["offset_mapping"]]
        text = joined[: ends[inner - 1]] if len(ends) >= inner else ""
        if len(tokenizer(text)["input_ids"]) == length:
            made.append(text)
        if len(made) == count:
            return made
    raise ValueError(f"{len(rows)} rows give {len(made)} texts of {length} tokens, not {count}")
