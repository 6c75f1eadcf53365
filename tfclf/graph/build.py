"""The step from a checkpoint to a live graph."""

import functools
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfclf._transformers import takes_token_types, tf_class
from tfclf.checkpoints.checkpoint import Checkpoint
from tfclf.errors import CheckpointError, InputError, first_line
from tfclf.graph.engines.lean import LeanEngine, explain_not_lean
from tfclf.graph.engines.lean.calibration import Ranges, calibrate
from tfclf.graph.engines.lean.weights import Dense, MakeProduct
from tfclf.graph.engines.original import OriginalEngine
from tfclf.graph.framing import Batch, Frame
from tfclf.graph.serving_graph import Engine, ServingGraph
from tfclf.problem_types import PROBLEM_TYPES, REGRESSION, SINGLE_LABEL
from tfclf.saved_model.buckets import Ladder
from tfclf.saved_model.manifest import INT8, INT8_RESTS, Manifest
from tfclf.saved_model.requirements import REQUIRES, check_platform
from tfclf.tokenization.compile import Tokenizer
from tfclf.tokenization.spec import TokenizerSpec

ENGINES = ("lean", "original")
PRECISIONS = ("float32", "bfloat16", *INT8_RESTS)
STORAGES = ("float32", "bfloat16", "float16")
_LOG = logging.getLogger("tfclf")
# Texts to measure the ranges of int8 on. More than the second number change little and take time.
_FEWEST_CALIBRATION_TEXTS = 200
_MOST_CALIBRATION_TEXTS = 512
_CALIBRATION_ROWS = 16  # of a batch
# Tolerance for a row encoded alone and padded; a padding bug shifts logits by far more.
_PADDING_TOLERANCE = 1e-3
# Errors that the TF classes raise on inputs that they cannot take.
_RUN_ERRORS = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    AssertionError,
    tf.errors.OpError,
)


def build(
    checkpoint: Checkpoint,
    *,
    name: str,
    engine: str = "auto",
    precision: str = "float32",
    storage: str | None = None,
    ladder: Ladder | None = None,
    calibration_texts: Iterable[str] | None = None,
) -> tuple[ServingGraph, Manifest]:
    """Build the graph of a checkpoint, and the manifest that describes it.

    Args:
      calibration_texts: for int8, 200 or more texts like those that the model will see; of more
        than 512 that many are taken, evenly spaced.
      ladder: the lean engine's buckets for XLA; by default lengths that double up to the
        checkpoint's limit.
    Raises: CheckpointError, TokenizerError; InputError for options that do not exist or do not go
      together.
    """
    # What an int8 export does not keep in whole numbers is stored as it is computed.
    storage = storage or INT8_RESTS.get(precision, precision)
    _check_options(engine, precision, storage)
    texts = _choose_calibration_texts(precision, ladder, calibration_texts)
    _check_problem_type(checkpoint)
    if engine == "auto":
        engine = _choose_engine(checkpoint, precision, storage)
    if engine == "original" and ladder is not None:
        raise InputError(
            "engine='original' has no 'serving_xla', which a ladder is for. Use engine='lean'."
        )
    spec = checkpoint.read_tokenizer()
    _check_vocabulary(spec, checkpoint)
    takes_pairs = _check_token_types(spec, checkpoint)
    side = checkpoint.family.padding_side(spec.padding_side)
    frame = Frame(spec, max_length=checkpoint.max_length, padding_side=side)
    tokenizer = Tokenizer(spec)
    encoder: Engine
    parts, quantization = 1, None
    if engine == "lean":
        build_engine = functools.partial(
            LeanEngine,
            checkpoint.family,
            checkpoint.config,
            checkpoint.load_weights(),
            folder=checkpoint.folder,
        )
        if precision in INT8_RESTS:
            ranges = calibrate(
                lambda make: build_engine(ladder=None, make_product=make),
                # By length, so that the longest do not stand in each batch.
                pack_batches(tokenizer, frame, sorted(texts, key=len), rows=_CALIBRATION_ROWS),
            )
            quantization = _describe(ranges, rest=INT8_RESTS[precision])
            make_product: MakeProduct = ranges.make_product
            ladder = None
        else:
            make_product = Dense
            ladder = _choose_ladder(ladder, checkpoint.max_length)
        encoder = build_engine(
            ladder=ladder,
            precision=INT8_RESTS.get(precision, precision),
            storage=storage,
            make_product=make_product,
        )
        parts = encoder.parts
    else:
        model = checkpoint.load_model()
        types = spec.token_types and takes_token_types(model)
        encoder = OriginalEngine(model, token_types=types, pad_id=spec.pad_id, padding_side=side)
        _check_runs(encoder, frame, checkpoint, spec)
    graph = ServingGraph(
        tokenizer,
        frame,
        encoder,
        labels=checkpoint.labels,
        problem_type=checkpoint.problem_type,
        takes_pairs=takes_pairs,
    )
    return graph, Manifest(
        name=name,
        source=checkpoint.folder.name,
        family=checkpoint.family.model_type,
        engine=engine,
        precision=precision,
        storage=storage,
        problem_type=checkpoint.problem_type,
        labels=checkpoint.labels,
        max_length=checkpoint.max_length,
        ladder=graph.ladder,
        frozen_weights=True,
        temperature=None if checkpoint.problem_type == REGRESSION else 1.0,
        parts=parts,
        quantization=quantization,
        requires=REQUIRES.get(precision, {}),
    )


