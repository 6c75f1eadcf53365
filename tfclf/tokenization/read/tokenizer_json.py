"""Read tokenizer.json to a spec, part by part; a part not listed here is refused by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tfclf.tokenization.read import bert, byte_level, unigram_json
from tfclf.tokenization.read.parts import Part, kind_of, unknown_part
from tfclf.tokenization.read.templates import template
from tfclf.tokenization.spec import AddedToken, ByteLevel, Model, Splitter, Step, TokenizerSpec

_T = TypeVar("_T")

_NORMALIZERS: Mapping[str, Callable[[Part, Path], tuple[Step, ...]]] = {
    "BertNormalizer": bert.normalizer,
    "Precompiled": unigram_json.precompiled,
    "Strip": unigram_json.strip,
    "Replace": unigram_json.replacement,
    "NFD": unigram_json.each_character,
    "NFKD": unigram_json.each_character,
    "StripAccents": unigram_json.each_character,
    "Lowercase": unigram_json.each_character,
}
_SPLITTERS: Mapping[str, Callable[[Part, Path], Splitter]] = {
    "BertPreTokenizer": bert.splitter,
    "ByteLevel": byte_level.splitter,
    "Metaspace": unigram_json.splitter,
    "Whitespace": bert.word_runs,
}
# Sequences of several; one of a single part is that part.
_SEQUENCES: Mapping[tuple[str, ...], Callable[[Sequence[Part], Path], Splitter]] = {
    ("WhitespaceSplit", "Metaspace"): unigram_json.splitters,
    ("WhitespaceSplit", "Punctuation"): bert.splitters,
    ("Punctuation", "WhitespaceSplit"): bert.splitters,
}
_MODELS: Mapping[str, Callable[[Part, Path], Model]] = {
    "WordPiece": bert.model,
    "BPE": byte_level.model,
    "Unigram": unigram_json.model,
}


def check(content: Part, path: Path) -> None:
    """Check that every part is known. Raises: UnknownComponentError, VocabularyError."""
    unigram_json.join_steps(_normalizer(content.get("normalizer"), path), path)
    splitter = _splitter(content.get("pre_tokenizer"), path)
    kind = _model_kind(content.get("model"), path)
    if isinstance(splitter, ByteLevel) != (kind == "BPE"):
        found = f"{kind} after {kind_of(content.get('pre_tokenizer'))}"
        raise unknown_part("model", found, ["BPE after ByteLevel"], path)
    if kind == "BPE":
        # The Rust library's own errors do not name the merge.
        byte_level.model(content["model"], path)
    if kind == "WordPiece":
        bert.check(content["model"], path)
    template(content.get("post_processor"), path, types=True)


def spec_of(content: Part, tokenizer: Any, path: Path) -> TokenizerSpec:
    """Return the spec of a fast tokenizer of transformers.

    Args:
      content: its Rust tokenizer, serialized as in tokenizer.json.
    """
    # With split_special_tokens, special tokens are ordinary text.
    kept = [
        entry
        for entry in content["added_tokens"]
        if not (tokenizer.split_special_tokens and entry["special"])
    ]
    return TokenizerSpec(
        normalizer=unigram_json.join_steps(_normalizer(content["normalizer"], path), path),
        splitter=_splitter(content["pre_tokenizer"], path),
        model=_MODELS[_model_kind(content["model"], path)](content["model"], path),
        added_tokens=tuple(
            AddedToken(
                content=entry["content"],
                id=entry["id"],
                left_strip=entry["lstrip"],
                right_strip=entry["rstrip"],
                single_word=entry["single_word"],
                normalized=entry["normalized"],
            )
            for entry in kept
        ),
        template=template(
            content["post_processor"], path, types="token_type_ids" in tokenizer.model_input_names
        ),
        pad_id=tokenizer.pad_token_id,
        truncation_side=tokenizer.truncation_side,
        padding_side=tokenizer.padding_side,
        token_types="token_type_ids" in tokenizer.model_input_names,
        origin=str(path),
    )


def _normalizer(part: object, path: Path) -> tuple[Step, ...]:
    if part is None:
        return ()
    if isinstance(part, Mapping) and kind_of(part) == "Sequence":
        return tuple(step for each in part["normalizers"] for step in _normalizer(each, path))
    return _read_part("normalizer", part, _NORMALIZERS, path)


def _splitter(part: object, path: Path) -> Splitter | None:
    if part is None:
        return None
    if isinstance(part, Mapping) and kind_of(part) == "Sequence":
        parts = part.get("pretokenizers", [])
        if len(parts) < 2:
            return _splitter(parts[0] if parts else None, path)
        kinds = tuple(str(kind_of(each)) for each in parts)
        if kinds not in _SEQUENCES:
            raise unknown_part(
                "pre_tokenizer Sequence",
                list(kinds),
                (str(list(known)) for known in _SEQUENCES),
                path,
            )
        return _SEQUENCES[kinds](parts, path)
    return _read_part("pre_tokenizer", part, _SPLITTERS, path)


def _read_part(
    name: str, part: object, readers: Mapping[str, Callable[[Part, Path], _T]], path: Path
) -> _T:
    kind = kind_of(part)
    if not isinstance(part, Mapping) or kind not in readers:
        raise unknown_part(name, kind, readers, path)
    return readers[str(kind)](part, path)


# A key that only this type of model has; older files leave a model's type out.
_TYPICAL_KEYS = {"max_input_chars_per_word": "WordPiece", "merges": "BPE", "unk_id": "Unigram"}


def _model_kind(part: object, path: Path) -> str:
    """Return a model's type.

    >>> _model_kind({"vocab": {}, "merges": []}, Path("tokenizer.json"))
    'BPE'
    """
    kind = kind_of(part)
    if isinstance(part, Mapping) and kind is None:
        kind = next((name for key, name in _TYPICAL_KEYS.items() if key in part), None)
    if not isinstance(part, Mapping) or kind not in _MODELS:
        raise unknown_part("model", kind, _MODELS, path)
    return str(kind)
