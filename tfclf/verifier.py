"""Proof: the original tokenizer and TF class run beside an export, on the same strings."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfclf._version import package_versions
from tfclf.checkpoints import Checkpoint, open_checkpoint
from tfclf.classifier import Classifier
from tfclf.errors import InputError
from tfclf.files import hash_files
from tfclf.graph.engines.original import takes_token_types
from tfclf.loader import load
from tfclf.problem_types import activation_of
from tfclf.progress import shown
from tfclf.sample_texts import HEADLINES, hostile_texts
from tfclf.saved_model.certificate import Agreement, Certificate, Difference
from tfclf.saved_model.versions import latest_version
from tfclf.tokenization.read import load_reference

# Largest logit difference that still counts as equal, for logits up to 1; larger logits scale it.
TOLERANCES = {"float32": 1e-5, "bfloat16": 5e-2}
_BATCH = 16
_BUILT_IN_HOSTILE = 500
_SHOWN_DIFFERENCES = 5
_LONGEST_ROW_OF_IDS = 512


def verify(
    path: str | Path,
    source: str | Path,
    texts: Iterable[str] | None = None,
    *,
    progress: bool = False,
) -> Certificate:
    """Compares an export with the checkpoint that it came from, and stores the certificate in the export.

    >>> tfclf.verify("saved_models/news/1", "my_checkpoint").equal
    True

    Beside an export in bfloat16 the lean engine runs in float32 on the same texts; the certificate
    states how near each of the two stays to the original.

    Args:
      path: an exported model: one version's folder, or the model's, for its newest version.
      source: the folder of the Hugging Face checkpoint, or of the KerasHub preset (needs
        keras-hub); or the Spark NLP model.
      texts: to compare on; by default headlines, hostile strings and rows past the length limit.
      progress: shows a bar on standard error.
    Raises: SourceNotFoundError, SavedModelError, CheckpointError, InputError where there is no
      text.
    """
    version = latest_version(path).folder
    # The certificate speaks of `serving_default`, also where there is a GPU.
    export = load(version, xla=False)
    checkpoint = open_checkpoint(source)
    original = (
        checkpoint.load_reference(checkpoint)
        if checkpoint.load_reference
        else _Original(checkpoint)
    )
    given = (
        list(texts)
        if texts is not None
        else [*HEADLINES, *hostile_texts(_BUILT_IN_HOSTILE), *_long_texts()]
    )
    if not given:
        raise InputError("there is no text to compare on; expected at least one row.")
    beside = (
        {}
        if export.manifest.precision == "float32"
        else {"float32": load(source, precision="float32")}
    )
    comparison = _Comparison(export, original, beside)
    batches = comparison.run(given)
    for _ in shown(batches, total=len(given), unit="rows") if progress else batches:
        pass
    certificate = comparison.certificate(texts="built-in" if texts is None else "given")
    dataclasses.replace(export.manifest, certificate=certificate.to_dict()).write(version)
    return certificate


def _long_texts() -> tuple[str, ...]:
    return ("news " * 600, " ".join(HEADLINES) * 20)


class _Original:
    """The checkpoint's own tokenizer and TF class."""

    packages = ("transformers", "tokenizers")

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._tokenizer = load_reference(checkpoint.tokenizer_folder or checkpoint.folder)
        self._model = checkpoint.load_model()
        # What the tokenizer hands to the model: token types, too, if its class has them.
        self._tokenizer.padding_side = checkpoint.family.padding_side(self._tokenizer.padding_side)
        taken = {"input_ids"} | ({"token_type_ids"} if takes_token_types(self._model) else set())
        self.inputs = [name for name in self._tokenizer.model_input_names if name in taken]
        self._limit = int(min(self._tokenizer.model_max_length, checkpoint.max_positions))
        signature = {
            name: tf.TensorSpec([None, None], tf.int32) for name in [*self.inputs, "attention_mask"]
        }
        self._forward = tf.function(
            lambda inputs: self._model(inputs, training=False, return_dict=True).logits,
            input_signature=[signature],
        )

    @property
    def name(self) -> str:
        return f"{type(self._model).__name__}, {type(self._tokenizer).__name__}"

    @property
    def vocabulary(self) -> list[str]:
        """Every piece, in the order of the ids; added tokens included."""
        pieces: dict[str, int] = self._tokenizer.get_vocab()
        return sorted(pieces, key=pieces.__getitem__)

    @property
    def added_tokens(self) -> list[str]:
        """What is one token wherever it stands."""
        return [str(token) for token in self._tokenizer.added_tokens_decoder.values()]

    def probabilities(self, logits: np.ndarray) -> np.ndarray | None:
        """As the checkpoint's problem_type has it; a regression has none."""
        activation = activation_of(self.checkpoint.problem_type)
        return None if activation is None else activation(logits).numpy()

    def encode(self, *texts: Sequence[str]) -> dict[str, list[list[int]]]:
        """Texts, or texts and their pairs -> input_ids and, where the class has them, token_type_ids."""
        columns = [list(column) for column in texts]
        encoded = self._tokenizer(*columns, truncation=True, max_length=self._limit)
        return {name: encoded[name] for name in self.inputs}

    def logits(self, encoded: dict[str, list[list[int]]]) -> np.ndarray:
        """Rows of about one length go together; the order stays."""
        rows = encoded["input_ids"]
        logits = np.zeros((len(rows), len(self.checkpoint.labels)), np.float32)
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        for start in range(0, len(rows), _BATCH):
            part = order[start : start + _BATCH]
            columns = {name: [column[index] for index in part] for name, column in encoded.items()}
            padded = self._tokenizer.pad(columns, return_attention_mask=True, return_tensors="np")
            logits[part] = self._forward(
                {name: tf.cast(ids, tf.int32) for name, ids in padded.items()}
            ).numpy()
        return logits


