"""The parts of SentencePiece tokenizers in tokenizer.json: normalizers, Metaspace, Unigram."""

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
from tfclf.tokenization.read.parts import Part, unknown_part
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
# Canonical reordering makes their result for one mark depend on the next, unless all marks go.
_DECOMPOSING = ("NFD", "NFKD")
_STRIP_ACCENTS = "StripAccents"
# If the worst score is at most this, two unknown characters cost more than any piece of both.
_HIGHEST_WORST_SCORE = 10.0


def precompiled(part: Part, path: Path) -> tuple[Precompiled]:
    """Read Precompiled. Raises: UnknownComponentError."""
    try:
        rules = base64.b64decode(part["precompiled_charsmap"], validate=True)
        charsmap.read_rules(rules)
    except (binascii.Error, KeyError, TypeError) as error:
        raise unknown_part(
            "precompiled_charsmap of the normalizer", str(error), ["base64"], path
        ) from error
    except UnknownComponentError as error:
        raise UnknownComponentError(f"{path}: {error}") from error
    return (Precompiled(rules),)


def strip(part: Part, _: Path) -> tuple[Strip]:
    """Read Strip."""
    return (Strip(left=part["strip_left"], right=part["strip_right"]),)


def replacement(part: Part, path: Path) -> tuple[Replace | ReplaceSpaces]:
    """Read Replace of a string, or of SentencePiece's two spaces or more.

    Raises: UnknownComponentError.
    """
    pattern = part.get("pattern")
    match pattern:
        case {"String": str(text)} if text:
            return (Replace(text, part["content"]),)
        # The reference takes a dollar sign in the content for a group.
        case {"Regex": text} if text == _SPACES and "$" not in part["content"]:
            return (ReplaceSpaces(part["content"]),)
    known = ["a string", f"the regular expression {_SPACES!r}"]
    raise unknown_part("pattern of the normalizer Replace", pattern, known, path)


def each_character(part: Part, _: Path) -> tuple[EachCharacter]:
    """Read NFD, NFKD, StripAccents or Lowercase, one step each; `join_steps` joins neighbours."""
    return (EachCharacter((str(part["type"]),)),)


def join_steps(steps: Sequence[Step], path: Path) -> tuple[Step, ...]:
    """Join neighbouring steps on single characters to one.

    >>> lower, strip = EachCharacter(("Lowercase",)), EachCharacter(("StripAccents",))
    >>> join_steps([EachCharacter(("NFKD",)), strip, lower, Strip()], Path("tokenizer.json"))
    (EachCharacter(steps=('NFKD', 'StripAccents', 'Lowercase'), library='tokenizers'),
     Strip(left=True, right=True))

    Raises: UnknownComponentError for a decomposition that no StripAccents follows.
    """
    result: list[Step] = []
    for library, group in groupby(
        steps, key=lambda step: isinstance(step, EachCharacter) and step.library
    ):
        if library != "tokenizers":
            result += group
            continue
        names: list[str] = []
        for step in group:
            names += step.steps if isinstance(step, EachCharacter) else ()
        for place, name in enumerate(names):
            if name in _DECOMPOSING and _STRIP_ACCENTS not in names[place:]:
                known = [f"{name} and {_STRIP_ACCENTS} after it"]
                raise unknown_part("normalizer", name, known, path)
        result.append(EachCharacter(tuple(names)))
    return tuple(result)


def splitter(part: Part, path: Path) -> Metaspace:
    """Read Metaspace. Raises: UnknownComponentError."""
    scheme = part.get("prepend_scheme") or (
        "always" if part.get("add_prefix_space", True) else "never"
    )
    if scheme not in ("always", "never"):
        raise unknown_part(
            "prepend_scheme of the pre_tokenizer Metaspace", scheme, ["always", "never"], path
        )
    if part.get("split") is False:
        raise unknown_part("option split of the pre_tokenizer Metaspace", False, ["true"], path)
    return Metaspace(mark=part.get("replacement", "\u2581"), prefix=scheme == "always")


def splitters(parts: Sequence[Part], path: Path) -> Metaspace:
    """Read a Sequence of WhitespaceSplit and Metaspace. Raises: UnknownComponentError."""
    metaspace = splitter(parts[-1], path)
    if not metaspace.prefix:
        raise unknown_part(
            "prepend_scheme of the pre_tokenizer Metaspace",
            "never",
            ["always after WhitespaceSplit"],
            path,
        )
    return replace(metaspace, at_white_space=True)


def model(part: Part, path: Path) -> UnigramWords:
    """Read Unigram. Raises: UnknownComponentError, VocabularyError."""
    if part.get("byte_fallback"):
        raise unknown_part("option byte_fallback of the model Unigram", True, ["false"], path)
    pieces = tuple((str(piece), float(score)) for piece, score in part["vocab"])
    unknown_id = part.get("unk_id")
    if not isinstance(unknown_id, int) or not 0 <= unknown_id < len(pieces):
        raise VocabularyError(
            f"{path}: the model's unk_id is {unknown_id!r}; expected an id of one of its "
            f"{len(pieces)} pieces. Without one the reference fails at the first unknown character."
        )
    for piece, count in Counter(piece for piece, _ in pieces).most_common(1):
        if count > 1 or not all(piece for piece, _ in pieces):
            found = repr(piece) + " twice" if count > 1 else "an empty piece"
            raise VocabularyError(
                f"{path}: the vocabulary has {found}; expected distinct pieces, one for each "
                f"embedding. Take the file that the checkpoint was trained with."
            )
    worst = min(score for _, score in pieces)
    if not all(math.isfinite(score) for _, score in pieces) or worst > _HIGHEST_WORST_SCORE:
        raise VocabularyError(
            f"{path}: the lowest score in the vocabulary is {worst}, or one of them is no number; "
            f"expected logarithms of probabilities."
        )
    return UnigramWords(pieces, unknown_id)
