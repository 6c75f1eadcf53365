"""The parts of GPT-2's and RoBERTa's tokenizers: ByteLevel, BPE; and vocab.json with merges.txt."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tfclf.errors import UnknownComponentError, VocabularyError
from tfclf.tokenization.file_names import VOCAB_JSON
from tfclf.tokenization.models.byte_alphabet import check_bytes
from tfclf.tokenization.read.parts import Part, fill_gaps, sort_pieces
from tfclf.tokenization.spec import ByteBpe, ByteLevel

Merge = tuple[str, str]

# Options that would change ids. `unk_token`, `fuse_unk` and `byte_fallback` concern characters that
# the vocabulary lacks, and it must lack no byte character.
_UNSUPPORTED = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")


def splitter(part: Part, _: Path) -> ByteLevel:
    """Read ByteLevel."""
    return ByteLevel(
        add_prefix_space=part["add_prefix_space"], use_regex=part.get("use_regex", True)
    )


def model(part: Part, path: Path) -> ByteBpe:
    """Read BPE. Raises: UnknownComponentError, VocabularyError."""
    for option in _UNSUPPORTED:
        if part.get(option):
            raise UnknownComponentError(
                f"{path}: the model has {option}={part[option]!r}, which cannot be compiled "
                f"exactly. Expected none. tfclf never approximates a tokenizer; please report the "
                f"checkpoint."
            )
    merges = [_parse_merge(merge, place, path) for place, merge in enumerate(part["merges"])]
    check_bytes(part["vocab"], str(path))
    _check_merges(merges, part["vocab"], lambda place: f"{path}: merge {place + 1}")
    return ByteBpe(
        vocabulary=sort_pieces(_fill_gaps(part["vocab"]), path),
        merges=tuple(merges),
        ignore_merges=part.get("ignore_merges", False),
    )


def check_files(vocabulary: Mapping[str, int], merges: Path) -> None:
    """Check the content of vocab.json and the file merges.txt, as transformers reads them.

    Raises: VocabularyError.
    """
    origin = merges.with_name(VOCAB_JSON)
    sort_pieces(_fill_gaps(vocabulary), origin)
    check_bytes(vocabulary, str(origin))
    try:
        text = merges.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise VocabularyError(
            f"{merges} is not UTF-8 ({error}). Expected one merge on each line."
        ) from error
    version, _, text = text.partition("\n")
    *lines, last = text.split("\n")
    # Transformers drops the first line and whatever follows the last line end.
    if not version.startswith("#version"):
        raise VocabularyError(
            f"{merges} begins with {version[:50]!r}; expected '#version: 0.2'. Transformers takes "
            f"no merge from the first line: if it is one, put the version line before it; "
            f"otherwise download the file again."
        )
    if last:
        raise VocabularyError(
            f"{merges} ends with {last[:50]!r} and no line end. It may be cut short; download it "
            f"again. If it is complete, end the last line: transformers would drop it."
        )
    pairs = [_parse_merge(line, place + 1, merges, "line") for place, line in enumerate(lines)]
    _check_merges(pairs, vocabulary, lambda place: f"{merges}: line {place + 2}")


def _fill_gaps(vocabulary: Mapping[str, int]) -> dict[str, int]:
    """Fill ids that no piece has: vocabularies that lost some pieces are in use.

    No word meets a filler, because none of the letters that stand for bytes is a space.
    """
    return fill_gaps(vocabulary, max_characters=1)


def _parse_merge(merge: str | Sequence[str], place: int, path: Path, unit: str = "merge") -> Merge:
    """Parse a merge, written as 'a b' in older files and as a pair in newer ones.

    >>> _parse_merge("a b", 0, Path("merges.txt")), _parse_merge(["a", "b"], 0, Path("x.json"))
    (('a', 'b'), ('a', 'b'))
    """
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if len(parts) != 2 or not all(isinstance(part, str) and part for part in parts):
        raise VocabularyError(
            f"{path}: {unit} {place + 1} is {merge!r:.80}; expected two pieces with a space "
            f"between. The file may be cut short or changed; download it again."
        )
    return parts[0], parts[1]


def _check_merges(
    merges: Sequence[Merge], vocabulary: Mapping[str, int], name: Callable[[int], str]
) -> None:
    """Check that merges stand in an order in which training can have made them.

    Training joins pieces that exist already, and adds the result to the vocabulary. The Rust
    library takes merges in any order, and then splits words in a way that no training has seen.

    Args:
      name: index of a merge -> where it stands, for messages.
    """
    made: dict[str, int] = {}
    for place, (left, right) in enumerate(merges):
        made.setdefault(left + right, place)
    seen: dict[Merge, int] = {}
    for place, merge in enumerate(merges):
        joins = f"{name(place)} joins {merge[0]!r} and {merge[1]!r}"
        if missing := [piece for piece in (*merge, "".join(merge)) if piece not in vocabulary]:
            raise VocabularyError(
                f"{joins}, but the vocabulary of {len(vocabulary)} pieces lacks {missing[0]!r}. "
                f"Expected the parts and the result of every merge among the pieces; take "
                f"vocabulary and merges from the same checkpoint."
            )
        if seen.setdefault(merge, place) != place:
            raise VocabularyError(
                f"{joins}, as {name(seen[merge])} does. Expected each merge once; take the merges "
                f"that the checkpoint was trained with."
            )
        for piece in merge:
            if len(piece) > 1 and made.get(piece, len(merges)) >= place:
                maker = f"only {name(made[piece])} makes" if piece in made else "no merge makes"
                raise VocabularyError(
                    f"{joins}, but {maker} {piece!r}. Expected merges in the order of training, "
                    f"each of pieces that earlier ones have made; take the merges that the "
                    f"checkpoint was trained with."
                )