class _Nearness:
    """How near one classifier stays to the original, batch by batch."""

    def __init__(self) -> None:
        self._rows = self._same_labels = 0
        self._logits = 0.0
        self._probabilities: float | None = None

    def count(
        self, answers: Mapping[str, tf.Tensor], logits: np.ndarray, shares: np.ndarray | None
    ) -> None:
        """Adds a batch: our answers, and the original's logits and probabilities."""
        found = answers["logits"].numpy()
        self._rows += len(logits)
        self._same_labels += int((found.argmax(axis=1) == logits.argmax(axis=1)).sum())
        self._logits = max(self._logits, float(np.abs(found - logits).max(initial=0)))
        if shares is not None and "probabilities" in answers:
            difference = np.abs(answers["probabilities"].numpy() - shares).max(initial=0)
            self._probabilities = max(self._probabilities or 0.0, float(difference))

    def agreement(self) -> Agreement:
        labels = None if self._probabilities is None else self._same_labels / self._rows
        return Agreement(self._rows, labels, self._probabilities, self._logits)


class _Comparison:
    """Counts, batch by batch.

    Args:
      beside: other classifiers, by their precision, that run on the same texts.
    """

    def __init__(
        self, export: Classifier, original: _Original, beside: Mapping[str, Classifier]
    ) -> None:
        self._export = export
        self._original = original
        self._beside = beside
        self._nearness = {
            precision: _Nearness() for precision in (export.manifest.precision, *beside)
        }
        self._tolerance = TOLERANCES[export.manifest.precision]
        self._labels = original.checkpoint.labels
        self._rows = self._pairs = self._token_mismatches = self._label_mismatches = 0
        self._largest = 0.0
        self._logits_equal = True
        self._differences: list[Difference] = []
        expected, found = original.checkpoint.problem_type, export.manifest.problem_type
        self._problem_type_equal = expected == found
        if not self._problem_type_equal:
            self._note(0, "problem_type", "", expected, found)

    def run(self, texts: Sequence[str]) -> Iterator[str]:
        """Compares, and yields each text when it is done."""
        size = 8 * _BATCH
        self._compare_vocabulary()
        for start in range(0, len(texts), size):
            part = texts[start : start + size]
            self._compare_texts(start, part)
            # Each text with its neighbour: pairs meet the truncation of both.
            self._compare_pairs(
                start, part[:_BATCH], [*part[1 : _BATCH + 1], part[0]][: len(part[:_BATCH])]
            )
            yield from part

    def _compare_vocabulary(self) -> None:
        """Every piece as a word, every added token in company, and every embedding once."""
        pieces = self._original.vocabulary
        texts = [" ".join(pieces[start : start + 100]) for start in range(0, len(pieces), 100)]
        texts += [
            f"a {token}b{token.lower()} {token.upper()} {token}{token}"
            for token in self._original.added_tokens
        ]
        for start in range(0, len(texts), 8 * _BATCH):
            part = texts[start : start + 8 * _BATCH]
            self._compare_tokens(start, part, self._original.encode(part)["input_ids"])
        # Rows of raw ids, so that no embedding goes unread; the last row is filled up from the first.
        # No longer than most models take: one without a limit would get a single row.
        length = min(self._export.max_length, _LONGEST_ROW_OF_IDS)
        known = min(len(pieces), self._original.checkpoint.config.get("vocab_size", len(pieces)))
        ids = np.resize(np.arange(known), (-(-known // length), length))
        for start in range(0, len(ids), _BATCH):
            rows = ids[start : start + _BATCH]
            encoded = {name: np.zeros_like(rows).tolist() for name in self._original.inputs}
            encoded["input_ids"] = rows.tolist()
            found = self._export.call_encode(rows, np.ones_like(rows))["logits"].numpy()
            names = [f"the ids {row[0]} to {row[-1]}" for row in rows]
            self._compare_logits(start, names, self._original.logits(encoded), found)

    def _compare_tokens(
        self, start: int, texts: Sequence[str], expected: Sequence[Sequence[int]]
    ) -> None:
        found = self._export.tokenize(texts).to_list()
        for index, (text, ours, theirs) in enumerate(zip(texts, found, expected, strict=True)):
            if ours != theirs:
                self._token_mismatches += 1
                self._note(start + index, "tokens", text, theirs, ours)

    def _compare_texts(self, start: int, texts: Sequence[str]) -> None:
        expected = self._original.encode(texts)
        self._compare_tokens(start, texts, expected["input_ids"])
        answers = self._export(texts)
        logits = self._original.logits(expected)
        shares = self._original.probabilities(logits)
        differs = self._compare_logits(start, texts, logits, answers["logits"].numpy())
        if shares is not None and "probabilities" in answers:
            self._compare_logits(
                start, texts, shares, answers["probabilities"].numpy(), what="probabilities"
            )
        for precision, nearness in self._nearness.items():
            ours = self._beside[precision](texts) if precision in self._beside else answers
            nearness.count(ours, logits, shares)
        for index, (row, label) in enumerate(zip(logits, answers["label"].numpy(), strict=True)):
            best = self._labels[int(row.argmax())]
            # Within the tolerance of a tie either label is right.
            tied = np.ptp(np.sort(row)[-2:]) <= self._tolerance
            if label.decode() != best and (differs[index] or not tied):
                self._label_mismatches += 1
                self._note(start + index, "label", texts[index], best, label.decode())
        self._rows += len(texts)

    def _compare_pairs(self, start: int, first: Sequence[str], second: Sequence[str]) -> None:
        logits = self._original.logits(self._original.encode(first, second))
        found = self._export.call_pairs(first, second)["logits"].numpy()
        pairs = [f"{one} [and] {two}" for one, two in zip(first, second, strict=True)]
        self._compare_logits(start, pairs, logits, found)
        self._pairs += len(first)

    def _compare_logits(
        self,
        start: int,
        texts: Sequence[str],
        expected: np.ndarray,
        found: np.ndarray,
        *,
        what: str = "logits",
    ) -> np.ndarray:
        difference = np.abs(expected - found).max(axis=1)
        # NaN compares as neither, so that the question is asked this way round.
        differs: np.ndarray = ~(
            difference <= self._tolerance * np.maximum(1, np.abs(expected).max(axis=1))
        )
        for index in np.flatnonzero(differs):
            self._logits_equal = False
            self._note(
                start + int(index),
                what,
                texts[int(index)],
                expected[index].tolist(),
                found[index].tolist(),
            )
        self._largest = max(self._largest, float(difference.max(initial=0)))
        return differs

    def _note(self, row: int, what: str, text: str, expected: Any, found: Any) -> None:
        if len(self._differences) < _SHOWN_DIFFERENCES:
            self._differences.append(Difference(row, what, text[:200], expected, found))

    def certificate(self, *, texts: str) -> Certificate:
        labels_equal = self._labels == self._export.labels
        named_alike = labels_equal and self._problem_type_equal
        return Certificate(
            equal=named_alike
            and self._logits_equal
            and not self._token_mismatches
            and not self._label_mismatches,
            rows=self._rows,
            pairs=self._pairs,
            token_mismatches=self._token_mismatches,
            label_mismatches=self._label_mismatches,
            largest_logit_difference=self._largest,
            tolerance=self._tolerance,
            labels_equal=labels_equal,
            reference=self._original.name,
            versions=package_versions("tensorflow", *self._original.packages),
            source_checksums=hash_files(self._original.checkpoint.folder),
            made=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            differences=tuple(self._differences),
            texts=texts,
            agreement={
                precision: nearness.agreement() for precision, nearness in self._nearness.items()
            },
        )