def _choose_calibration_texts(
    precision: str, ladder: Ladder | None, texts: Iterable[str] | None
) -> Sequence[str]:
    """Return the texts to measure ranges on; none for floats.

    Raises: InputError if they are too few, or if the options do not go together.
    """
    if precision not in INT8_RESTS:
        if texts is not None:
            raise InputError(
                f"calibration texts are given, and precision={precision!r} needs none. Use "
                f"precision='int8', or leave them out."
            )
        return []
    if ladder is not None:
        raise InputError(
            f"precision={precision!r} has no 'serving_xla', which a ladder is for: XLA does not "
            f"know its products. Leave the ladder out."
        )
    check_platform(precision)
    if texts is None:
        raise InputError(
            f"precision={precision!r} measures the ranges of its numbers on texts, and none are "
            f"given. "
            f"Give {_FEWEST_CALIBRATION_TEXTS} or more like those that the model will see: "
            f"calibration_texts (--calibrate FILE)."
        )
    given = list(texts)
    if wrong := next((text for text in given if not isinstance(text, str)), None):
        raise InputError(f"a calibration text is {wrong!r}; expected strings.")
    full = list(dict.fromkeys(text for text in given if text.strip()))
    if len(full) < _FEWEST_CALIBRATION_TEXTS:
        raise InputError(
            f"{len(given):,} calibration text(s) are given, {len(full):,} of them different and "
            f"not empty; expected {_FEWEST_CALIBRATION_TEXTS} or more. With fewer, ranges are "
            f"too narrow for texts that come later. Give more, or use precision='bfloat16'."
        )
    count = min(len(full), _MOST_CALIBRATION_TEXTS)
    return [full[place] for place in np.linspace(0, len(full) - 1, count).round().astype(int)]


def pack_batches(
    tokenizer: Tokenizer, frame: Frame, texts: Sequence[str], *, rows: int
) -> list[Batch]:
    """Tokenize texts and pack them into batches of so many rows, in the order given."""
    return [
        frame.fill_empty_rows(frame.pack(tokenizer(tf.constant(list(texts[start : start + rows])))))
        for start in range(0, len(texts), rows)
    ]


def _describe(ranges: Ranges, *, rest: str) -> Mapping[str, Any]:
    """Describe an int8 encoder for the manifest.

    Args:
      rest: the precision of what is not in int8.
    """
    return {
        "texts": ranges.rows,
        "tokens": ranges.tokens,
        "products_in_int8": len(ranges.inputs),
        f"products_in_{rest}": list(ranges.kept),
    }


def _check_problem_type(checkpoint: Checkpoint) -> None:
    """Check that the problem type exists and fits the number of labels."""
    problem_type, count = checkpoint.problem_type, len(checkpoint.labels)
    if problem_type not in PROBLEM_TYPES:
        raise CheckpointError(
            f"{checkpoint.folder}/config.json: problem_type is {problem_type!r}; "
            f"expected {', '.join(PROBLEM_TYPES)}, or none."
        )
    # One label with a sigmoid is a sensible multi-label model; its softmax would always be 1.
    if problem_type == REGRESSION and count > 1:
        expected = "one label"
    elif problem_type == SINGLE_LABEL and count == 1:
        expected = "two labels or more"
    else:
        return
    raise CheckpointError(
        f"{checkpoint.folder}/config.json: problem_type is {problem_type!r} with {count} label(s) "
        f"in id2label; expected {expected}. Correct one of the two. Without problem_type, one "
        f"label means regression and several mean single-label classification."
    )


def _choose_engine(checkpoint: Checkpoint, precision: str, storage: str) -> str:
    """Choose the lean engine, except for models that only the original one can run."""
    reason = explain_not_lean(checkpoint.family, checkpoint.config)
    if reason is None:
        return "lean"
    if (precision, storage) != ("float32", "float32"):
        raise InputError(
            f"{checkpoint.folder}: {reason}. So it runs with engine='original', in float32 only; "
            f"found precision={precision!r} and storage={storage!r}. Leave them out."
        )
    # Logged, not warned: nothing is wrong. Python prints it even if no handler is set.
    _LOG.warning(
        "%s: %s. Taking engine='original': %s as it is, exact but slower.",
        checkpoint.folder,
        reason,
        checkpoint.family.tf_class,
    )
    return "original"


