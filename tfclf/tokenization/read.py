"""A checkpoint's tokenizer files -> spec: tokenizer.json, or the older vocab.txt.

tokenizer_config.json has the last word where both speak, as it has in `AutoTokenizer`: the fast classes set
their normalizer's case and accent handling from it, whatever tokenizer.json says.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfclf.errors import TokenizerError, UnknownComponentError, VocabularyError
from tfclf.folders import listing
from tfclf.tokenization.spec import (
    AddedToken,
    BertNormalizer,
    BertSplitter,
    Place,
    Template,
    TokenizerSpec,
    WordPiece,
    WordPieceDefaults,
    bert_template,
)

# These classes take the files as they are: no defaults of their own.
_NEUTRAL_CLASSES = ("PreTrainedTokenizerFast", "PreTrainedTokenizer")
_SPECIAL = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


def read(folder: Path, defaults: WordPieceDefaults) -> TokenizerSpec:
    """The tokenizer of a Hugging Face checkpoint.

    Args:
      folder: holds tokenizer.json or vocab.txt; tokenizer_config.json and special_tokens_map.json if any.
      defaults: the family's, for what the files leave unsaid.
    Raises: TokenizerError, UnknownComponentError, VocabularyError.
    """
    config = _json(folder / "special_tokens_map.json") | _json(folder / "tokenizer_config.json")
    if (folder / "tokenizer.json").is_file():
        return _from_tokenizer_json(folder / "tokenizer.json", config, defaults)
    if (folder / "vocab.txt").is_file():
        return _from_vocabulary(folder / "vocab.txt", config, defaults)
    raise TokenizerError(
        f"{folder} holds no tokenizer that can be compiled: found {listing(folder)}; expected "
        f"tokenizer.json or vocab.txt. Save the checkpoint's tokenizer there, with its save_pretrained."
    )


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_distinct)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TokenizerError(f"{path} is not JSON ({error}). It may be cut short; download it again.") from error
    except _DuplicateKeyError as error:
        raise VocabularyError(f"{path} has the key {error} twice in one object; expected distinct pieces.") from None
    return content


class _DuplicateKeyError(Exception):
    pass


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKeyError(next(repr(key) for key in keys if keys.count(key) > 1))
    return content


def _from_tokenizer_json(path: Path, config: Mapping[str, Any], defaults: WordPieceDefaults) -> TokenizerSpec:
    content = _json(path)
    normalizer = _known(content, "normalizer", ("BertNormalizer",), path)
    _known(content, "pre_tokenizer", ("BertPreTokenizer",), path)
    model = _known(content, "model", ("WordPiece",), path)
    spec = BertNormalizer(
        clean_text=normalizer.get("clean_text", True),
        handle_chinese_chars=normalizer.get("handle_chinese_chars", True),
        strip_accents=normalizer.get("strip_accents"),
        lowercase=normalizer.get("lowercase", True),
    )
    if config.get("tokenizer_class") not in _NEUTRAL_CLASSES:
        spec = _overridden(spec, config, defaults)
    vocabulary = _in_order(model["vocab"], path)
    added = [_added(entry, int(entry["id"])) for entry in content.get("added_tokens") or ()]
    return _assemble(
        path,
        config,
        defaults,
        normalizer=spec,
        model=WordPiece(
            vocabulary=vocabulary,
            unknown=model.get("unk_token", defaults.unknown),
            prefix=model.get("continuing_subword_prefix", "##"),
            max_characters=model.get("max_input_chars_per_word", 100),
        ),
        added=added,
        template=_template(content, path),
    )


def _known(content: Mapping[str, Any], part: str, types: Sequence[str], path: Path) -> Mapping[str, Any]:
    found = content.get(part)
    kind = found.get("type") if isinstance(found, dict) else found
    if not isinstance(found, dict) or kind not in types:
        raise UnknownComponentError(
            f"{path}: the {part} is {kind!r}, which cannot be compiled exactly. Expected {' or '.join(types)}. "
            f"tfclf never approximates a tokenizer; please report the checkpoint."
        )
    return found


def _overridden(spec: BertNormalizer, config: Mapping[str, Any], defaults: WordPieceDefaults) -> BertNormalizer:
    return BertNormalizer(
        clean_text=spec.clean_text,
        handle_chinese_chars=config.get("tokenize_chinese_chars", True),
        strip_accents=config.get("strip_accents"),
        lowercase=config.get("do_lower_case", defaults.lowercase),
    )


def _in_order(vocabulary: Mapping[str, int], path: Path) -> tuple[str, ...]:
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    ids = [vocabulary[piece] for piece in pieces]
    if ids != list(range(len(ids))):
        wrong = next(expected for expected, found in enumerate(ids) if expected != found)
        raise VocabularyError(
            f"{path}: the vocabulary's ids are not 0 to {len(ids) - 1}: id {wrong} is missing or given twice "
            f"(near {pieces[wrong]!r}). Every embedding needs exactly one piece."
        )
    return tuple(pieces)


def _from_vocabulary(path: Path, config: Mapping[str, Any], defaults: WordPieceDefaults) -> TokenizerSpec:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise VocabularyError(f"{path} is not UTF-8 ({error}). Expected one piece a line.") from error
    pieces = lines[:-1] if lines[-1] == "" else lines
    first: dict[str, int] = {}
    for index, piece in enumerate(pieces):
        if first.setdefault(piece, index) != index:
            raise VocabularyError(
                f"{path}: line {index + 1} repeats {piece!r} of line {first[piece] + 1}; expected distinct pieces, "
                f"one for each embedding. Take the file that the checkpoint was trained with."
            )
    template = _bert_template(first, config, defaults, path)
    return _assemble(
        path,
        config,
        defaults,
        normalizer=_overridden(BertNormalizer(), config, defaults),
        model=WordPiece(vocabulary=tuple(pieces), unknown=_special(config, defaults)["unk_token"]),
        added=[],
        template=template,
    )


def _special(config: Mapping[str, Any], defaults: WordPieceDefaults) -> dict[str, str]:
    """Role -> token; the files give a string, or an object with `content`."""
    fallback = {
        "unk_token": defaults.unknown,
        "sep_token": defaults.separator,
        "pad_token": defaults.padding,
        "cls_token": defaults.classifier,
        "mask_token": defaults.mask,
    }
    given = {role: config.get(role) or fallback[role] for role in _SPECIAL}
    return {role: token["content"] if isinstance(token, dict) else token for role, token in given.items()}


def _bert_template(
    ids: Mapping[str, int], config: Mapping[str, Any], defaults: WordPieceDefaults, path: Path
) -> Template:
    special = _special(config, defaults)
    for role in ("cls_token", "sep_token"):
        _id_of(special[role], role, ids, path)
    return bert_template(ids[special["cls_token"]], ids[special["sep_token"]])


def _id_of(token: str, role: str, ids: Mapping[str, int], path: Path) -> int:
    if token not in ids:
        raise VocabularyError(
            f"{path} has {len(ids)} pieces and {token!r}, the checkpoint's {role}, is not among them. Expected every "
            f"special token in the vocabulary; name the right one as {role} in tokenizer_config.json."
        )
    return ids[token]


def _template(content: Mapping[str, Any], path: Path) -> Template:
    parts = _known(content, "post_processor", ("TemplateProcessing", "BertProcessing"), path)
    if parts["type"] == "BertProcessing":
        return bert_template(int(parts["cls"][1]), int(parts["sep"][1]))
    special = {name: tuple(token["ids"]) for name, token in parts["special_tokens"].items()}

    def places(sequence: Sequence[Mapping[str, Any]], texts: list[str]) -> tuple[Place, ...]:
        found = [part["Sequence"]["id"] for part in sequence if "Sequence" in part]
        if found != texts:
            raise UnknownComponentError(
                f"{path}: the post_processor's template holds the texts {found}; expected {texts}, each once."
            )
        return tuple(
            Place(type=part["Sequence"]["type_id"])
            if "Sequence" in part
            else Place(special[part["SpecialToken"]["id"]], part["SpecialToken"]["type_id"])
            for part in sequence
        )

    return Template(single=places(parts["single"], ["A"]), pair=places(parts["pair"], ["A", "B"]))


def _added(entry: Mapping[str, Any], index: int) -> AddedToken:
    return AddedToken(
        content=entry["content"],
        id=index,
        left_strip=bool(entry.get("lstrip", False)),
        right_strip=bool(entry.get("rstrip", False)),
        single_word=bool(entry.get("single_word", False)),
        normalized=bool(entry.get("normalized", not entry.get("special", False))),
    )


def _assemble(
    path: Path,
    config: Mapping[str, Any],
    defaults: WordPieceDefaults,
    *,
    normalizer: BertNormalizer,
    model: WordPiece,
    added: list[AddedToken],
    template: Template,
) -> TokenizerSpec:
    ids = {piece: index for index, piece in enumerate(model.vocabulary)}
    ids |= {token.content: token.id for token in added}
    for index, entry in (config.get("added_tokens_decoder") or {}).items():
        if entry["content"] not in {token.content for token in added}:
            added.append(_added(entry, int(index)))
            ids.setdefault(entry["content"], int(index))
    for role, token in _special(config, defaults).items():
        index = _id_of(token, role, ids, path)
        if token not in {entry.content for entry in added}:
            added.append(AddedToken(token, index))
    _id_of(model.unknown, "unknown piece", ids, path)
    side = config.get("truncation_side", "right")
    if side not in ("right", "left"):
        raise TokenizerError(
            f"{path.parent}: truncation_side is {side!r} in tokenizer_config.json; expected right or left."
        )
    return TokenizerSpec(
        normalizer=normalizer,
        splitter=BertSplitter(),
        model=model,
        added_tokens=tuple(added),
        template=template,
        pad_id=ids[_special(config, defaults)["pad_token"]],
        truncation_side=side,
        origin=str(path),
    )
