"""Slow Python tokenizers of transformers over a SentencePiece file -> spec.

What such a class does to the text before and after SentencePiece is Python code, so that each class is named here
with the steps that are its own. Whatever can be asked of the tokenizer itself is asked: the ids of the pieces, the
pieces that ALBERT splits once more, the special tokens around texts.
Source: transformers 4.57, tokenization_utils.py (`PreTrainedTokenizer.tokenize`) and the classes' own files.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tfclf.errors import UnknownComponentError, VocabularyError
from tfclf.tokenization.models import sentencepiece_model
from tfclf.tokenization.spec import (
    AddedToken,
    CollapseSpace,
    EachCharacter,
    Place,
    PythonLower,
    Replace,
    Step,
    Template,
    TokenizerSpec,
    Unigram,
)

FILES = ("spiece.model", "sentencepiece.bpe.model", "sentencepiece.model", "spm.model")
_EACH_LOWER = EachCharacter(("Lowercase",), "python")
_FIRST, _SECOND = -1, -2  # stand for two texts; no token has such an id


def spec_of(tokenizer: Any, path: Path) -> TokenizerSpec:
    """The spec of a slow tokenizer.

    Raises: UnknownComponentError for a class or an option that is not known here; VocabularyError.
    """
    name = type(tokenizer).__name__
    if name not in _STEPS:
        raise UnknownComponentError(
            f"{path.parent}: {name} is Python code of its own, and no tokenizer.json says what it does. Expected one "
            f"of {', '.join(sorted(_STEPS))}, or a tokenizer.json."
        )
    if tokenizer.pad_token is None:
        raise VocabularyError(
            f"{path.parent}: the tokenizer has no pad_token, and rows of a batch need one; name it in "
            f"tokenizer_config.json."
        )
    if getattr(tokenizer, "sp_model_kwargs", None):
        raise UnknownComponentError(
            f"{path.parent}: sp_model_kwargs is {tokenizer.sp_model_kwargs!r}, with which SentencePiece draws lots. "
            f"Expected none; take it out of tokenizer_config.json if training did not rely on it."
        )
    lowers = bool(getattr(tokenizer, "do_lower_case", False))
    between = _STEPS[name](tokenizer, path)
    raw = path.read_bytes()
    return TokenizerSpec(
        normalizer=(_EACH_LOWER,) if lowers else (),
        splitter=None,
        model=Unigram(model=raw, ids=_ids(tokenizer, sentencepiece_model.parse(raw, str(path)))),
        added_tokens=_added_tokens(tokenizer, path, lowers=lowers),
        template=_template(tokenizer, path),
        pad_id=tokenizer.pad_token_id,
        truncation_side=tokenizer.truncation_side,
        origin=str(path),
        padding_side=tokenizer.padding_side,
        token_types="token_type_ids" in tokenizer.model_input_names,
        between=between,
    )


def _cleaning(tokenizer: Any, path: Path) -> tuple[Step, ...]:
    """`preprocess_text` of ALBERT and XLNet."""
    if tokenizer.sp_model.PieceToId(",") == tokenizer.sp_model.unk_id():
        raise UnknownComponentError(
            f"{path} has no piece ',', and {type(tokenizer).__name__} would split unknown words at it. Expected the "
            f"piece; take the file that the checkpoint was trained with."
        )
    steps: list[Step] = [CollapseSpace()] if tokenizer.remove_space else []
    steps += [Replace("``", '"'), Replace("''", '"')]
    if not tokenizer.keep_accents:
        steps.append(EachCharacter(("NFKD", "StripCombining"), "python"))
        # Before that, all was made lower character by character; only what NFKD brings forth can be capital.
        if tokenizer.do_lower_case:
            steps.append(PythonLower())
    return tuple(steps)


def _nothing(_tokenizer: Any, _path: Path) -> tuple[Step, ...]:
    """XLM-RoBERTa and CamemBERT leave all to SentencePiece."""
    return ()


def _deberta(tokenizer: Any, path: Path) -> tuple[Step, ...]:
    """Lower-cased text stays so under the second `str.lower` of this class."""
    if tokenizer.split_by_punct:
        raise UnknownComponentError(
            f"{path.parent}: split_by_punct is true, which cannot be compiled exactly yet. Expected false. Please "
            f"report the checkpoint."
        )
    return ()


_STEPS: Mapping[str, Callable[[Any, Path], tuple[Step, ...]]] = {
    "AlbertTokenizer": _cleaning,
    "CamembertTokenizer": _nothing,
    "DebertaV2Tokenizer": _deberta,
    "XLMRobertaTokenizer": _nothing,
    "XLNetTokenizer": _cleaning,
}


class _OnePiece:
    """Stands for the tokenizer in its own `_tokenize`: whatever the text, SentencePiece finds this one piece."""

    def __init__(self, tokenizer: Any, piece: str) -> None:
        self._tokenizer = tokenizer
        self._piece = piece

    @property
    def sp_model(self) -> "_OnePiece":
        return self

    def encode(self, _text: str, out_type: type) -> list[str]:  # noqa: ARG002
        return [self._piece]

    def EncodeAsPieces(self, text: str) -> list[str]:  # noqa: N802
        found: list[str] = self._tokenizer.sp_model.EncodeAsPieces(text)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


def _ids(tokenizer: Any, proto: Any) -> tuple[tuple[int, ...], ...]:
    """What becomes of each piece; unknown characters are converted by themselves, not by the name of their piece."""
    own = type(tokenizer)._tokenize
    found = []
    for piece in proto.pieces:
        text = "\U0010ffff" if piece.type == piece.UNKNOWN else piece.piece
        tokens = (
            own(_OnePiece(tokenizer, text), "")
            if _STEPS[type(tokenizer).__name__] is _cleaning
            else [text]
        )
        found.append(tuple(tokenizer.convert_tokens_to_ids(tokens)))
    return tuple(found)


def _added_tokens(tokenizer: Any, path: Path, *, lowers: bool) -> tuple[AddedToken, ...]:
    """A lower-casing class spares special tokens, and then looks for all added ones in the lower-cased text."""
    if tokenizer.split_special_tokens:
        return ()
    spared = set(tokenizer.all_special_tokens)
    spared |= {
        token.content
        for token in tokenizer.added_tokens_decoder.values()
        if not token.special and token.normalized
    }
    added = []
    for token_id, token in tokenizer.added_tokens_decoder.items():
        if token.single_word:
            raise UnknownComponentError(
                f"{path.parent}: the added token {token.content!r} has single_word=true, which a slow tokenizer takes "
                f"in its own way. Expected false. Please report the checkpoint, or set it to false if training did not "
                f"rely on it."
            )
        # A special token may be one of the model's own, its id then not the one under which it was added.
        found = AddedToken(
            content=token.content,
            id=tokenizer.convert_tokens_to_ids(token.content) if token.content else token_id,
            left_strip=token.lstrip,
            right_strip=token.rstrip,
        )
        if not lowers or token.content in spared:
            added.append(found)
        if lowers and "".join(character.lower() for character in token.content) == token.content:
            added.append(AddedToken(**{**vars(found), "normalized": True}))
    return tuple(added)


def _template(tokenizer: Any, path: Path) -> Template:
    """Asked with ids that stand for the texts."""
    has_types = "token_type_ids" in tokenizer.model_input_names

    def places(*texts: list[int]) -> tuple[Place, ...]:
        ids = tokenizer.build_inputs_with_special_tokens(*texts)
        types = (
            tokenizer.create_token_type_ids_from_sequences(*texts) if has_types else [0] * len(ids)
        )
        found = [token for token in ids if token in (_FIRST, _SECOND)]
        if len(types) != len(ids) or [[token] for token in found] != list(texts):
            raise UnknownComponentError(
                f"{path.parent}: {type(tokenizer).__name__} puts {ids} with the types {types} around {len(texts)} "
                f"texts ({_FIRST}, {_SECOND}). Expected each text once, in order, and a type for each token."
            )
        return tuple(
            Place(None if token in (_FIRST, _SECOND) else (token,), kind)
            for token, kind in zip(ids, types, strict=True)
        )

    return Template(single=places([_FIRST]), pair=places([_FIRST], [_SECOND]))
