"""A checkpoint's tokenizer files -> spec.

What half a dozen files say together (tokenizer.json, vocab.txt, tokenizer_config.json, special_tokens_map.json,
added_tokens.json) is settled by transformers, in thousands of lines that differ by class and by version. So
`AutoTokenizer` settles it, and the spec is read from the one tokenizer.json that it arrives at: whatever
training code got from these files, we get. What transformers would pass over in silence is checked first.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfclf._transformers import tokenizers, transformers
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
    bert_template,
)

_TEMPLATES = ("TemplateProcessing", "BertProcessing")
_NEEDED = ("unk_token", "sep_token", "pad_token", "cls_token")


def read(folder: Path) -> TokenizerSpec:
    """The tokenizer of a Hugging Face checkpoint.

    Args:
      folder: holds tokenizer.json or vocab.txt, and what else belongs to its tokenizer.
    Raises: TokenizerError, UnknownComponentError, VocabularyError.
    """
    path = _check_files(folder)
    try:
        tokenizer = transformers().AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # the Rust library raises Exception itself
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise TokenizerError(
            f"{folder}: transformers cannot load this tokenizer: {reason}. Expected the files that "
            f"tokenizer.save_pretrained writes; save or download them again."
        ) from error
    if not tokenizer.is_fast:
        raise UnknownComponentError(
            f"{folder}: {type(tokenizer).__name__} has no Rust tokenizer, and its Python code cannot be compiled. "
            f"Expected a tokenizer with a tokenizer.json."
        )
    _check_special_tokens(tokenizer, path)
    _check_says_what_it_does(tokenizer, path)
    return _spec(tokenizer, path)


def _check_files(folder: Path) -> Path:
    """The file that holds the vocabulary, after a look at what transformers does not look at."""
    for name in ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"):
        if (folder / name).is_file():
            _json(folder / name)
    if (folder / "tokenizer.json").is_file():
        content = _json(folder / "tokenizer.json")
        _known(content, "normalizer", ("BertNormalizer",), folder / "tokenizer.json")
        _known(content, "pre_tokenizer", ("BertPreTokenizer",), folder / "tokenizer.json")
        _known(content, "model", ("WordPiece",), folder / "tokenizer.json")
        _known(content, "post_processor", _TEMPLATES, folder / "tokenizer.json")
        return folder / "tokenizer.json"
    if (folder / "vocab.txt").is_file():
        _check_vocabulary_file(folder / "vocab.txt")
        return folder / "vocab.txt"
    raise TokenizerError(
        f"{folder} holds no tokenizer that can be compiled: found {listing(folder)}; expected "
        f"tokenizer.json or vocab.txt. Save the checkpoint's tokenizer there, with its save_pretrained."
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_distinct)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TokenizerError(f"{path} is not JSON ({error}). It may be cut short; download it again.") from error
    except _DuplicateKeyError as error:
        raise VocabularyError(f"{path} has the key {error} twice in one object; expected distinct pieces.") from None
    if not isinstance(content, dict):
        raise TokenizerError(f"{path} holds a JSON {type(content).__name__}; expected an object.")
    return content


class _DuplicateKeyError(Exception):
    pass


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKeyError(next(repr(key) for key in keys if keys.count(key) > 1))
    return content


def _check_vocabulary_file(path: Path) -> None:
    """Transformers takes a piece's last line for its id, and never tells."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise VocabularyError(f"{path} is not UTF-8 ({error}). Expected one piece a line.") from error
    first: dict[str, int] = {}
    for index, piece in enumerate(lines[:-1] if lines[-1] == "" else lines):
        if first.setdefault(piece, index) != index:
            raise VocabularyError(
                f"{path}: line {index + 1} repeats {piece!r} of line {first[piece] + 1}; expected distinct pieces, "
                f"one for each embedding. Take the file that the checkpoint was trained with."
            )


def _check_special_tokens(tokenizer: Any, path: Path) -> None:
    """Transformers adds a special token that the vocabulary lacks, under an id that has no embedding."""
    pieces = tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False)
    for role in _NEEDED:
        token = getattr(tokenizer, role)
        if token is None:
            raise VocabularyError(f"{path.parent}: the tokenizer has no {role}; name it in tokenizer_config.json.")
        if token not in pieces and path.name == "vocab.txt":
            raise VocabularyError(
                f"{path} has {len(pieces)} pieces and {token!r}, the checkpoint's {role}, is not among them. Expected "
                f"every special token in the vocabulary; name the right one as {role} in tokenizer_config.json."
            )


