"""A page for each card, and a table of all, made from the TOML files in tfclf/catalog/cards."""

import json
import textwrap
from collections.abc import Iterable, Iterator

from tfclf.catalog.cards import Card, cards, snippet

FOLDER = "models"
_METRICS = {
    "eval_loss": "mean cross-entropy",
    "eval_accuracy": "",
    "eval_f1": "micro average; equals the accuracy for single labels",
    "eval_precision": "micro average; equals the accuracy for single labels",
    "eval_recall": "micro average; equals the accuracy for single labels",
    "eval_runtime": "seconds, on the publisher's machine",
    "eval_samples_per_second": "on the publisher's machine",
    "eval_steps_per_second": "on the publisher's machine",
}
_DATA_SETS = {"ag_news": "AG News", "imdb": "IMDB", "allocine": "AlloCiné"}
_LANGUAGES = {"en": "English", "fr": "French"}
_SPARK_NLP = """\
import sparknlp
from pyspark.ml import Pipeline
from sparknlp.annotator import {annotator}, Tokenizer
from sparknlp.base import DocumentAssembler

spark = sparknlp.start()
document_assembler = DocumentAssembler().setInputCol("text").setOutputCol("document")
tokenizer = Tokenizer().setInputCols(["document"]).setOutputCol("token")
classifier = (
    {annotator}.pretrained("{name}", "{language}")
    .setInputCols(["token", "document"])
    .setOutputCol("class")
    .setCaseSensitive({case_sensitive})
    .setMaxSentenceLength({max_length})
)
pipeline = Pipeline(stages=[document_assembler, tokenizer, classifier])
example = spark.createDataFrame([[{example}]]).toDF("text")
result = pipeline.fit(example).transform(example)
"""


def address(card: Card) -> str:
    """Return the address of a card's page on the site."""
    return f"{FOLDER}/{card.name}.md"


def pages() -> dict[str, str]:
    """Return address -> Markdown: one page per card, and `index.md` with all of them."""
    return {f"{FOLDER}/index.md": overview(), **{address(card): page(card) for card in cards()}}


def overview() -> str:
    """Return the table of all cards."""
    rows = (
        (
            "<br>".join(
                (f"[{card.title}]({card.name}.md)", *(f"`{one}`" for one in card.nlu_references))
            ),
            _language(card),
            card.family,
            ", ".join(card.labels),
            _round_accuracy(card),
            _size(card),
        )
        for card in cards()
    )
    heads = (
        "card, NLU reference",
        "language",
        "family",
        "labels",
        "published accuracy",
        "archive",
    )
    return _joined(
        "# Cards",
        "The published models that tfclf knows by name. A card is a TOML file in "
        "`tfclf/catalog/cards`. These pages come from the same files that `tfclf cards`, "
        "`tfclf pull` and `tfclf train --card` read.",
        _table(heads, rows),
        "In a terminal, `tfclf cards` lists them and `tfclf cards NAME` shows one.",
    )


def page(card: Card) -> str:
    """Return one card's page: what it is, how to run, train and measure it, here and as before."""
    return _joined(
        f"# {card.title}",
        card.description,
        _table(("", ""), _facts(card)),
        "## Run it",
        *_run(card),
        "## Export and serve it",
        *_serve(card),
        "## Train it again",
        *_train(card),
        "## Published figures",
        *_figures(card),
        *(("## Notes", card.notes) if card.notes else ()),
    )


def _facts(card: Card) -> Iterator[tuple[str, str]]:
    yield "name", f"`{card.name}`"
    yield "NLU reference", ", ".join(f"`{one}`" for one in card.nlu_references) or "none"
    yield "language", _language(card)
    yield "family", card.family
    yield "labels", ", ".join(f"`{label}`" for label in card.labels)
    yield "length", f"{card.max_length} tokens"
    yield "case", "kept" if card.case_sensitive else "lower-cased"
    yield "licence", card.licence
    yield "published", card.published.isoformat()
    if card.spark_nlp is not None:
        yield "Spark NLP", f"`{card.spark_nlp.annotator}`, {card.spark_nlp.compatibility}"
    if card.archive is not None:
        yield (
            "archive",
            f"<{card.archive.url}>" + (f" ({card.archive.size})" if card.archive.size else ""),
        )
        yield "SHA-256", f"`{card.archive.sha256}`" if card.archive.sha256 else "not published"
    if card.hub_model is not None:
        yield "checkpoint on the hub", f"`{card.hub_model}`"
    if card.saved_model is not None:
        yield "export", f"`{card.saved_model}`, in a clone of the repository"


