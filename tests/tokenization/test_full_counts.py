"""`make verify`: differing rows of every tokenizer on whole corpora and a million hostile strings.

The reference is the tokenizer that `load_reference(folder)` returns (tokenizers 0.22,
sentencepiece 0.2, transformers 4.57).
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from samples import corpora
from samples.tokenizers import PUBLISHED
from tests.counts import Counts
from tests.tokenization.reference import Pair
from tfclf._transformers import transformers

pytestmark = pytest.mark.verify

_REAL: dict[str, Callable[[Path], Sequence[str]]] = {
    "AG News": corpora.ag_news,
    "IMDB": corpora.imdb,
    "AlloCine": corpora.allocine,
}


@pytest.fixture(scope="module", params=sorted(PUBLISHED))
def published(
    request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Pair]:
    """A published tokenizer, compiled, beside its reference."""
    folder = PUBLISHED[request.param](shared, tmp_path_factory.mktemp("published"))
    return request.param, Pair(folder, whole=True)


@pytest.mark.parametrize("corpus", sorted(_REAL))
def test_no_real_row_differs(
    published: tuple[str, Pair], corpus: str, shared: Path, counts: Counts
) -> None:
    name, pair = published
    assert _count_differing(name, pair, corpus, _REAL[corpus](shared), counts) == 0


def test_at_most_one_hostile_string_in_100_000_differs(
    published: tuple[str, Pair], shared: Path, counts: Counts, request: pytest.FixtureRequest
) -> None:
    name, pair = published
    many = int(request.config.getoption("--hostile"))
    rows = [*corpora.ag_news(shared), *corpora.allocine(shared)]
    differing = _count_differing(
        name, pair, "hostile", corpora.hostile(many, seed=7, rows=rows), counts
    )
    assert differing <= max(1, many // 100_000)


# Rust sums scores in float64, SentencePiece in float32: the longer a text, the likelier a tie that
# they break differently.
_OF_1000_AGAINST_RUST = {"AG News": 1, "AlloCine": 1, "IMDB": 2}


def test_xlm_roberta_differs_from_the_rust_tokenizer_in_few_real_rows(
    shared: Path, tmp_path: Path, counts: Counts
) -> None:
    folder = PUBLISHED["xlm-roberta-base, sentencepiece.bpe.model"](shared, tmp_path)
    pair = Pair(folder, other=transformers().AutoTokenizer.from_pretrained(folder), whole=True)
    for corpus, rows in _REAL.items():
        texts = rows(shared)
        assert (
            _count_differing("xlm-roberta-base, against Rust", pair, corpus, texts, counts)
            <= _OF_1000_AGAINST_RUST[corpus] * len(texts) // 1_000
        )


def _count_differing(
    name: str, pair: Pair, corpus: str, texts: Iterable[str], counts: Counts
) -> int:
    compared = 0

    def count_texts() -> Iterable[str]:
        nonlocal compared
        for text in texts:
            compared += 1
            yield text

    differences = list(pair.differences(count_texts()))
    counts.add(name, corpus, rows=compared, differing=len(differences))
    for difference in differences[:3]:
        counts.note(f"{name}, {corpus}: {difference.text[:100]!r}")
    return len(differences)
