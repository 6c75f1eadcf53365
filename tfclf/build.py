"""A checkpoint becomes a live graph."""

from tfclf.checkpoints import Checkpoint
from tfclf.encoder import LeanEngine
from tfclf.errors import CheckpointError, InputError
from tfclf.graph import PROBLEM_TYPES, Engine, Graph
from tfclf.ladder import Ladder
from tfclf.manifest import Manifest
from tfclf.original import OriginalEngine
from tfclf.packing import Frame
from tfclf.tokenization.compile import Tokenizer
from tfclf.tokenization.read import read
from tfclf.tokenization.spec import TokenizerSpec

ENGINES = ("lean", "original")
PRECISIONS = ("float32", "bfloat16")
STORAGES = ("float32", "bfloat16", "float16")


def build(
    checkpoint: Checkpoint,
    *,
    name: str,
    engine: str = "lean",
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
    _check_options(engine, precision, storage, ladder)
    if checkpoint.problem_type not in PROBLEM_TYPES:
        raise CheckpointError(
            f"{checkpoint.folder}/config.json: problem_type is {checkpoint.problem_type!r} with "
            f"{len(checkpoint.labels)} label(s). This version classifies: {' or '.join(PROBLEM_TYPES)}."
        )
    spec = read(checkpoint.folder)
    _check_vocabulary(spec, checkpoint)
    frame = Frame(spec, max_length=checkpoint.max_length)
    model = checkpoint.load_model()
    made: Engine
    if engine == "lean":
        made = LeanEngine(
            checkpoint.family,
            checkpoint.config,
            model,
            folder=checkpoint.folder,
            ladder=_ladder(ladder, checkpoint.max_length),
            precision=precision,
            storage=storage,
        )
    else:
        types = checkpoint.family.weights.token_type_embeddings is not None
        made = OriginalEngine(model, token_types=types, pad_id=spec.pad_id)
    graph = Graph(Tokenizer(spec), frame, made, labels=checkpoint.labels, problem_type=checkpoint.problem_type)
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


def _check_options(engine: str, precision: str, storage: str, ladder: Ladder | None) -> None:
    for option, value, known in (
        ("engine", engine, ENGINES),
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
    if engine == "original" and ladder is not None:
        raise InputError("engine='original' has no 'serving_xla', which a ladder is for. Use engine='lean'.")


def _ladder(given: Ladder | None, max_length: int) -> Ladder:
    if given is not None and given.lengths[-1] != max_length:
        raise InputError(
            f"the ladder's lengths end with {given.lengths[-1]}, and rows of this checkpoint hold up to {max_length} "
            f"tokens. Expected lengths that end with {max_length}."
        )
    return given or Ladder.up_to(max_length)


def _check_vocabulary(spec: TokenizerSpec, checkpoint: Checkpoint) -> None:
    size = checkpoint.config.get("vocab_size")
    largest = max(len(spec.model.vocabulary) - 1, *(token.id for token in spec.added_tokens))
    if isinstance(size, int) and largest >= size:
        raise CheckpointError(
            f"{spec.origin} gives ids up to {largest}, and config.json beside it says vocab_size {size}: "
            f"those tokens have no embedding. The two are not of one checkpoint."
        )
