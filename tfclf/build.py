"""A checkpoint becomes a live graph."""

from tfclf.checkpoints import Checkpoint
from tfclf.encoder import LeanEngine
from tfclf.errors import CheckpointError, InputError
from tfclf.graph import PROBLEM_TYPES, Engine, Graph
from tfclf.manifest import Manifest
from tfclf.original import OriginalEngine
from tfclf.packing import Frame
from tfclf.tokenization.compile import Tokenizer
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
) -> tuple[Graph, Manifest]:
    """The graph of a checkpoint, and what it says of itself.

    Raises: CheckpointError, TokenizerError, InputError for options that do not exist or do not go together.
    """
    storage = storage or precision
    _check_options(engine, precision, storage)
    if checkpoint.problem_type not in PROBLEM_TYPES:
        raise CheckpointError(
            f"{checkpoint.folder}/config.json: problem_type is {checkpoint.problem_type!r} with "
            f"{len(checkpoint.labels)} label(s). This version classifies: {' or '.join(PROBLEM_TYPES)}."
        )
    spec = checkpoint.read_tokenizer(checkpoint.folder)
    _check_vocabulary(spec, checkpoint)
    frame = Frame(spec, max_length=checkpoint.max_length)
    made: Engine
    if engine == "lean":
        made = LeanEngine(
            checkpoint.family,
            checkpoint.config,
            checkpoint.load_variables() if checkpoint.load_variables else checkpoint.load_model(),
            folder=checkpoint.folder,
            precision=precision,
            storage=storage,
        )
    else:
        types = checkpoint.family.weights.token_type_embeddings is not None
        made = OriginalEngine(checkpoint.load_model(), token_types=types, pad_id=spec.pad_id)
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
    )


def _check_options(engine: str, precision: str, storage: str) -> None:
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


def _check_vocabulary(spec: TokenizerSpec, checkpoint: Checkpoint) -> None:
    size = checkpoint.config.get("vocab_size")
    largest = max([spec.model.largest_id, *(token.id for token in spec.added_tokens)])
    if isinstance(size, int) and largest >= size:
        raise CheckpointError(
            f"{spec.origin} gives ids up to {largest}, and config.json beside it says vocab_size {size}: "
            f"those tokens have no embedding. The two are not of one checkpoint."
        )
