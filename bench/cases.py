"""The cases: one per family, with the sizes of its base checkpoint, on the texts it is made for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One family at its real size.

    Attributes:
      sizes: values of the real config.json that differ from the config class's defaults.
      vocabulary: its folder under ../shared/vocab; None for the bundled model's files.
      tokenizer: its name in the tables.
      data: the texts, by a name that bench.material knows.
      texts: number of texts per run; fewer if they are long.
    """

    model_type: str
    name: str
    vocabulary: str | None
    tokenizer: str
    data: str
    texts: int
    sizes: Mapping[str, Any] = field(default_factory=dict)


_ROBERTA = {"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}

CASES = (
    Case("distilbert", "DistilBERT-base", None, "uncased WordPiece", "AG News", 256),
    Case("bert", "BERT-base", None, "uncased WordPiece", "AG News", 128),
    Case(
        "electra",
        "ELECTRA-base",
        None,
        "uncased WordPiece",
        "AG News",
        128,
        {
            "embedding_size": 768,
            "hidden_size": 768,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
        },
    ),
    Case(
        "albert",
        "ALBERT-base-v2",
        "albert-base-v2",
        "Unigram, spiece.model",
        "AG News",
        128,
        {
            "embedding_size": 128,
            "hidden_size": 768,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
        },
    ),
    Case(
        "roberta",
        "RoBERTa-base",
        "roberta-base",
        "byte-level BPE",
        "IMDB",
        64,
        {"vocab_size": 50265, **_ROBERTA},
    ),
    Case(
        "xlm-roberta",
        "XLM-RoBERTa-base",
        "xlm-roberta-base",
        "Unigram, sentencepiece.bpe.model",
        "AlloCine",
        64,
        {"vocab_size": 250002, **_ROBERTA},
    ),
)


@dataclass(frozen=True)
class TokenizerCase:
    """A tokenizer alone, in a file layout that no case above has.

    Attributes:
      key: the name of its results.
      published: its key in `samples.tokenizers.PUBLISHED`.
      vocabulary, tokenizer, data: see `Case`.
    """

    key: str
    published: str
    vocabulary: str
    tokenizer: str
    data: str


TOKENIZERS = (
    TokenizerCase(
        "albert_json",
        "albert-base-v2, tokenizer.json",
        "albert-base-v2",
        "Unigram, ALBERT's tokenizer.json",
        "AG News",
    ),
    TokenizerCase(
        "xlm-roberta_json",
        "xlm-roberta-base, tokenizer.json",
        "xlm-roberta-base",
        "Unigram, XLM-R's tokenizer.json",
        "AlloCine",
    ),
)
