"""Read a slow Python tokenizer of transformers over a SentencePiece file to a spec.

What such a class does to the text before and after SentencePiece is Python code. So each class is
named here, with the steps that are its own. Whatever the tokenizer itself can tell is asked of it:
the ids of the pieces, the pieces that ALBERT splits once more, the special tokens around texts.
Source: transformers 4.57, tokenization_utils.py (`PreTrainedTokenizer.tokenize`) and the classes'
own files.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
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

_EACH_LOWER = EachCharacter(("Lowercase",), "python")
_FIRST, _SECOND = -1, -2  # stand for two texts; no token has such an id
# An unassigned character: no vocabulary has a piece for it.
_UNKNOWN_CHARACTER = "\U0010ffff"


def spec_of(tokenizer: Any, path: Path) -> TokenizerSpec:
    """Return the spec of a slow tokenizer.

    Args:
      path: its SentencePiece file.
    Raises: UnknownComponentError for a class or an option that is not known here; VocabularyError.
    """
    name = type(tokenizer).__name__
    if name not in _STEPS:
        raise UnknownComponentError(
            f"{path.parent}: {name} is Python code of its own, and no tokenizer.json says what it "
            f"does. Expected one of {', '.join(sorted(_STEPS))}, or a tokenizer.json."
        )
    if tokenizer.pad_token is None:
        raise VocabularyError(
            f"{path.parent}: the tokenizer has no pad_token, and rows of a batch need one; name it "
            f"in tokenizer_config.json."
        )
    if getattr(tokenizer, "sp_model_kwargs", None):
        raise UnknownComponentError(
            f"{path.parent}: sp_model_kwargs is {tokenizer.sp_model_kwargs!r}, with which "
            f"SentencePiece draws lots. Expected none; take it out of tokenizer_config.json if "
            f"training did not rely on it."
        )
    lowers = bool(getattr(tokenizer, "do_lower_case", False))
    between = _STEPS[name](tokenizer, path)
    raw = path.read_bytes()
    ids = _piece_ids(tokenizer, sentencepiece_model.parse(raw, str(path)))
    return TokenizerSpec(
        normalizer=(_EACH_LOWER,) if lowers else (),
        splitter=None,
        model=Unigram(model=raw, ids=ids),
        added_tokens=_added_tokens(tokenizer, path, lowers=lowers),
        template=_template(tokenizer, path),
        pad_id=tokenizer.pad_token_id,
        truncation_side=tokenizer.truncation_side,
        origin=str(path),
        padding_side=tokenizer.padding_side,
        token_types="token_type_ids" in tokenizer.model_input_names,
        between=between,
        # Both texts lose tokens by turns; the Rust tokenizers leave an odd one to the second text.
        pair_truncation="round_robin",
    )


def _cleaning_steps(tokenizer: Any, path: Path) -> tuple[Step, ...]:
    """Return the steps of `preprocess_text` of ALBERT and XLNet."""
    if tokenizer.sp_model.PieceToId(",") == tokenizer.sp_model.unk_id():
        raise UnknownComponentError(
            f"{path} has no piece ',', and {type(tokenizer).__name__} would split unknown words at "
            f"it. Expected the piece; take the file that the checkpoint was trained with."
        )
    steps: list[Step] = [CollapseSpace()] if tokenizer.remove_space else []
    steps += [Replace("``", '"'), Replace("''", '"')]
    if not tokenizer.keep_accents:
        steps.append(EachCharacter(("NFKD", "StripCombining"), "python"))
        # The text was lower-cased character by character before; only NFKD can produce capitals.
        if tokenizer.do_lower_case:
            steps.append(PythonLower())
    return tuple(steps)


def _no_steps(_tokenizer: Any, _path: Path) -> tuple[Step, ...]:
    """Return nothing: XLM-RoBERTa and CamemBERT leave all to SentencePiece."""
    return ()


def _deberta_steps(tokenizer: Any, path: Path) -> tuple[Step, ...]:
    """Return nothing: lower-cased text is unchanged by this class's second `str.lower`."""
    if tokenizer.split_by_punct:
        raise UnknownComponentError(
            f"{path.parent}: split_by_punct is true, which cannot be compiled exactly yet. "
            f"Expected false. Please report the checkpoint."
        )
    return ()


_STEPS: Mapping[str, Callable[[Any, Path], tuple[Step, ...]]] = {
    "AlbertTokenizer": _cleaning_steps,
    "CamembertTokenizer": _no_steps,
    "DebertaV2Tokenizer": _deberta_steps,
    "XLMRobertaTokenizer": _no_steps,
    "XLNetTokenizer": _cleaning_steps,
}


