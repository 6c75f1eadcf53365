"""Published tokenizers as checkpoint folders, made of the files in ../shared/vocab."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.checkpoints import write_json


def _of(model_type: str, vocabulary: str, *files: str, **settings: Any) -> Callable[[Path, Path], Path]:
    def make(shared: Path, folder: Path) -> Path:
        for name in files:
            shutil.copy(shared / "vocab" / vocabulary / name, folder)
        write_json(folder / "config.json", {"model_type": model_type})
        write_json(folder / "tokenizer_config.json", {"model_max_length": 512, **settings})
        return folder

    return make


PUBLISHED: Mapping[str, Callable[[Path, Path], Path]] = {
    "distilbert-base-uncased, vocab.txt": _of("distilbert", "distilbert-base-uncased", "vocab.txt", do_lower_case=True),
    "bert-base-cased, vocab.txt": _of("bert", "bert-base-cased", "vocab.txt", do_lower_case=False),
    "roberta-base, tokenizer.json": _of("roberta", "roberta-base", "tokenizer.json"),
    "roberta-base, vocab.json": _of("roberta", "roberta-base", "vocab.json", "merges.txt"),
}
