"""A checkpoint's tokenizer files -> spec.

What half a dozen files say together (tokenizer.json, vocab.txt, tokenizer_config.json, special_tokens_map.json,
added_tokens.json) is settled by transformers, in thousands of lines that differ by class and by version. So
`AutoTokenizer` settles it, and the spec is read from the one tokenizer.json that it arrives at: whatever
training code got from these files, we get. What transformers would pass over in silence is checked first.

Where a SentencePiece file is all there is, the slow Python tokenizer over it is the reference: what transformers
makes of it for the Rust library splits otherwise (ALBERT's on most real texts, XLM-RoBERTa's where scores tie).
"""

import json
from pathlib import Path
from typing import Any

from tfclf._transformers import tokenizers, transformers
from tfclf.errors import TokenizerError, UnknownComponentError, VocabularyError, first_line
from tfclf.tokenization.read import files, slow, tokenizer_json
from tfclf.tokenization.spec import TokenizerSpec

_NEEDED_OF_LINES = ("unk_token", "sep_token", "pad_token", "cls_token")


def read(folder: Path) -> TokenizerSpec:
    """The tokenizer of a Hugging Face checkpoint.

    Args:
      folder: holds tokenizer.json, vocab.txt, vocab.json with merges.txt, or a SentencePiece file, and what else
        belongs to its tokenizer.
    Raises: TokenizerError, UnknownComponentError, VocabularyError.
    """
    path = files.check(folder)
    tokenizer = reference(folder)
    if not tokenizer.is_fast:
        return slow.spec_of(tokenizer, path)
    _check_special_tokens(tokenizer, path)
    _check_says_what_it_does(tokenizer, path)
    return tokenizer_json.spec_of(json.loads(tokenizer.backend_tokenizer.to_str()), tokenizer, path)


def reference(folder: Path) -> Any:
    """The tokenizer of transformers whose ids count for this folder: the one that training used.

    Raises: TokenizerError where transformers cannot load it.
    """
    package = transformers()
    try:
        if not files.sentencepiece_file(folder):
            return package.AutoTokenizer.from_pretrained(folder)
        found = package.AutoTokenizer.from_pretrained(folder, use_fast=False)
        # Where tokenizer_config.json names the Rust class, that is what comes, asked for or not.
        return found.slow_tokenizer_class.from_pretrained(folder) if found.is_fast else found
    except Exception as error:  # the Rust library raises Exception itself
        reason = first_line(error)
        raise TokenizerError(
            f"{folder}: transformers cannot load this tokenizer: {reason}. Expected the files that "
            f"tokenizer.save_pretrained writes; save or download them again."
        ) from error


def _check_special_tokens(tokenizer: Any, path: Path) -> None:
    """Transformers adds a special token that the vocabulary lacks, under an id that has no embedding."""
    if tokenizer.pad_token is None:
        raise VocabularyError(
            f"{path.parent}: the tokenizer has no pad_token, and rows of a batch need one; name it in "
            f"tokenizer_config.json."
        )
    if path.name not in ("vocab.txt", "vocab.json"):
        return
    pieces = tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False)
    for role in _NEEDED_OF_LINES:
        token = getattr(tokenizer, role)
        if token is None:
            raise VocabularyError(
                f"{path.parent}: the tokenizer has no {role}; name it in tokenizer_config.json."
            )
        if token not in pieces:
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
        for probe in (
            token.content,
            token.content.lower(),
            f"a {token.content.upper()} b{token.content}c",
        ):
            if backend.encode(probe).ids != written.encode(probe).ids:
                raise UnknownComponentError(
                    f"{path.parent}: its files define the added token {token.content!r} twice, and differently; what "
                    f"transformers makes of that cannot be compiled exactly. Save the tokenizer again with its "
                    f"save_pretrained, and check which of the two training relied on."
                )