def _check_says_what_it_does(tokenizer: Any, path: Path) -> None:
    """An added token that a second file redefines is matched by one definition and written down by the other."""
    backend = tokenizer.backend_tokenizer
    written = tokenizers().Tokenizer.from_str(backend.to_str())
    written.encode_special_tokens = tokenizer.split_special_tokens
    for token in backend.get_added_tokens_decoder().values():
        for probe in (token.content, token.content.lower(), f"a {token.content.upper()} b{token.content}c"):
            if backend.encode(probe).ids != written.encode(probe).ids:
                raise UnknownComponentError(
                    f"{path.parent}: its files define the added token {token.content!r} twice, and differently; what "
                    f"transformers makes of that cannot be compiled exactly. Save the tokenizer again with its "
                    f"save_pretrained, and check which of the two training relied on."
                )


def _spec(tokenizer: Any, path: Path) -> TokenizerSpec:
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    normalizer = _known(content, "normalizer", ("BertNormalizer",), path)
    _known(content, "pre_tokenizer", ("BertPreTokenizer",), path)
    model = _known(content, "model", ("WordPiece",), path)
    pieces = _in_order(model["vocab"], path)
    if model["unk_token"] not in model["vocab"]:
        raise VocabularyError(f"{path}: the unknown piece {model['unk_token']!r} is not in the vocabulary.")
    # With split_special_tokens they are text like any other.
    kept = [entry for entry in content["added_tokens"] if not (tokenizer.split_special_tokens and entry["special"])]
    return TokenizerSpec(
        normalizer=BertNormalizer(**{key: value for key, value in normalizer.items() if key != "type"}),
        splitter=BertSplitter(),
        model=WordPiece(
            vocabulary=pieces,
            unknown=model["unk_token"],
            prefix=model["continuing_subword_prefix"],
            max_characters=model["max_input_chars_per_word"],
        ),
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
        template=_template(content, path, types="token_type_ids" in tokenizer.model_input_names),
        pad_id=tokenizer.pad_token_id,
        truncation_side=tokenizer.truncation_side,
        origin=str(path),
        padding_side=tokenizer.padding_side,
        token_types="token_type_ids" in tokenizer.model_input_names,
    )


def _known(content: Mapping[str, Any], part: str, types: Sequence[str], path: Path) -> Mapping[str, Any]:
    found = content.get(part)
    kind = found.get("type") if isinstance(found, dict) else found
    # Older files leave a model's type out.
    if part == "model" and isinstance(found, dict) and kind is None and "max_input_chars_per_word" in found:
        return found
    if not isinstance(found, dict) or kind not in types:
        raise UnknownComponentError(
            f"{path}: the {part} is {kind!r}, which cannot be compiled exactly. Expected {' or '.join(types)}. "
            f"tfclf never approximates a tokenizer; please report the checkpoint."
        )
    return found


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


def _template(content: Mapping[str, Any], path: Path, *, types: bool) -> Template:
    """`types`: whether the tokenizer's class hands token types to the model at all."""
    parts = _known(content, "post_processor", _TEMPLATES, path)
    if parts["type"] == "BertProcessing":
        return bert_template(int(parts["cls"][1]), int(parts["sep"][1]), types=types)
    special = {name: tuple(token["ids"]) for name, token in parts["special_tokens"].items()}

    def places(sequence: Sequence[Mapping[str, Any]], texts: list[str]) -> tuple[Place, ...]:
        found = [part["Sequence"]["id"] for part in sequence if "Sequence" in part]
        if found != texts:
            raise UnknownComponentError(
                f"{path}: the post_processor's template holds the texts {found}; expected {texts}, each once."
            )
        return tuple(
            Place(type=part["Sequence"]["type_id"] * types)
            if "Sequence" in part
            else Place(special[part["SpecialToken"]["id"]], part["SpecialToken"]["type_id"] * types)
            for part in sequence
        )

    return Template(single=places(parts["single"], ["A"]), pair=places(parts["pair"], ["A", "B"]))
