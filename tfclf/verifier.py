"""Proof of equality: the original tokenizer and model run beside an export, on the same strings."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfclf._version import package_versions
from tfclf.catalog import resolve
from tfclf.checkpoints.checkpoint import Checkpoint, Reference
from tfclf.checkpoints.files import hash_checkpoint
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.classifier import Classifier
from tfclf.errors import InputError
from tfclf.loader import load_checkpoint, load_export
from tfclf.problem_types import activation_of
from tfclf.progress import show_progress
from tfclf.sample_texts import HEADLINES, hostile_texts
from tfclf.saved_model.certificate import Agreement, Certificate, Difference, agrees
from tfclf.saved_model.versions import latest_version

# Largest logit difference that still counts as equal, for logits up to 1; larger logits scale it.
# int8 has none: it agrees with the original, and is never called equal.
TOLERANCES = {"float32": 1e-5, "bfloat16": 5e-2}
# Of the labels, for int8. Most built-in texts are hostile strings, between whose labels a model has
# hardly a preference.
_LEAST_AGREEMENT = {"given": 0.99, "built-in": 0.95}
_ROWS = 16  # of a batch for the model; the tokenizer takes _CHUNK at once
_CHUNK = 8 * _ROWS
_BUILT_IN_HOSTILE = 500
_SHOWN_DIFFERENCES = 5
_SHOWN_CHARACTERS = 200
_PIECES_PER_TEXT = 100
_LONGEST_ROW_OF_IDS = 512
# Rows of raw ids, beside the two longest: shapes of 1 and around powers of two are special to some
# models.
_LENGTHS = (1, 2, 3, 7, 8, 9, 64, 65)


def verify(
    path: str | Path,
    source: str | Path,
    texts: Iterable[str] | None = None,
    *,
    progress: bool = False,
) -> Certificate:
    """Compare an export with the checkpoint it came from, and store the certificate in the export.

    The original runs as its own library runs it: eagerly, from its own files.

    >>> import tfclf
    >>> tfclf.verify("saved_models/news/1", "my_checkpoint").equal  # doctest: +SKIP
    True

    Beside an export in bfloat16 or int8 the lean engine runs in float32 on the same texts. The
    certificate states how close each of the two stays to the original. An export in int8 is never
    called equal: its certificate states the agreement, and `agrees` says whether tokens are equal
    and at least 99 % of the labels, or 95 % on the built-in texts.

    A comparison that finds a difference does not replace a certificate that agrees with another
    source: `stored` of the result is then false. It does replace one about the same files.

    Args:
      path: an exported model: the folder of one version, or the model's, for its newest version.
      source: the checkpoint: the folder of a Hugging Face checkpoint or of a KerasHub preset (needs
        keras-hub), the folder or the zip of a Spark NLP model; or its name, as in `tfclf.load`.
      texts: to compare on; by default headlines, hostile strings and rows past the length limit.
      progress: whether to show a bar on standard error.
    Raises: SourceNotFoundError, SavedModelError, CheckpointError; InputError if there is no text.
    """
    version = latest_version(path).folder
    # The certificate is about `serving_default`, also on a machine with a GPU.
    export = load_export(version, xla=False)
    model = resolve.find(source, exports=False)
    checkpoint = open_checkpoint(model.path)
    reference = checkpoint.load_reference()
    rows = list(texts) if texts is not None else _built_in_texts()
    if not rows:
        raise InputError("there is no text to compare on; expected at least one row.")
    beside = {}
    if export.manifest.precision != "float32":
        beside["float32"] = load_checkpoint(checkpoint, name=model.name)
    comparison = _Comparison(export, checkpoint, reference, beside)
    batches = comparison.run(rows)
    for _ in show_progress(batches, total=len(rows), unit="rows") if progress else batches:
        pass
    certificate = comparison.certificate(texts="built-in" if texts is None else "given")
    if _is_kept(export.manifest.certificate, certificate):
        return dataclasses.replace(certificate, stored=False)
    dataclasses.replace(export.manifest, certificate=certificate.to_dict()).write(version)
    return certificate


def _is_kept(stored: Mapping[str, Any] | None, made: Certificate) -> bool:
    """Return whether a stored certificate is kept: a wrong source does not refute a right one."""
    if made.agrees or not stored or not agrees(stored):
        return False
    return bool(stored["source_checksums"] != made.source_checksums)


def _built_in_texts() -> list[str]:
    too_long = ("news " * 600, " ".join(HEADLINES) * 20)
    return [*HEADLINES, *hostile_texts(_BUILT_IN_HOSTILE), *too_long]


class _Distance:
    """The largest distance of one classifier from the original, over all batches."""

    def __init__(self) -> None:
        self._rows = self._same_labels = 0
        self._logits = 0.0
        self._probabilities: float | None = None

    def add(
        self,
        outputs: Mapping[str, tf.Tensor],
        logits: np.ndarray,
        probabilities: np.ndarray | None,
    ) -> None:
        """Add a batch: the classifier's outputs, and the original's logits and probabilities."""
        ours = outputs["logits"].numpy()
        self._rows += len(logits)
        self._same_labels += int((ours.argmax(axis=1) == logits.argmax(axis=1)).sum())
        self._logits = max(self._logits, float(np.abs(ours - logits).max(initial=0)))
        if probabilities is not None and "probabilities" in outputs:
            difference = np.abs(outputs["probabilities"].numpy() - probabilities).max(initial=0)
            self._probabilities = max(self._probabilities or 0.0, float(difference))

    def agreement(self) -> Agreement:
        labels = None if self._probabilities is None else self._same_labels / self._rows
        return Agreement(self._rows, labels, self._probabilities, self._logits)


class _Comparison:
    """Counts of an export's differences from its original, batch by batch.

    Args:
      beside: other classifiers by their precision, run on the same texts.
    """

    def __init__(
        self,
        export: Classifier,
        checkpoint: Checkpoint,
        reference: Reference,
        beside: Mapping[str, Classifier],
    ) -> None:
        self._export, self._checkpoint = export, checkpoint
        self._reference, self._beside = reference, beside
        self._distances = {
            precision: _Distance() for precision in (export.manifest.precision, *beside)
        }
        self._tolerance = TOLERANCES.get(export.manifest.precision)
        self._labels = checkpoint.labels
        self._rows = self._pairs = self._token_mismatches = self._label_mismatches = 0
        self._largest = 0.0
        self._logits_equal = True
        self._differences: list[Difference] = []
        expected, found = checkpoint.problem_type, export.manifest.problem_type
        self._problem_type_equal = expected == found
        if not self._problem_type_equal:
            self._note(0, "problem_type", "", expected, found)

    def run(self, texts: Sequence[str]) -> Iterator[str]:
        """Compare, and yield each text when it is done."""
        self._compare_vocabulary()
        for start in range(0, len(texts), _CHUNK):
            chunk = texts[start : start + _CHUNK]
            self._compare_texts(start, chunk)
            # Pair each text with its neighbour, because pairs truncate both texts.
            first = chunk[:_ROWS]
            second = [*chunk[1 : _ROWS + 1], chunk[0]][: len(first)]
            if self._export.takes_pairs:
                self._compare_pairs(start, first, second)
            yield from chunk

    def _compare_vocabulary(self) -> None:
        """Compare every piece as a word, every added token among text, and every embedding."""
        pieces = self._reference.vocabulary
        texts = [
            " ".join(pieces[start : start + _PIECES_PER_TEXT])
            for start in range(0, len(pieces), _PIECES_PER_TEXT)
        ]
        texts += [
            f"a {token}b{token.lower()} {token.upper()} {token}{token}"
            for token in self._reference.added_tokens
        ]
        for start in range(0, len(texts), _CHUNK):
            chunk = texts[start : start + _CHUNK]
            self._compare_tokens(start, chunk, self._reference.encode(chunk)["input_ids"])
        known = min(len(pieces), self._checkpoint.config.get("vocab_size", len(pieces)))
        # Models with no limit of length would get all ids in one row.
        longest = min(self._export.max_length, _LONGEST_ROW_OF_IDS)
        self._compare_embeddings(known, longest)
        self._compare_lengths(known, longest)

    def _compare_embeddings(self, known: int, length: int) -> None:
        """Compare logits on rows of raw ids that hold each id; ids from 0 on fill the last row.

        With 10 ids and rows of 4: [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]].
        """
        ids = np.resize(np.arange(known), (-(-known // length), length))
        for start in range(0, len(ids), _ROWS):
            self._compare_ids(start, ids[start : start + _ROWS])

    def _compare_lengths(self, known: int, longest: int) -> None:
        """Compare logits on rows of raw ids from 1 token to the limit, each in a batch of its own.

        Texts cannot do that: their shortest row has the special tokens, and batches are padded.
        """
        lengths = {*_LENGTHS, longest - 1, longest}
        for length in sorted(length for length in lengths if 0 < length <= longest):
            self._compare_ids(length, np.resize(np.arange(known)[::-1], (1, length)))

    def _compare_ids(self, start: int, rows: np.ndarray) -> None:
        encoded = {name: np.zeros_like(rows).tolist() for name in self._reference.inputs}
        encoded["input_ids"] = rows.tolist()
        logits = self._export.call_encode(rows, np.ones_like(rows))["logits"].numpy()
        names = [f"{len(row)} tokens, the ids {row[0]} to {row[-1]}" for row in rows]
        self._compare_values(start, names, self._reference.logits(encoded), logits)

    def _compare_tokens(
        self, start: int, texts: Sequence[str], expected: Sequence[Sequence[int]]
    ) -> None:
        tokens = self._export.tokenize(texts).to_list()
        for index, (text, ours, theirs) in enumerate(zip(texts, tokens, expected, strict=True)):
            if ours != theirs:
                self._token_mismatches += 1
                self._note(start + index, "tokens", text, theirs, ours)

    def _compare_texts(self, start: int, texts: Sequence[str]) -> None:
        encoded = self._reference.encode(texts)
        self._compare_tokens(start, texts, encoded["input_ids"])
        outputs = self._export(texts)
        logits = self._reference.logits(encoded)
        activation = activation_of(self._checkpoint.problem_type)
        probabilities = uncalibrated = None
        if activation is not None:
            uncalibrated = activation(logits).numpy()
            # The original has no temperature: the graph's must be the one that the manifest states.
            temperature = self._export.manifest.temperature or 1.0
            probabilities = activation(logits / np.float32(temperature)).numpy()
        differs = self._compare_values(start, texts, logits, outputs["logits"].numpy())
        if probabilities is not None and "probabilities" in outputs:
            ours = outputs["probabilities"].numpy()
            self._compare_values(start, texts, probabilities, ours, what="probabilities")
        for precision, distance in self._distances.items():
            beside = self._beside.get(precision)
            if beside is None:
                distance.add(outputs, logits, probabilities)
            else:
                distance.add(beside(texts), logits, uncalibrated)
        for index, (row, label) in enumerate(zip(logits, outputs["label"].numpy(), strict=True)):
            best = self._labels[int(row.argmax())]
            # Either label is right if the two largest logits differ by no more than the tolerance.
            tied = np.ptp(np.sort(row)[-2:]) <= (self._tolerance or 0)
            if label.decode() != best and (differs[index] or not tied):
                self._label_mismatches += 1
                self._note(start + index, "label", texts[index], best, label.decode())
        self._rows += len(texts)

    def _compare_pairs(self, start: int, first: Sequence[str], second: Sequence[str]) -> None:
        expected = self._reference.logits(self._reference.encode(first, second))
        logits = self._export.call_pairs(first, second)["logits"].numpy()
        pairs = [f"{text} [and] {pair}" for text, pair in zip(first, second, strict=True)]
        self._compare_values(start, pairs, expected, logits)
        self._pairs += len(first)

    def _compare_values(
        self,
        start: int,
        texts: Sequence[str],
        expected: np.ndarray,
        found: np.ndarray,
        *,
        what: str = "logits",
    ) -> np.ndarray:
        """Compare float32[batch, classes] twice, and return the rows that differ as bool[batch]."""
        difference = np.abs(expected - found).max(axis=1)
        tolerance = np.inf if self._tolerance is None else self._tolerance
        allowed = tolerance * np.maximum(1, np.abs(expected).max(axis=1))
        # Not `difference > allowed`, which is false for NaN.
        differs: np.ndarray = ~(difference <= allowed)
        for index in map(int, np.flatnonzero(differs)):
            self._logits_equal = False
            values = expected[index].tolist(), found[index].tolist()
            self._note(start + index, what, texts[index], *values)
        self._largest = max(self._largest, float(difference.max(initial=0)))
        return differs

    def _note(self, row: int, what: str, text: str, expected: Any, found: Any) -> None:
        if len(self._differences) < _SHOWN_DIFFERENCES:
            shortened = text[:_SHOWN_CHARACTERS]
            self._differences.append(Difference(row, what, shortened, expected, found))

    def certificate(self, *, texts: str) -> Certificate:
        labels_equal = self._labels == self._export.labels
        same_head = labels_equal and self._problem_type_equal and not self._token_mismatches
        equal = same_head and self._logits_equal and not self._label_mismatches
        agreement = {
            precision: distance.agreement() for precision, distance in self._distances.items()
        }
        if self._tolerance is None:
            labels = agreement[self._export.manifest.precision].label_agreement
            enough = labels is None or labels >= _LEAST_AGREEMENT[texts]
            equal, agrees = False, same_head and self._logits_equal and enough
        else:
            agrees = equal
        return Certificate(
            equal=equal,
            agrees=agrees,
            rows=self._rows,
            pairs=self._pairs,
            token_mismatches=self._token_mismatches,
            label_mismatches=self._label_mismatches,
            largest_logit_difference=self._largest,
            tolerance=self._tolerance,
            labels_equal=labels_equal,
            reference=self._reference.name,
            versions=package_versions("tensorflow", *self._reference.packages),
            source_checksums=hash_checkpoint(self._checkpoint.folder),
            made=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            differences=tuple(self._differences),
            texts=texts,
            agreement=agreement,
        )
