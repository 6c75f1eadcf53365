"""The parts of SentencePiece tokenizers in tokenizer.json: Precompiled and its company, Metaspace, Unigram."""

import base64
import binascii
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from tfclf.errors import UnknownComponentError, VocabularyError
from tfclf.tokenization.normalizers import charsmap
from tfclf.tokenization.read.parts import Part, kind_of, unknown
from tfclf.tokenization.spec import (
    EachCharacter,
    Metaspace,
    Precompiled,
    Replace,
    ReplaceSpaces,
    Step,
    Strip,
    UnigramWords,
)

_SPACES = " {2,}"
# Canonical order makes what they do to one mark depend on the next, unless the marks go.
_DECOMPOSING = ("NFD", "NFKD")
_STRIP_ACCENTS = "StripAccents"
# With worse scores than that, two unknown characters cost more than any piece made of both.
_HIGHEST_WORST_SCORE = 10.0


def precompiled(part: Part, path: Path) -> tuple[Precompiled]:
    """Precompiled."""
    try:
        rules = base64.b64decode(part["precompiled_charsmap"], validate=True)
        charsmap.rules(rules)
    except (binascii.Error, KeyError, TypeError) as error:
        raise unknown(
            "precompiled_charsmap of the normalizer", str(error), ["base64"], path
        ) from error
    except UnknownComponentError as error:
        raise UnknownComponentError(f"{path}: {error}") from error
    return (Precompiled(rules),)


def strip(part: Part, _: Path) -> tuple[Strip]:
    """Strip."""
    return (Strip(left=part["strip_left"], right=part["strip_right"]),)


def replacement(part: Part, path: Path) -> tuple[Replace | ReplaceSpaces]:
    """Replace, of a string, or of SentencePiece's two spaces or more."""
    pattern = part.get("pattern")
    match pattern:
        case {"String": str(text)} if text:
            return (Replace(text, part["content"]),)
        # With a dollar sign the reference would look for groups.
        case {"Regex": text} if text == _SPACES and "$" not in part["content"]:
            return (ReplaceSpaces(part["content"]),)
    known = ["a string", f"the regular expression {_SPACES!r}"]
    raise unknown("pattern of the normalizer Replace", pattern, known, path)


def each_character(part: Part, _: Path) -> tuple[EachCharacter]:
    """NFD, NFKD, StripAccents, Lowercase: one step each; `joined` puts neighbours together."""
    return (EachCharacter((str(part["type"]),)),)


def joined(steps: Sequence[Step], path: Path) -> tuple[Step, ...]:
    """Neighbouring steps on single characters as one. Raises: UnknownComponentError for a decomposition alone."""
    result: list[Step] = []
    for each, group in groupby(
        steps, key=lambda step: isinstance(step, EachCharacter) and step.library
    ):
        if each != "tokenizers":
            result += group
            continue
        names = tuple(
            name for step in group if isinstance(step, EachCharacter) for name in step.steps
        )
        for place, name in enumerate(names):
            if name in _DECOMPOSING and _STRIP_ACCENTS not in names[place:]:
                raise unknown("normalizer", name, [f"{name} and {_STRIP_ACCENTS} after it"], path)
        result.append(EachCharacter(names))
    return tuple(result)


def splitter(part: Part, path: Path) -> Metaspace:
    """Metaspace."""
    scheme = part.get("prepend_scheme") or (
        "always" if part.get("add_prefix_space", True) else "never"
    )
    if scheme not in ("always", "never"):
        raise unknown(
            "prepend_scheme of the pre_tokenizer Metaspace", scheme, ["always", "never"], path
        )
    if part.get("split") is False:
        raise unknown("option split of the pre_tokenizer Metaspace", False, ["true"], path)
    return Metaspace(mark=part.get("replacement", "\u2581"), prefix=scheme == "always")


def splitters(part: Part, path: Path) -> Metaspace:
    """Sequence of Metaspace alone, or behind WhitespaceSplit."""
    parts = part.get("pretokenizers", [])
    kinds = [kind_of(each) for each in parts]
    if kinds not in (["Metaspace"], ["WhitespaceSplit", "Metaspace"]):
        known = ["['Metaspace']", "['WhitespaceSplit', 'Metaspace']"]
        raise unknown("pre_tokenizer Sequence", kinds, known, path)
    found = splitter(parts[-1], path)
    if len(kinds) == 2 and not found.prefix:
        raise unknown(
            "prepend_scheme of the pre_tokenizer Metaspace",
            "never",
            ["always behind WhitespaceSplit"],
            path,
        )
    return replace(found, at_white_space=len(kinds) == 2)


def model(part: Part, path: Path) -> UnigramWords:
    """Unigram."""
    if part.get("byte_fallback"):
        raise unknown("option byte_fallback of the model Unigram", True, ["false"], path)
    pieces = tuple((str(piece), float(score)) for piece, score in part["vocab"])
    unknown_id = part.get("unk_id")
    if not isinstance(unknown_id, int) or not 0 <= unknown_id < len(pieces):
        raise VocabularyError(
            f"{path}: the model's unk_id is {unknown_id!r}; expected an id of one of its {len(pieces)} pieces. Without "
            f"one the reference fails at the first unknown character."
        )
    for piece, count in Counter(piece for piece, _ in pieces).most_common(1):
        if count > 1 or not all(piece for piece, _ in pieces):
            found = repr(piece) + " twice" if count > 1 else "an empty piece"
            raise VocabularyError(
                f"{path}: the vocabulary has {found}; expected distinct pieces, one for each embedding. Take the file "
                f"that the checkpoint was trained with."
            )
    worst = min(score for _, score in pieces)
    if not all(math.isfinite(score) for _, score in pieces) or worst > _HIGHEST_WORST_SCORE:
        raise VocabularyError(
            f"{path}: the lowest score in the vocabulary is {worst}, or one of them is no number; expected "
            f"logarithms of probabilities."
        )
    return UnigramWords(pieces, unknown_id)
