"""A checkpoint becomes a live graph."""

import logging

import tensorflow as tf

from tfclf._transformers import takes_token_types
from tfclf.checkpoints.checkpoint import Checkpoint
from tfclf.errors import CheckpointError, InputError, first_line
from tfclf.graph.engines.lean import LeanEngine, unfit
from tfclf.graph.engines.original import OriginalEngine
from tfclf.graph.framing import Frame
from tfclf.graph.serving_graph import Engine, Graph
from tfclf.problem_types import PROBLEM_TYPES, REGRESSION, SINGLE_LABEL
from tfclf.saved_model.buckets import Ladder
from tfclf.saved_model.manifest import Manifest
from tfclf.tokenization.compile import Tokenizer
from tfclf.tokenization.spec import TokenizerSpec

ENGINES = ("lean", "original")
PRECISIONS = ("float32", "bfloat16")
STORAGES = ("float32", "bfloat16", "float16")
_LOG = logging.getLogger("tfclf")
# Logits that differ by less are of the same row; what padding does is far above.
_SAME = 1e-3


def build(
    checkpoint: Checkpoint,
    *,
    name: str,
    engine: str = "auto",
    precision: str = "float32",
    storage: str | None = None,
    ladder: Ladder | None = None,
) -> tuple[Graph, Manifest]:
    """The graph of a checkpoint, and what it says of itself.

    Args:
      ladder: for XLA, of the lean engine; by default the one that doubles up to the checkpoint's limit.
    Raises: CheckpointError, TokenizerError, InputError for options that do not exist or do not go together.
    """
    storage = storage or precision
    _check_options(engine, precision, storage)
    _check_problem_type(checkpoint)
    if engine == "auto":
        engine = _choose(checkpoint, precision, storage)
    if engine == "original" and ladder is not None:
        raise InputError(
            "engine='original' has no 'serving_xla', which a ladder is for. Use engine='lean'."
        )
    spec = checkpoint.read_tokenizer()
    _check_vocabulary(spec, checkpoint)
    side = checkpoint.family.padding_side(spec.padding_side)
    frame = Frame(spec, max_length=checkpoint.max_length, padding_side=side)
    made: Engine
    if engine == "lean":
        made = LeanEngine(
            checkpoint.family,
            checkpoint.config,
            checkpoint.load_weights(),
            folder=checkpoint.folder,
            ladder=_ladder(ladder, checkpoint.max_length),
            precision=precision,
            storage=storage,
        )
    else:
        model = checkpoint.load_model()
        types = spec.token_types and takes_token_types(model)
        made = OriginalEngine(model, token_types=types, pad_id=spec.pad_id, padding_side=side)
        _try(made, frame, checkpoint, spec)
    graph = Graph(
        Tokenizer(spec), frame, made, labels=checkpoint.labels, problem_type=checkpoint.problem_type
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
    )


def _check_problem_type(checkpoint: Checkpoint) -> None:
    """The activation must make sense for the number of labels: one value, or a choice among several."""
    found, count = checkpoint.problem_type, len(checkpoint.labels)
    if found not in PROBLEM_TYPES:
        raise CheckpointError(
            f"{checkpoint.folder}/config.json: problem_type is {found!r}; expected {', '.join(PROBLEM_TYPES)}, or none."
        )
    # One label by itself, with a sigmoid, is a sensible multi-label model; softmax of one label is always 1.
    if count > 1 if found == REGRESSION else count == 1 and found == SINGLE_LABEL:
        expected = "one label" if found == REGRESSION else "two labels or more"
        raise CheckpointError(
            f"{checkpoint.folder}/config.json: problem_type is {found!r} with {count} label(s) in id2label; "
            f"expected {expected}. Correct the one or the other; without problem_type one label is a regression, "
            f"several are single-label classification."
        )


def _choose(checkpoint: Checkpoint, precision: str, storage: str) -> str:
    """The lean engine, but for what only the original can run."""
    reason = unfit(checkpoint.family, checkpoint.config)
    if reason is None:
        return "lean"
    if (precision, storage) != ("float32", "float32"):
        raise InputError(
            f"{checkpoint.folder}: {reason}. So it runs with engine='original', in float32 only; found "
            f"precision={precision!r} and storage={storage!r}. Leave them out."
        )
    # Logged, not warned: nothing is wrong, and without a handler Python prints it to standard error all the same.
    _LOG.warning(
        "%s: %s. Taking engine='original': %s as it is, exact but slower.",
        checkpoint.folder,
        reason,
        checkpoint.family.tf_class,
    )
    return "original"


def _try(engine: OriginalEngine, frame: Frame, checkpoint: Checkpoint, spec: TokenizerSpec) -> None:
    """Two rows of different lengths: the class may want what we do not give it, or not see where a row ends."""
    token = next(token for token in (0, 1) if token != spec.pad_id)
    texts = tf.ragged.constant([[token], [token] * 4], tf.int32, row_splits_dtype=tf.int32)
    try:
        together, alone = engine(frame.single(texts)), engine(frame.single(texts[:1]))
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        AssertionError,
        tf.errors.OpError,
    ) as error:
        reason = first_line(error)
        raise CheckpointError(
            f"{checkpoint.folder}: {checkpoint.family.tf_class} does not run on rows of token ids: {reason}. Expected "
            f"a class that takes input_ids and attention_mask and gives logits."
        ) from error
    model_pad_id = checkpoint.config.get("pad_token_id")
    difference = float(tf.reduce_max(tf.abs(together[:1] - alone)))
    if model_pad_id != spec.pad_id and difference > _SAME * max(
        1.0, float(tf.reduce_max(tf.abs(alone)))
    ):
        raise CheckpointError(
            f"{checkpoint.folder}/config.json: pad_token_id is {model_pad_id!r}, and the tokenizer pads with "
            f"{spec.pad_id}, so that {checkpoint.family.tf_class} takes padding for text: a row's logits change by "
            f"{difference:.1g} with the length of the row beside it. Set pad_token_id to {spec.pad_id}."
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
            f"engine='original' runs the TF class as it is, in float32; found precision={precision!r} and "
            f"storage={storage!r}. Use engine='lean' for those."
        )


def _ladder(given: Ladder | None, max_length: int) -> Ladder:
    if given is not None and given.lengths[-1] != max_length:
        raise InputError(
            f"the ladder's lengths end with {given.lengths[-1]}, and rows of this checkpoint hold up to {max_length} "
            f"tokens. Expected lengths that end with {max_length}."
        )
    return given or Ladder.up_to(max_length)


def _check_vocabulary(spec: TokenizerSpec, checkpoint: Checkpoint) -> None:
    size = checkpoint.config.get("vocab_size")
    largest = max([spec.model.largest_id, *(token.id for token in spec.added_tokens)])
    if isinstance(size, int) and largest >= size:
        raise CheckpointError(
            f"{spec.origin} gives ids up to {largest}, and config.json beside it says vocab_size {size}: "
            f"those tokens have no embedding. The two are not of one checkpoint."
        )