def _run(card: Card) -> Iterator[str]:
    here = card.saved_model is not None
    shell = snippet.shell(card)
    steps = _block(f"sh no-run: {_why_not(card)}", shell) + "\n\n" if shell else ""
    steps += _block(
        "python" if here else "python no-run: needs the model that the commands above fetch",
        snippet.python(card),
    )
    if card.spark_nlp is None:
        yield steps
        return
    yield "With tfclf, and with the two libraries that ran it before:"
    yield _tab("tfclf", steps)
    yield _tab("NLU", _block("python no-run: NLU and Spark NLP need a JVM", _nlu(card)))
    yield _tab("Spark NLP", _block("python no-run: Spark NLP needs a JVM", _spark_nlp(card)))
    yield (
        "tfclf gives the whole text to the tokenizer of training. Spark NLP splits it into words "
        "first, and tokens can differ: [From Spark NLP](../spark-nlp.md). "
        "[Get a model](../pull.md) says where the model is kept, and what to do without a network."
    )


def _why_not(card: Card) -> str:
    if card.archive is None and card.hub_model is None:
        return "takes hours"
    return (
        f"downloads {card.archive.size}"
        if card.archive and card.archive.size
        else "downloads the model"
    )


def _nlu(card: Card) -> str:
    return f'import nlu\n\nnlu.load("{snippet.reference(card)}").predict("""{card.example}""")'


def _spark_nlp(card: Card) -> str:
    assert card.spark_nlp is not None
    return _SPARK_NLP.format(
        annotator=card.spark_nlp.annotator,
        name=card.name,
        language=card.language,
        case_sensitive=card.case_sensitive,
        max_length=card.max_length,
        example=json.dumps(card.example, ensure_ascii=False),
    )


def _serve(card: Card) -> Iterator[str]:
    if card.saved_model is not None:
        yield (f"It is an export already, and carries its proof (`tfclf show {card.saved_model}`):")
        yield _block(
            "sh no-run: runs until it is stopped",
            f"tfclf serve {card.saved_model} --model-name {card.name}",
        )
        return
    folder = f"saved_models/{card.name}"
    yield _block(
        f"sh no-run: {_why_not(card)} if it is not on this machine yet",
        f"tfclf export {snippet.reference(card)} {folder}\ntfclf serve {folder}",
    )
    yield (
        "[Serving](../serving.md) says how to call it, and how TF Serving serves the same folder."
    )


def _train(card: Card) -> Iterator[str]:
    training = card.training
    base = training.base_model
    yield f"Data: {_data_set(card)}, {training.test_rows:,} test rows."
    if base is not None:
        yield _block(
            "sh no-run: needs the data set and the base model, and hours",
            f"tfclf train --card {card.name} --data FOLDER --output {card.name}",
        )
    rows = (
        (
            f"`{key}`",
            f"`{value}`",
            "chosen here; the card does not give it" if key in training.assumed else "",
        )
        for key, value in {"base_model": base or "none: see the notes", **training.recipe}.items()
    )
    yield _table(("recipe", "", ""), rows)


def _figures(card: Card) -> Iterator[str]:
    yield f"On the {card.training.test_rows:,} test rows of {_data_set(card)}:"
    rows = (
        (f"`{key}`", figure(value), _METRICS.get(key, "")) for key, value in card.metrics.items()
    )
    yield _table(("metric", "as published", ""), rows, right=1)
    if card.metrics_by_class:
        kinds = tuple(
            dict.fromkeys(kind for figures in card.metrics_by_class.values() for kind in figures)
        )
        yield _table(
            ("label", *kinds),
            (
                (label, *(figure(figures[kind]) for kind in kinds))
                for label, figures in card.metrics_by_class.items()
            ),
        )
    where = card.saved_model or f"saved_models/{card.name}"
    yield "To measure a model against them:"
    yield _block(
        "sh no-run: needs the data set", f"tfclf evaluate {where} TEST_ROWS --card {card.name}"
    )


def _data_set(card: Card) -> str:
    return _DATA_SETS.get(card.training.data_set, card.training.data_set)


def _language(card: Card) -> str:
    return _LANGUAGES.get(card.language, card.language)


def _round_accuracy(card: Card) -> str:
    accuracy = card.metrics.get("eval_accuracy")
    return "" if accuracy is None else f"{accuracy:.4f}"


def _size(card: Card) -> str:
    if card.saved_model is not None:
        return "in a clone"
    return (card.archive.size or "size not published") if card.archive else "none"


def figure(value: float) -> str:
    """Return every digit as published; a whole number without a point."""
    return f"{value:,.0f}" if float(value).is_integer() else repr(value)


def _block(info: str, code: str) -> str:
    return f"```{info}\n{code.rstrip()}\n```"


def _tab(title: str, content: str) -> str:
    return f'=== "{title}"\n\n' + textwrap.indent(content, "    ")


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]], *, right: int | None = None) -> str:
    heads = tuple(heads)
    rule = ["-:" if column == right else "-" for column in range(len(heads))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def _joined(*parts: str) -> str:
    return "\n\n".join(parts) + "\n"
