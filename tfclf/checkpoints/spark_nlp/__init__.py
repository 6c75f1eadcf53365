"""Spark NLP models: the folder that `save` of a *ForSequenceClassification annotator writes, or its zip.

Read as files, without a JVM: Hadoop's SequenceFiles and Java's serialized objects by parsers of our own, weights by the
names in the checkpoint's object graph, and all that a config.json would say from the variables' shapes and the graph.
What comes out is what went in: the Hugging Face TF class with its weights, behind the tokenizer that it was trained
with. Spark NLP's own tokenizers, which differ from those, are not copied.
"""

import functools
import json
from pathlib import Path
from typing import Any

from tfclf._transformers import transformers
from tfclf.checkpoints.checkpoint import Checkpoint
from tfclf.checkpoints.spark_nlp import architecture, archive, fields, metadata, tokenizer, weights
from tfclf.checkpoints.spark_nlp.archive import Files, is_model
from tfclf.checkpoints.spark_nlp.graph_def import Graph
from tfclf.errors import CheckpointError
from tfclf.families import Family, known

__all__ = ["is_model", "read"]


def read(path: Path) -> Checkpoint:
    """Reads everything but the weights' values. What it unpacks goes with the checkpoint.

    Args:
      path: a zip, or the folder of a model or of a pipeline with one classifier; either may lie one folder deeper.
    Raises: CheckpointError.
    """
    files = archive.open_files(path)
    try:
        return _read(files)
    except CheckpointError as error:
        files.close()
        raise CheckpointError(files.told(str(error))) from error
    except BaseException:
        files.close()
        raise


def _read(files: Files) -> Checkpoint:
    described = metadata.read(files.model)
    files.model = described.folder
    family = known()[described.annotator.model_type]
    assert family.weights is not None
    labels = _labels(described)
    folder = archive.unpack_weights(files)
    variables = weights.Variables(
        folder, anchor=family.weights.word_embeddings, origin=files.source
    )
    signatures = fields.texts(described.folder, "signatures")
    if "logits" not in signatures:
        raise CheckpointError(
            f"{described.folder}/fields/signatures names {', '.join(sorted(signatures)) or 'nothing'}; expected the "
            f"tensor of the logits among it."
        )
    graph = Graph(folder / "saved_model.pb", signatures["logits"], origin=files.source)
    config = {
        **architecture.config_of(family, variables.shapes, graph, origin=files.source),
        "id2label": {str(index): label for index, label in enumerate(labels)},
        "label2id": {label: index for index, label in enumerate(labels)},
        "problem_type": described.problem_type(len(labels)),
    }
    _check_labels(
        labels, architecture.classes_of(family, variables.shapes, origin=files.source), described
    )
    converted = files.work / "checkpoint"
    converted.mkdir()
    (converted / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer.write(described, converted)
    positions = family.usable_positions(int(config[family.config_keys.positions]))
    return Checkpoint(
        folder=files.source,
        config=transformers().AutoConfig.for_model(family.model_type).to_dict() | config,
        family=family,
        labels=labels,
        problem_type=config["problem_type"],
        max_length=min(described.max_length, positions),
        max_positions=positions,
        load_model=functools.partial(_load_model, files, family, config, variables),
        read_tokenizer=functools.partial(tokenizer.read_spec, files, converted),
        tokenizer_folder=converted,
    )


def _labels(described: metadata.Metadata) -> tuple[str, ...]:
    labels = fields.pieces(described.folder, "labels")
    if len(set(labels)) != len(labels):
        twice = sorted({label for label in labels if labels.count(label) > 1})
        raise CheckpointError(
            f"{described.folder}/fields/labels has {', '.join(map(repr, twice))} more than once; expected distinct "
            f"labels."
        )
    return labels


def _check_labels(labels: tuple[str, ...], classes: int, described: metadata.Metadata) -> None:
    if len(labels) != classes:
        raise CheckpointError(
            f"{described.folder}/fields/labels names {len(labels)} labels, and the model gives {classes} values. "
            f"Expected one each; the archive was saved with the labels.txt of another model."
        )


def _load_model(
    files: Files, family: Family, config: dict[str, Any], variables: weights.Variables
) -> Any:
    """Holds on to `files`, whose unpacked weights are read now."""
    try:
        return weights.load_model(family.tf_class, config, variables, origin=files.source)
    except CheckpointError as error:
        raise CheckpointError(files.told(str(error))) from error
