"""What the reference does to each single code point, asked of the reference itself.

BERT's normalizer and splitter treat every character by itself, so that a table made by asking about each
of them is exact, whatever Unicode version the reference was built with; and the export carries it along,
so that no server's ICU has a say. The one exception is canonical reordering: see `normalizers.character_table`.
"""

import functools
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tfclf._transformers import tokenizers
from tfclf.tokenization.spec import BertNormalizer, EachCharacter

_SURROGATES = range(0xD800, 0xE000)
# Stands between the characters of one question; no character becomes it, and nothing changes it. (With NFKD there is
# one that becomes the first of the two, and BERT's normalizer changes the other.)
_FENCE, _LINE = "|", "\n"
_QUESTION = 4096


def _code_points() -> Iterator[int]:
    yield from (point for point in range(0x110000) if point not in _SURROGATES)


def _ask(
    answer: Callable[[str], str], points: Iterable[int], *, fence: str = _FENCE
) -> Iterator[tuple[int, str]]:
    """(code point, what `answer` makes of that character alone) for each of them."""
    asked = [point for point in points if chr(point) != fence]
    for start in range(0, len(asked), _QUESTION):
        part = asked[start : start + _QUESTION]
        answers = answer(fence.join(map(chr, part))).split(fence)
        yield from zip(part, answers, strict=True)


def _reference_normalizer(spec: BertNormalizer | EachCharacter) -> Any:
    """The Rust normalizer itself."""
    if isinstance(spec, EachCharacter):
        package = tokenizers().normalizers
        return package.Sequence([getattr(package, step)() for step in spec.steps])
    return tokenizers().normalizers.BertNormalizer(
        clean_text=spec.clean_text,
        handle_chinese_chars=spec.handle_chinese_chars,
        strip_accents=spec.strip_accents,
        lowercase=spec.lowercase,
    )


_PYTHON_STEPS: Mapping[str, Callable[[str], str]] = {
    "Lowercase": str.lower,
    "NFKD": functools.partial(unicodedata.normalize, "NFKD"),
    "StripCombining": lambda text: "".join(
        part for part in text if not unicodedata.combining(part)
    ),
}


@functools.cache
def normalized(spec: BertNormalizer | EachCharacter) -> dict[int, str]:
    """Code point -> replacement, for every character that the reference's normalizer changes."""
    if isinstance(spec, EachCharacter) and spec.library == "python":
        return _changed_by_python(spec)
    reference = _reference_normalizer(spec)
    fence = _LINE if isinstance(spec, EachCharacter) else _FENCE
    answers = _ask(reference.normalize_str, _code_points(), fence=fence)
    return {point: answer for point, answer in answers if answer != chr(point)}


def _changed_by_python(spec: EachCharacter) -> dict[int, str]:
    changed = {}
    for point in _code_points():
        text = chr(point)
        for step in spec.steps:
            text = _PYTHON_STEPS[step](text)
        if text != chr(point):
            changed[point] = text
    return changed


@functools.cache
def splitting() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(punctuation, white space): the characters that BertPreTokenizer sets apart, and those it drops."""
    reference = tokenizers().pre_tokenizers.BertPreTokenizer()
    punctuation, space = [], []
    points = list(_code_points())
    for start in range(0, len(points), _QUESTION):
        part = points[start : start + _QUESTION]
        # "a" before and after each character: one word if it is a letter, three if punctuation, two if space.
        text = "".join(f"a{chr(point)}" for point in part) + "a"
        kept = {
            begin
            for _, (begin, end) in reference.pre_tokenize_str(text)
            if end - begin == 1 and begin % 2
        }
        covered: set[int] = set()
        for _, (begin, end) in reference.pre_tokenize_str(text):
            covered.update(range(begin, end))
        for index, point in enumerate(part):
            if 2 * index + 1 in kept:
                punctuation.append(point)
            elif 2 * index + 1 not in covered:
                space.append(point)
    return tuple(punctuation), tuple(space)


@functools.cache
def word_characters() -> tuple[int, ...]:
    """What counts as part of a word beside an added token of `single_word`."""
    package = tokenizers()
    reference = package.Tokenizer(package.models.WordLevel({"": 0}, unk_token=""))
    reference.add_tokens([package.AddedToken(_FENCE, single_word=True, normalized=False)])
    added = reference.token_to_id(_FENCE)
    found = []
    points = [point for point in _code_points() if chr(point) != _FENCE]
    for start in range(0, len(points), _QUESTION):
        part = points[start : start + _QUESTION]
        # The token is found unless the character before it is of a word: after it comes none.
        encoding = reference.encode("".join(f"{chr(point)}{_FENCE} " for point in part))
        alone = {
            end
            for (_, end), token in zip(encoding.offsets, encoding.ids, strict=True)
            if token == added
        }
        found += [point for index, point in enumerate(part) if 3 * index + 2 not in alone]
    return tuple(found)


@functools.cache
def byte_level_classes() -> tuple[
    tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]
]:
    r"""(letters, numbers, space, the rest): what the \p{L}, \p{N} and \s of the ByteLevel pre-tokenizer take."""
    reference = tokenizers().pre_tokenizers.ByteLevel(add_prefix_space=False)
    # Beyond ASCII no word of a text of all characters in order holds two classes: one question a word will do.
    points = [point for point in _code_points() if point >= 0x80]
    words = [
        (begin, end) for _, (begin, end) in reference.pre_tokenize_str("".join(map(chr, points)))
    ]
    runs = [[point] for point in range(0x80)] + [points[begin:end] for begin, end in words]
    classes: dict[str, list[int]] = {"a": [], "1": [], "!": [], "": []}
    for run in runs:
        # A letter prolongs a run of letters, and so on; white space prolongs none of these.
        joined = (
            known for known in "a1!" if len(reference.pre_tokenize_str(known + chr(run[0]))) == 1
        )
        classes[next(joined, "")].extend(run)
    letters, numbers, others, space = map(tuple, classes.values())
    return letters, numbers, space, others


@functools.cache
def python_space() -> tuple[int, ...]:
    """What `str.split` splits at."""
    return tuple(point for point in _code_points() if chr(point).isspace())


@functools.cache
def around_sigma() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(cased characters, those that are passed over), as `str.lower` sees them when it meets a capital sigma."""
    cased, ignorable = [], []
    for point in _code_points():
        if f"{chr(point)}\u03a3".lower()[-1] == "\u03c2":
            cased.append(point)
        elif f"a{chr(point)}\u03a3".lower()[-1] == "\u03c2":
            ignorable.append(point)
    return tuple(cased), tuple(ignorable)
