"""tokenizer.json, part by part -> spec. A part that is not listed here is refused by name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tfclf.tokenization.read import bert, byte_level, unigram_json
from tfclf.tokenization.read.parts import Part, kind_of, unknown
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
    "Sequence": unigram_json.splitters,
}
_MODELS: Mapping[str, Callable[[Part, Path], Model]] = {
    "WordPiece": bert.model,
    "BPE": byte_level.model,
    "Unigram": unigram_json.model,
}


def check(content: Part, path: Path) -> None:
    """Whether every part is known. Raises: UnknownComponentError."""
    unigram_json.joined(_normalizer(content.get("normalizer"), path), path)
    splitter = _splitter(content.get("pre_tokenizer"), path)
    kind = _model_kind(content.get("model"), path)
    if isinstance(splitter, ByteLevel) != (kind == "BPE"):
        raise unknown(
            "model",
            f"{kind} after {kind_of(content.get('pre_tokenizer'))}",
            ["BPE after ByteLevel"],
            path,
        )
    if kind == "BPE":
        # The Rust library's own errors do not say which merge.
        byte_level.model(content["model"], path)
    template(content.get("post_processor"), path, types=True)


def spec_of(content: Part, tokenizer: Any, path: Path) -> TokenizerSpec:
    """The spec of a tokenizer of transformers.

    Args:
      content: what its Rust tokenizer says of itself, in the form of tokenizer.json.
    """
    # With split_special_tokens they are text like any other.
    kept = [
        entry
        for entry in content["added_tokens"]
        if not (tokenizer.split_special_tokens and entry["special"])
    ]
    return TokenizerSpec(
        normalizer=unigram_json.joined(_normalizer(content["normalizer"], path), path),
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
    return _known("normalizer", part, _NORMALIZERS, path)


def _splitter(part: object, path: Path) -> Splitter | None:
    return None if part is None else _known("pre_tokenizer", part, _SPLITTERS, path)


def _known(
    name: str, part: object, readers: Mapping[str, Callable[[Part, Path], _T]], path: Path
) -> _T:
    kind = kind_of(part)
    if not isinstance(part, Mapping) or kind not in readers:
        raise unknown(name, kind, readers, path)
    return readers[str(kind)](part, path)


def _model_kind(part: object, path: Path) -> str:
    kind = kind_of(part)
    # Older files leave a model's type out.
    if isinstance(part, Mapping) and kind is None:
        kind = next((name for key, name in _TELLING.items() if key in part), None)
    if not isinstance(part, Mapping) or kind not in _MODELS:
        raise unknown("model", kind, _MODELS, path)
    return str(kind)


_TELLING = {"max_input_chars_per_word": "WordPiece", "merges": "BPE", "unk_id": "Unigram"}