class _OnePiece:
    """A stand-in for the tokenizer in its own `_tokenize`: SentencePiece always finds one piece."""

    def __init__(self, tokenizer: Any, piece: str) -> None:
        self._tokenizer = tokenizer
        self._piece = piece

    @property
    def sp_model(self) -> "_OnePiece":
        return self

    def encode(self, _text: str, out_type: type) -> list[str]:  # noqa: ARG002
        return [self._piece]

    def EncodeAsPieces(self, text: str) -> list[str]:  # noqa: N802
        pieces: list[str] = self._tokenizer.sp_model.EncodeAsPieces(text)
        return pieces

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


def _piece_ids(tokenizer: Any, proto: Any) -> tuple[tuple[int, ...], ...]:
    """Return the token ids that each piece becomes.

    The unknown piece is converted by a character unknown to every model, because its own name may
    be converted differently.
    """
    own = type(tokenizer)._tokenize
    cleans = _STEPS[type(tokenizer).__name__] is _cleaning_steps
    ids = []
    for piece in proto.pieces:
        text = _UNKNOWN_CHARACTER if piece.type == piece.UNKNOWN else piece.piece
        tokens = own(_OnePiece(tokenizer, text), "") if cleans else [text]
        ids.append(tuple(tokenizer.convert_tokens_to_ids(tokens)))
    return tuple(ids)


def _added_tokens(tokenizer: Any, path: Path, *, lowers: bool) -> tuple[AddedToken, ...]:
    """Return the added tokens, to be matched in the raw or in the lower-cased text, or in both.

    A lower-casing class keeps special tokens as they are, and then searches the lower-cased text
    for all added ones.
    """
    if tokenizer.split_special_tokens:
        return ()
    _check_strips(tokenizer, path)
    keeps_case = set(tokenizer.all_special_tokens)
    for token in tokenizer.added_tokens_decoder.values():
        if not token.special and token.normalized:
            keeps_case.add(token.content)
    added = []
    for token_id, token in tokenizer.added_tokens_decoder.items():
        if token.single_word:
            raise UnknownComponentError(
                f"{path.parent}: the added token {token.content!r} has single_word=true, which a "
                f"slow tokenizer treats in its own way. Expected false. Please report the "
                f"checkpoint, or set it to false if training did not rely on it."
            )
        # A special token may also be a piece of the model, whose id then counts.
        raw = AddedToken(
            content=token.content,
            id=tokenizer.convert_tokens_to_ids(token.content) if token.content else token_id,
            left_strip=token.lstrip,
            right_strip=token.rstrip,
        )
        if not lowers or token.content in keeps_case:
            added.append(raw)
        if lowers and "".join(character.lower() for character in token.content) == token.content:
            added.append(replace(raw, normalized=True))
    return tuple(added)


def _check_strips(tokenizer: Any, path: Path) -> None:
    """Refuse added tokens of which one strips the white space off another.

    The Python classes then no longer know the other one, and split what is left of it. The mask
    token may strip: no text to be classified holds one.

    Raises: UnknownComponentError.
    """
    added = [each for each in tokenizer.added_tokens_decoder.values() if each.content]
    strippers = [each for each in added if each.content != tokenizer.mask_token]
    for token in added:
        for stripper in strippers:
            left = stripper.lstrip and token.content != token.content.rstrip()
            right = stripper.rstrip and token.content != token.content.lstrip()
            if left or right:
                raise UnknownComponentError(
                    f"{path.parent}: the added token {stripper.content!r} has "
                    f"{'lstrip' if left else 'rstrip'}=true, so a slow tokenizer takes the white "
                    f"space off the added token {token.content!r} beside it, and no longer knows "
                    f"it; that cannot be compiled exactly. Expected tokens without white space at "
                    f"their ends, or without lstrip and rstrip. Please report the checkpoint."
                )


def _template(tokenizer: Any, path: Path) -> Template:
    """Return the special tokens around texts, by framing two ids that stand for the texts."""
    has_types = "token_type_ids" in tokenizer.model_input_names

    def places(*texts: list[int]) -> tuple[Place, ...]:
        ids = tokenizer.build_inputs_with_special_tokens(*texts)
        types = (
            tokenizer.create_token_type_ids_from_sequences(*texts) if has_types else [0] * len(ids)
        )
        in_order = [[token] for token in ids if token in (_FIRST, _SECOND)]
        if len(types) != len(ids) or in_order != list(texts):
            raise UnknownComponentError(
                f"{path.parent}: {type(tokenizer).__name__} puts {ids} with the types {types} "
                f"around {len(texts)} texts ({_FIRST}, {_SECOND}). Expected each text once, in "
                f"order, and a type for each token."
            )
        return tuple(
            Place(None if token in (_FIRST, _SECOND) else (token,), kind)
            for token, kind in zip(ids, types, strict=True)
        )

    return Template(single=places([_FIRST]), pair=places([_FIRST], [_SECOND]))