def _check_runs(
    engine: OriginalEngine, frame: Frame, checkpoint: Checkpoint, spec: TokenizerSpec
) -> None:
    """Check that the class takes our inputs, and tells padding from text.

    Two rows of different lengths show both: the first is padded beside the second, and not when
    encoded alone.
    """
    token = next(token for token in (0, 1) if token != spec.pad_id)
    texts = tf.ragged.constant([[token], [token] * 4], tf.int32, row_splits_dtype=tf.int32)
    try:
        together, alone = engine(frame.pack(texts)), engine(frame.pack(texts[:1]))
    except _RUN_ERRORS as error:
        raise CheckpointError(
            f"{checkpoint.folder}: {checkpoint.family.tf_class} does not run on rows of token ids: "
            f"{first_line(error)}. Expected a class that takes input_ids and attention_mask and "
            f"gives logits."
        ) from error
    model_pad_id = checkpoint.config.get("pad_token_id")
    difference = float(tf.reduce_max(tf.abs(together[:1] - alone)))
    largest = float(tf.reduce_max(tf.abs(alone)))
    if model_pad_id != spec.pad_id and difference > _PADDING_TOLERANCE * max(1.0, largest):
        raise CheckpointError(
            f"{checkpoint.folder}/config.json: pad_token_id is {model_pad_id!r}, and the tokenizer "
            f"pads with {spec.pad_id}. So {checkpoint.family.tf_class} takes padding for text: a "
            f"row's logits change by {difference:.1g} with the length of the row beside it. "
            f"Set pad_token_id to {spec.pad_id}."
        )


def _check_options(engine: str, precision: str, storage: str) -> None:
    for option, value, known in (
        ("engine", engine, ("auto", *ENGINES)),
        ("precision", precision, PRECISIONS),
        ("storage", storage, STORAGES),
    ):
        if value not in known:
            raise InputError(f"{option} is {value!r}; expected {', '.join(known)}.")
    if engine == "original" and (precision, storage) != ("float32", "float32"):
        raise InputError(
            f"engine='original' runs the TF class as it is, in float32; found "
            f"precision={precision!r} and storage={storage!r}. Use engine='lean' for those."
        )
    if precision == INT8 and storage == "bfloat16":
        raise InputError(
            "precision='int8' computes the rest in float32; found storage='bfloat16'. Use "
            "storage='float32', or 'float16' to halve that part of the file; or "
            "precision='int8_bfloat16', which computes the rest in bfloat16."
        )


def _choose_ladder(ladder: Ladder | None, max_length: int) -> Ladder:
    """Return `ladder` after a check, or the default one if it is None.

    >>> _choose_ladder(None, 100).lengths
    (32, 64, 100)
    """
    if ladder is None:
        return Ladder.up_to(max_length)
    if ladder.lengths[-1] != max_length:
        raise InputError(
            f"the ladder's lengths end with {ladder.lengths[-1]}, and rows of this checkpoint hold "
            f"up to {max_length} tokens. Expected lengths that end with {max_length}."
        )
    return ladder


def _check_vocabulary(spec: TokenizerSpec, checkpoint: Checkpoint) -> None:
    """Check that every id of the tokenizer has an embedding."""
    size = checkpoint.config.get("vocab_size")
    places = (*spec.template.single, *spec.template.pair)
    special = [token for place in places for token in place.ids or ()]
    added = [token.id for token in spec.added_tokens]
    largest = max([spec.model.largest_id, *added, *special])
    if isinstance(size, int) and largest >= size:
        raise CheckpointError(
            f"{spec.origin} gives ids up to {largest}, and config.json beside it says vocab_size "
            f"{size}: those tokens have no embedding. The two files are not from one checkpoint, "
            f"or tokens were added to the tokenizer and not to the model, with "
            f"resize_token_embeddings; take the tokenizer that training used."
        )


def _check_token_types(spec: TokenizerSpec, checkpoint: Checkpoint) -> bool:
    """Return whether every token type that the tokenizer gives to two texts has an embedding.

    RoBERTa behind BERT's tokenizer has one type, and the second text would get type 1. Models
    without any type (0) ignore them.

    Raises: CheckpointError if even a single text has a type without an embedding.
    """
    size = checkpoint.config.get("type_vocab_size")
    if not spec.token_types or not isinstance(size, int) or size < 1:
        return True
    single, pair = (
        max(place.type for place in places) for places in (spec.template.single, spec.template.pair)
    )
    if max(single, pair) < size or not takes_token_types(tf_class(checkpoint.family.tf_class)):
        return True
    if single >= size:
        raise CheckpointError(
            f"{spec.origin} gives the token type {single}, and config.json beside it says "
            f"type_vocab_size {size}: that type has no embedding. The two files are not from one "
            f"checkpoint."
        )
    return False
