"""Classifier: strings in, labels and scores out, from a live graph or an export."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypedDict, overload

import numpy as np

from tfclf.classifier.calls import BATCH, ModelCalls
from tfclf.classifier.columns import Columns, decide_columns, run_by_length
from tfclf.classifier.explaining import run_explain
from tfclf.decision import Decide, Rule, Threshold
from tfclf.errors import InputError
from tfclf.explanation import Explanation
from tfclf.inputs import IndexedTexts, as_pairs
from tfclf.prediction import Prediction, make_html_table, make_predictions, shorten_labels
from tfclf.progress import match_texts
from tfclf.saved_model import signature_names as names

if TYPE_CHECKING:
    from typing_extensions import Unpack

LOOK_AHEAD = 64  # batches of a list that are sorted by length together


class _ExplainOptions(TypedDict, total=False):
    """The options of `explain` on which the type of its result does not depend."""

    long: str
    stride: int | None
    batch_size: int
    progress: bool


class _PredictOptions(_ExplainOptions, total=False):
    """Those of `predict`."""

    top_k: int | None
    threshold: Threshold | None


class Classifier(ModelCalls):
    """A text classifier.

    >>> clf = tfclf.load("saved_models/distilbert_mini_sequence_classifier_ag_news")
    >>> clf.predict(["Ceasefire talks resume after a night of shelling"])[0].label
    'World'

    Call it like a tf.function; it also works inside another one, or in `tf.data.Dataset.map`:
    string[batch] -> label string[batch], score float32[batch], probabilities and logits
    float32[batch, classes]. For a regression `score` is the value, and there are no probabilities.

    A classifier that `tfclf.load` made can be pickled: unpickling loads its model again, from the
    same path. It does not survive a fork of its process; a call in the child is an error.

    Attributes:
      manifest: family, engine, precision and, for an export, its certificate.
      xla: whether calls go to the signature `serving_xla`.
      reload: loads the model again, for pickling; None if it has no path of its own.
    """

    reload: Callable[[], Classifier] | None = None

    def __repr__(self) -> str:
        facts = self.manifest
        return (
            f"<tfclf.Classifier {facts.name}: {facts.family}, {facts.engine} {facts.precision}, "
            f"labels {shorten_labels(self.labels)}; max_length {self.max_length}>"
        )

    def _repr_html_(self) -> str:
        """Return a table for a notebook."""
        facts = self.manifest
        rows = [(name, getattr(facts, name)) for name in ("family", "engine", "precision")]
        rows += [("labels", shorten_labels(self.labels)), ("max_length", self.max_length)]
        return make_html_table(f"tfclf.Classifier {facts.name}", [*rows, ("xla", self.xla)])

    def __reduce__(self) -> tuple[Callable[..., Classifier], tuple[Callable[[], Classifier], str]]:
        if self.reload is None:
            raise InputError(
                f"{self.manifest.name} was built in this process and has no path to be loaded from "
                f"again, so it cannot be pickled. Export it, and pickle the result of tfclf.load."
            )
        # With its fingerprint: a cache by pickled bytes, such as that of `datasets`, then sees that
        # the path holds another model.
        return _reload, (self.reload, self.fingerprint)

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash that tells this model from others: of an export's checksums, or of the weights."""
        facts = {**self.manifest.to_dict(), "xla": self.xla}
        # Proving a model again does not change it, and neither does another path.
        del facts["certificate"], facts["source"]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        if not self.manifest.checksums:
            for variable in self.variables:
                digest.update(variable.numpy().tobytes())
        return digest.hexdigest()

    # The overloads overlap on purpose: only a value whose type has an index gives a list. The last
    # three are the first three with `abstain_below`.
    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        texts: str,
        *,
        pairs: str | None = None,
        abstain_below: None = None,
        **options: Unpack[_PredictOptions],
    ) -> Prediction: ...
    @overload
    def predict(
        self,
        texts: IndexedTexts,
        *,
        pairs: Iterable[str] | None = None,
        abstain_below: None = None,
        **options: Unpack[_PredictOptions],
    ) -> list[Prediction]: ...
    @overload
    def predict(
        self,
        texts: Iterable[str],
        *,
        pairs: Iterable[str] | None = None,
        abstain_below: None = None,
        **options: Unpack[_PredictOptions],
    ) -> Iterator[Prediction]: ...
    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        texts: str,
        *,
        pairs: str | None = None,
        abstain_below: float,
        **options: Unpack[_PredictOptions],
    ) -> Prediction[str | None]: ...
    @overload
    def predict(
        self,
        texts: IndexedTexts,
        *,
        pairs: Iterable[str] | None = None,
        abstain_below: float,
        **options: Unpack[_PredictOptions],
    ) -> list[Prediction[str | None]]: ...
    @overload
    def predict(
        self,
        texts: Iterable[str],
        *,
        pairs: Iterable[str] | None = None,
        abstain_below: float,
        **options: Unpack[_PredictOptions],
    ) -> Iterator[Prediction[str | None]]: ...
    def predict(
        self,
        texts: Iterable[str],
        *,
        pairs: Iterable[str] | None = None,
        top_k: int | None = None,
        threshold: Threshold | None = None,
        abstain_below: float | None = None,
        long: str = "truncate",
        stride: int | None = None,
        batch_size: int = BATCH,
        progress: bool = False,
    ) -> (
        Prediction[str | None] | list[Any] | Iterator[Any]
    ):  # the overloads say what the list and the iterator hold
        """Classify texts; the predictions come in their order.

        | texts | result |
        |-|-|
        | one str | its `Prediction` |
        | a list, tuple, Series, array or tensor | a list |
        | any other iterable: a generator, a `tf.data.Dataset` | an iterator, in constant memory |

        Texts of a list share batches with texts of like length, which is faster; an iterator is
        read batch by batch, in its own order.

        Args:
          texts: what to classify.
          pairs: the second text of each row, as many as there are texts; one str for one str.
          top_k: how many of the likeliest labels to list in `top`; more than there are lists all.
          threshold: for a multi-label model, the probability from which a label is among `labels`:
            one number; a mapping from label to number, 0.5 for others; a sequence in the order of
            the model's labels; or "calibrated" for those that `tfclf.calibrate` found.
          abstain_below: probability below which `label` is None, with the `reason`.
          long: what to do with a text that is too long: 'truncate' cuts it as in training;
            'windows' reads all of it in overlapping windows and returns the mean of their logits,
            each weighted by its tokens of text (tokens that two windows share count twice). A text
            that fits gets the same result either way.
          stride: tokens that a window shares with the window before it; by default a quarter of
            `max_length`.
          batch_size: rows in one call of the graph. Larger batches help if texts are short.
          progress: show a progress bar on standard error if it takes longer than a second.
        Raises: InputError for anything but text, with its index; if the numbers of texts and pairs
          differ; for options that do not exist, exclude one another or do not fit the model.
        """
        decide = self.bind_rule(Rule.of(top_k, threshold, abstain_below))
        is_one = isinstance(texts, str)
        columns = self._predict_columns(
            [texts] if is_one else texts,
            as_pairs(pairs) if is_one else pairs,
            long=long,
            stride=stride,
            batch_size=batch_size,
            look_ahead=LOOK_AHEAD if isinstance(texts, IndexedTexts) else 1,
        )
        predictions: Iterator[Prediction] = itertools.chain.from_iterable(
            make_predictions(
                {name: column.tolist() for name, column in part.items()}, self.labels, decide
            )
            for part in columns
        )
        return match_texts(texts, predictions, progress=progress)  # type: ignore[no-any-return]

    def bind_rule(self, rule: Rule | None) -> Decide | None:
        """Check ranks, thresholds and abstention against this model. Raises: InputError."""
        return self.manifest.bind(rule)

    def decide_columns(self, columns: Columns, rule: Rule | None) -> Columns:
        """Apply a rule to the columns of `predict_columns`. Raises: InputError, as `bind_rule`."""
        decide = self.bind_rule(rule)
        if rule is None or decide is None:
            return columns
        return decide_columns(columns, decide, rule.columns)

    @overload
    def explain(  # type: ignore[overload-overlap]
        self,
        texts: str,
        *,
        pairs: str | None = None,
        **options: Unpack[_ExplainOptions],
    ) -> Explanation: ...
    @overload
    def explain(
        self,
        texts: IndexedTexts,
        *,
        pairs: Iterable[str] | None = None,
        **options: Unpack[_ExplainOptions],
    ) -> list[Explanation]: ...
    @overload
    def explain(
        self,
        texts: Iterable[str],
        *,
        pairs: Iterable[str] | None = None,
        **options: Unpack[_ExplainOptions],
    ) -> Iterator[Explanation]: ...
    def explain(
        self,
        texts: Iterable[str],
        *,
        pairs: Iterable[str] | None = None,
        long: str = "truncate",
        stride: int | None = None,
        batch_size: int = BATCH,
        progress: bool = False,
    ) -> Explanation | list[Explanation] | Iterator[Explanation]:
        """Classify texts, and find how much each of their words moved the predicted label.

        >>> word = clf.explain("Shares jump after earnings").words[1]
        >>> word.text, word.start, word.end, round(word.effect, 1)
        ('jump', 7, 11, ...)

        Each word is left out of its text in turn, and the shorter text is classified: a word's
        effect is the difference of the logits. So a text of 40 words costs 41 times as much as
        `predict`. Of a very long text only a part is explained; its explanation says so
        (`complete`).

        Args: as those of `predict`, with the same kinds of results.
        Raises: as `predict`.
        """
        is_one = isinstance(texts, str)
        rows = self._check_rows(
            [texts] if is_one else texts, as_pairs(pairs) if is_one else pairs, batch_size
        )
        step = self._check_long(has_pairs=pairs is not None, long=long, stride=stride)
        name = names.EXPLAIN_PAIRS if pairs is not None else names.EXPLAIN
        explain = self._choose_explain(names.EXPLAIN_WINDOWS if step is not None else name)
        run = functools.partial(run_explain, explain, stride=step, labels=self.labels)
        explanations: Iterator[Explanation] = itertools.chain.from_iterable(
            self._read_ahead(rows, batch_size, run)
        )
        return match_texts(texts, explanations, progress=progress)  # type: ignore[no-any-return]

    def predict_columns(
        self,
        texts: IndexedTexts,
        *,
        pairs: Iterable[str] | None = None,
        top_k: int | None = None,
        threshold: Threshold | None = None,
        abstain_below: float | None = None,
        long: str = "truncate",
        stride: int | None = None,
        batch_size: int = BATCH,
        streams: int = 1,
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Classify a list of texts into columns, for tables: no object is made per row.

        >>> columns = clf.predict_columns(["Ceasefire talks resume", "Late goal wins the cup"])
        >>> columns["label"].tolist(), columns["probabilities"].shape
        (['World', 'Sports'], (2, 4))

        The arguments are those of `predict`. Texts of like length share batches, so the last digits
        of a score depend on the other texts of the list, as they do on `batch_size`.

        Args:
          streams: batches that run at the same time, one thread each. It helps on a CPU if
            TensorFlow gives each batch one core:
            `tf.config.threading.set_intra_op_parallelism_threads(1)`, before its first op.

        Returns: in the order of the texts: label object[rows] of str; score float32[rows];
          probabilities float32[rows, classes], but for a regression; truncated bool[rows] (object
          with None for an export by an older version, which cannot tell); with long='windows' also
          windows int32[rows]; with top_k top, with threshold labels, both object[rows] of lists of
          labels; with abstain_below reason, object[rows] of str or None, and label is None there.
        Raises: InputError as `predict`; also if texts is no list, array, Series or tensor.
        """
        if isinstance(texts, str | bytes) or not isinstance(texts, IndexedTexts):
            raise InputError(
                f"texts is a {type(texts).__name__}; expected a list, array, Series or tensor of "
                f"texts. Make a list of it, or call predict, which takes iterators."
            )
        rule = Rule.of(top_k, threshold, abstain_below)
        self.bind_rule(rule)  # before a text is read
        columns = self._predict_all(
            texts, pairs, long=long, stride=stride, batch_size=batch_size, streams=streams
        )
        return self.decide_columns(columns, rule)

    def _predict_all(
        self,
        texts: IndexedTexts,
        pairs: Iterable[str] | None,
        *,
        long: str,
        stride: int | None,
        batch_size: int,
        streams: int,
    ) -> Columns:
        parts = list(
            self._predict_columns(
                texts,
                pairs,
                long=long,
                stride=stride,
                batch_size=batch_size,
                look_ahead=LOOK_AHEAD,
                streams=streams,
            )
        )
        if not parts:
            # One row shows which columns there are, and of which types.
            (row,) = self._predict_columns(
                [""],
                None if pairs is None else [""],
                long=long,
                stride=stride,
                batch_size=1,
                look_ahead=1,
            )
            return {name: column[:0] for name, column in row.items()}
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _predict_columns(
        self,
        texts: Iterable[Any],
        pairs: Iterable[Any] | None,
        *,
        long: str,
        stride: int | None,
        batch_size: int,
        look_ahead: int,
        streams: int = 1,
    ) -> Iterator[Columns]:
        """Check the arguments, and classify `look_ahead` batches at a time."""
        rows = self._check_rows(texts, pairs, batch_size)
        if not isinstance(streams, int) or streams < 1:
            raise InputError(f"streams is {streams!r}; expected a whole number above 0.")
        model = self._choose_model(has_pairs=pairs is not None, long=long, stride=stride)
        run = functools.partial(run_by_length, batch_size=batch_size, model=model, streams=streams)
        return self._read_ahead(rows, batch_size * look_ahead, run)


def _reload(reload: Callable[[], Classifier], fingerprint: str) -> Classifier:  # noqa: ARG001
    return reload()
