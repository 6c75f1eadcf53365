r"""The effect of the reference on each single code point, obtained by asking the reference.

BERT's normalizer and splitter treat every character by itself. A table made by asking about each
of them is therefore exact, whatever Unicode version the reference was built with. The export
carries the table, so a server's ICU has no influence. The one exception is canonical reordering:
see `normalizers.character_table`.

Several thousand characters are asked about in one call, with a fence between them:

>>> list(_ask(str.upper, map(ord, "a\u00dfz")))
[(97, 'A'), (223, 'SS'), (122, 'Z')]
"""

import functools
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tfclf._transformers import tokenizers
from tfclf.tokenization.spec import BertNormalizer, EachCharacter

_SURROGATES = range(0xD800, 0xE000)
# Separates the characters of one question: no character becomes it, and nothing changes it.
# Neither fence suits all: with NFKD one character becomes "|", and BERT's normalizer changes "\n".
_FENCE, _LINE = "|", "\n"
_QUESTION = 4096  # characters per call


def _code_points() -> Iterator[int]:
    yield from (point for point in range(0x110000) if point not in _SURROGATES)


def _ask(
    answer: Callable[[str], str], points: Iterable[int], *, fence: str = _FENCE
) -> Iterator[tuple[int, str]]:
    """Yield (code point, what `answer` makes of that character alone) for each but the fence."""
    questions = [point for point in points if chr(point) != fence]
    for start in range(0, len(questions), _QUESTION):
        part = questions[start : start + _QUESTION]
        answers = answer(fence.join(map(chr, part))).split(fence)
        yield from zip(part, answers, strict=True)


def _reference_normalizer(spec: BertNormalizer | EachCharacter) -> Any:
    """Return the Rust normalizer itself."""
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
def find_changes(spec: BertNormalizer | EachCharacter) -> dict[int, str]:
    r"""Return code point -> replacement for every character that the reference changes.

    >>> changes = find_changes(BertNormalizer(lowercase=True))
    >>> changes[ord("A")], changes[ord("\u00e9")], changes[ord("\u4e2d")], changes[0xAD]
    ('a', 'e', ' \u4e2d ', '')
    >>> ord("a") in changes
    False
    """
    if isinstance(spec, EachCharacter) and spec.library == "python":
        return _find_python_changes(spec)
    reference = _reference_normalizer(spec)
    fence = _LINE if isinstance(spec, EachCharacter) else _FENCE
    answers = _ask(reference.normalize_str, _code_points(), fence=fence)
    return {point: answer for point, answer in answers if answer != chr(point)}


def _find_python_changes(spec: EachCharacter) -> dict[int, str]:
    changes = {}
    for point in _code_points():
        text = chr(point)
        for step in spec.steps:
            text = _PYTHON_STEPS[step](text)
        if text != chr(point):
            changes[point] = text
    return changes


