"""Read a checkpoint's tokenizer files to a spec.

Half a dozen files describe a tokenizer together (tokenizer.json, vocab.txt, tokenizer_config.json,
special_tokens_map.json, added_tokens.json). Transformers settles what they mean, in thousands of
lines that differ by class and by version. So `load_reference` lets `AutoTokenizer` settle it, and
the spec is read from the one tokenizer.json that it arrives at. Training takes the same tokenizer
from the same function. What transformers would pass over in silence is checked first.

If a SentencePiece file is the only vocabulary, the reference is the slow Python tokenizer over it,
except for DeBERTa-v3's.
What transformers makes of that file for the Rust library splits differently: ALBERT's on most real
texts, XLM-RoBERTa's where scores tie.
"""

import json
from pathlib import Path
from typing import Any

from tfclf._transformers import load_pretrained, refuse_own_code, tokenizers
from tfclf.errors import TokenizerError, UnknownComponentError, VocabularyError, first_line
from tfclf.tokenization.file_names import VOCAB_JSON, VOCAB_TXT
from tfclf.tokenization.read import files, slow, tokenizer_json
from tfclf.tokenization.spec import TokenizerSpec

_REQUIRED_ROLES = ("unk_token", "sep_token", "pad_token", "cls_token")


def read(folder: Path) -> TokenizerSpec:
    """Read the tokenizer of a Hugging Face checkpoint.

    Args:
      folder: holds tokenizer.json, vocab.txt, vocab.json with merges.txt, or a SentencePiece file,
        and whatever else belongs to its tokenizer.
    Raises: TokenizerError, UnknownComponentError, VocabularyError.
    """
    path = files.check(folder)
    tokenizer = load_reference(folder)
    if not tokenizer.is_fast:
        return slow.spec_of(tokenizer, path)
    _check_special_tokens(tokenizer, path)
    _check_added_tokens(tokenizer, path)
    return tokenizer_json.spec_of(json.loads(tokenizer.backend_tokenizer.to_str()), tokenizer, path)


def load_reference(folder: Path) -> Any:
    """Load the tokenizer of transformers whose ids count for this folder.

    Reading, verifying and training all take it from here:

    | vocabulary in the folder | tokenizer |
    |-|-|
    | tokenizer.json, whatever else there is | fast (Rust), as `AutoTokenizer` loads it |
    | vocab.txt, or vocab.json and merges.txt | fast: the conversion is one to one |
    | spm.model with byte fallback (DeBERTa-v3) | fast, as `AutoTokenizer` converts it |
    | another SentencePiece file | slow (Python): transformers 4.57 converts ALBERT's wrongly |

    Raises: TokenizerError if transformers cannot load it; CheckpointError if it is Python code of
      the checkpoint's own.
    """
    refuse_own_code(folder)
    try:
        if files.slow_file(folder) is None:
            return load_pretrained("AutoTokenizer", folder)
        tokenizer = load_pretrained("AutoTokenizer", folder, use_fast=False)
        # If tokenizer_config.json names the fast class, transformers returns that one regardless.
        if tokenizer.is_fast:
            tokenizer = load_pretrained(tokenizer.slow_tokenizer_class, folder)
        return tokenizer
    except Exception as error:  # the Rust library raises Exception itself
        raise TokenizerError(
            f"{folder}: transformers cannot load this tokenizer: {first_line(error)}. Expected the "
            f"files that tokenizer.save_pretrained writes; save or download them again."
        ) from error


def _check_special_tokens(tokenizer: Any, path: Path) -> None:
    """Refuse a special token that the vocabulary lacks.

    Transformers would add it, under an id that has no embedding.
    """
    if tokenizer.pad_token is None:
        raise VocabularyError(
            f"{path.parent}: the tokenizer has no pad_token, and rows of a batch need one; name it "
            f"in tokenizer_config.json."
        )
    if path.name not in (VOCAB_TXT, VOCAB_JSON):
        return
    pieces = tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False)
    for role in _REQUIRED_ROLES:
        token = getattr(tokenizer, role)
        if token is None:
            raise VocabularyError(
                f"{path.parent}: the tokenizer has no {role}; name it in tokenizer_config.json."
            )
        if token not in pieces:
            raise VocabularyError(
                f"{path} has {len(pieces)} pieces and {token!r}, the checkpoint's {role}, is not "
                f"among them. Expected every special token in the vocabulary; name the right one "
                f"as {role} in tokenizer_config.json."
            )


def _check_added_tokens(tokenizer: Any, path: Path) -> None:
    """Refuse an added token that two files define differently, or that normalization empties.

    Transformers then matches by one definition and writes down the other. An empty token matches
    between any two characters, so the Rust library splits every text there.
    """
    backend = tokenizer.backend_tokenizer
    # First of all, because the Rust library panics on some texts beside such a token.
    added = list(backend.get_added_tokens_decoder().values())
    for token in added:
        _check_not_emptied(token, backend, path)
        if token.lstrip and token.content.isspace() and any(other.rstrip for other in added):
            raise UnknownComponentError(
                f"{path.parent}: the added token {token.content!r} is white space with "
                f"lstrip=true; the reference drops it behind a token with rstrip=true, which "
                f"cannot be compiled exactly. Expected lstrip=false. Please report the checkpoint."
            )
    written = tokenizers().Tokenizer.from_str(backend.to_str())
    written.encode_special_tokens = tokenizer.split_special_tokens
    for token in backend.get_added_tokens_decoder().values():
        content = token.content
        for probe in (content, content.lower(), f"a {content.upper()} b{content}c"):
            if backend.encode(probe).ids != written.encode(probe).ids:
                raise UnknownComponentError(
                    f"{path.parent}: its files define the added token {content!r} twice, and "
                    f"differently; the result in transformers cannot be compiled exactly. Save the "
                    f"tokenizer again with its save_pretrained, and check which of the two "
                    f"training relied on."
                )


def _check_not_emptied(token: Any, backend: Any, path: Path) -> None:
    if not token.normalized or not token.content or backend.normalizer is None:
        return
    if not backend.normalizer.normalize_str(token.content):
        raise UnknownComponentError(
            f"{path.parent}: of the added token {token.content!r}, normalization leaves nothing, "
            f"and the reference then splits every text into single characters. Expected a token "
            f"that survives it, or one with normalized=false. Take the token out, and train again: "
            f"a model that was trained so has seen characters, not words."
        )
