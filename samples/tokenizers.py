"""Published tokenizers as checkpoint folders, made from the files in ../shared/vocab."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from samples.checkpoints import write_json
from tfclf._transformers import sentencepiece, transformers


def _writer(
    model_type: str, vocabulary: str, *files: str, **settings: Any
) -> Callable[[Path, Path], Path]:
    def make(shared: Path, folder: Path) -> Path:
        for name in files:
            shutil.copy(shared / "vocab" / vocabulary / name, folder)
        write_json(folder / "config.json", {"model_type": model_type})
        write_json(folder / "tokenizer_config.json", {"model_max_length": 512, **settings})
        return folder

    return make


_MARK = "\u2581"
ALBERT_SPLIT: Mapping[str, Any] = {
    "type": "Sequence",
    "pretokenizers": [
        {"type": "WhitespaceSplit"},
        {"type": "Metaspace", "replacement": _MARK, "str_rep": _MARK, "add_prefix_space": True},
    ],
}


def _xlm_roberta_json(shared: Path, folder: Path) -> Path:
    model = shared / "vocab" / "xlm-roberta-base" / "sentencepiece.bpe.model"
    transformers().XLMRobertaTokenizerFast(str(model)).save_pretrained(folder)
    write_json(folder / "config.json", {"model_type": "xlm-roberta"})
    return folder


def _albert_json(shared: Path, folder: Path) -> Path:
    """Write the hub's own layout: SentencePiece's scores, and a split at white space first."""
    package, _ = sentencepiece()
    model = str(shared / "vocab" / "albert-base-v2" / "spiece.model")
    transformers().AlbertTokenizerFast(model).save_pretrained(folder)
    processor = package.SentencePieceProcessor(model_file=model)
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    count = processor.get_piece_size()
    content["model"]["vocab"] = [
        [processor.id_to_piece(i), processor.get_score(i)] for i in range(count)
    ]
    content["pre_tokenizer"] = ALBERT_SPLIT
    content["added_tokens"] = [entry for entry in content["added_tokens"] if entry["special"]]
    write_json(folder / "tokenizer.json", content)
    write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "AlbertTokenizer", "do_lower_case": True},
    )
    write_json(folder / "config.json", {"model_type": "albert"})
    return folder


PUBLISHED: Mapping[str, Callable[[Path, Path], Path]] = {
    "distilbert-base-uncased, vocab.txt": _writer(
        "distilbert", "distilbert-base-uncased", "vocab.txt", do_lower_case=True
    ),
    "bert-base-cased, vocab.txt": _writer(
        "bert", "bert-base-cased", "vocab.txt", do_lower_case=False
    ),
    "roberta-base, tokenizer.json": _writer("roberta", "roberta-base", "tokenizer.json"),
    "roberta-base, vocab.json": _writer("roberta", "roberta-base", "vocab.json", "merges.txt"),
    "albert-base-v2, spiece.model": _writer("albert", "albert-base-v2", "spiece.model"),
    "albert-base-v2, tokenizer.json": _albert_json,
    "xlm-roberta-base, tokenizer.json": _xlm_roberta_json,
    "xlm-roberta-base, sentencepiece.bpe.model": _writer(
        "xlm-roberta", "xlm-roberta-base", "sentencepiece.bpe.model"
    ),
}