@functools.cache
def bert_punctuation_and_space() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return (punctuation, white space): what BertPreTokenizer isolates, and what it drops."""
    reference = tokenizers().pre_tokenizers.BertPreTokenizer()
    punctuation, space = [], []
    points = list(_code_points())
    for start in range(0, len(points), _QUESTION):
        part = points[start : start + _QUESTION]
        # "a" before and after each character: a letter makes one word of them, punctuation three,
        # white space two. Character i of the part stands at offset 2 * i + 1.
        text = "".join(f"a{chr(point)}" for point in part) + "a"
        isolated: set[int] = set()
        covered: set[int] = set()
        for _, (begin, end) in reference.pre_tokenize_str(text):
            covered.update(range(begin, end))
            if end - begin == 1:
                isolated.add(begin)
        for index, point in enumerate(part):
            if 2 * index + 1 in isolated:
                punctuation.append(point)
            elif 2 * index + 1 not in covered:
                space.append(point)
    return tuple(punctuation), tuple(space)


@functools.cache
def word_run_classes() -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    r"""Return (word characters, white space, all others), as the pre_tokenizer Whitespace has them.

    >>> word, space, others = word_run_classes()
    >>> ord("_") in word, 0x301 in word, 0x3000 in space, ord("-") in others
    (True, True, True, True)
    """
    reference = tokenizers().pre_tokenizers.Whitespace()
    word: list[int] = []
    space: list[int] = []
    others: list[int] = []
    points = list(_code_points())
    for start in range(0, len(points), _QUESTION):
        part = points[start : start + _QUESTION]
        # A letter before and a space after each character: a word character makes a word of two
        # with the letter, any other but white space one of its own.
        text = "".join(f"a{chr(point)} " for point in part)
        begins = {begin: end for _, (begin, end) in reference.pre_tokenize_str(text)}
        for index, point in enumerate(part):
            place = 3 * index
            if begins[place] == place + 2:
                word.append(point)
            elif place + 1 in begins:
                others.append(point)
            else:
                space.append(point)
    return tuple(word), tuple(space), tuple(others)


@functools.cache
def word_characters() -> tuple[int, ...]:
    """Return the characters that, next to it, keep a `single_word` added token from matching."""
    package = tokenizers()
    reference = package.Tokenizer(package.models.WordLevel({"": 0}, unk_token=""))
    reference.add_tokens([package.AddedToken(_FENCE, single_word=True, normalized=False)])
    added = reference.token_to_id(_FENCE)
    word: list[int] = []
    points = [point for point in _code_points() if chr(point) != _FENCE]
    for start in range(0, len(points), _QUESTION):
        part = points[start : start + _QUESTION]
        # A space follows each token, so only the character before it can prevent the match.
        # The token after character i ends at offset 3 * i + 2.
        encoding = reference.encode("".join(f"{chr(point)}{_FENCE} " for point in part))
        matches = {
            end
            for (_, end), token in zip(encoding.offsets, encoding.ids, strict=True)
            if token == added
        }
        word += [point for index, point in enumerate(part) if 3 * index + 2 not in matches]
    return tuple(word)


@functools.cache
def byte_level_classes() -> tuple[
    tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]
]:
    r"""Return (letters, numbers, space, the rest): ByteLevel's \p{L}, \p{N}, \s and all others.

    >>> letters, numbers, space, others = byte_level_classes()
    >>> ord("\u00e9") in letters, ord("\u0663") in numbers, 0xA0 in space, ord("!") in others
    (True, True, True, True)
    """
    reference = tokenizers().pre_tokenizers.ByteLevel(add_prefix_space=False)
    # In a text of all characters in order, no word beyond ASCII mixes two classes: asking about
    # each word's first character is enough.
    points = [point for point in _code_points() if point >= 0x80]
    words = [
        (begin, end) for _, (begin, end) in reference.pre_tokenize_str("".join(map(chr, points)))
    ]
    runs = [[point] for point in range(0x80)] + [points[begin:end] for begin, end in words]
    classes: dict[str, list[int]] = {"a": [], "1": [], "!": [], "": []}
    for run in runs:
        # A letter extends a run of letters, and so on; white space extends none of these.
        joined = (
            known for known in "a1!" if len(reference.pre_tokenize_str(known + chr(run[0]))) == 1
        )
        classes[next(joined, "")].extend(run)
    letters, numbers, others, space = map(tuple, classes.values())
    return letters, numbers, space, others


@functools.cache
def python_space() -> tuple[int, ...]:
    r"""Return the characters that `str.split` splits at.

    >>> [point in python_space() for point in map(ord, " \x1c\u3000\u200b")]
    [True, True, True, False]
    """
    return tuple(point for point in _code_points() if chr(point).isspace())


@functools.cache
def cased_and_ignorable() -> tuple[tuple[int, ...], tuple[int, ...]]:
    r"""Return (cased, ignorable) characters, as `str.lower` sees them next to a capital sigma.

    A capital sigma becomes final only after a cased character; ignorable ones are skipped:

    >>> cased, ignorable = cased_and_ignorable()
    >>> ord("a") in cased, ord("'") in ignorable, ord("1") in cased + ignorable
    (True, True, False)
    """
    cased, ignorable = [], []
    for point in _code_points():
        if f"{chr(point)}\u03a3".lower()[-1] == "\u03c2":
            cased.append(point)
        elif f"a{chr(point)}\u03a3".lower()[-1] == "\u03c2":
            ignorable.append(point)
    return tuple(cased), tuple(ignorable)
