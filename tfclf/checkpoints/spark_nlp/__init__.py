"""Spark NLP models: the folder that a *ForSequenceClassification annotator saves, or its zip.

The files are read without a JVM:
- Hadoop's SequenceFiles and Java's serialized objects by our own parsers;
- weights by the names in the checkpoint's object graph;
- the sizes that a config.json would state from the variables' shapes and the graph.

The result is the Hugging Face TF class that went in, with its weights, behind the tokenizer of its
training. Spark NLP's own tokenizers, which differ from those, are not copied.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf._transformers import transformers
from tfclf.checkpoints.checkpoint import Checkpoint, Reference
from tfclf.checkpoints.files import CONFIG
from tfclf.checkpoints.huggingface.reference import TransformersReference
from tfclf.checkpoints.spark_nlp import architecture, archive, fields, metadata, tokenizer, weights
from tfclf.checkpoints.spark_nlp.archive import Files, is_model
from tfclf.checkpoints.spark_nlp.graph_def import Graph
from tfclf.errors import CheckpointError
from tfclf.families import known
from tfclf.tokenization.spec import TokenizerSpec

__all__ = ["is_model", "read"]


@dataclass(frozen=True, kw_only=True)
class SparkNlpCheckpoint(Checkpoint):
    """A Spark NLP model; `folder` is the zip or the folder as given.

    Attributes:
      files: keeps the unpacked files alive, from which weights and tokenizer are read.
      converted: a folder of `files` with the config.json and tokenizer files that transformers
        reads.
      class_config: the arguments of the TF class's config.
      variables: names and places of the weights.
    """

    files: Files
    converted: Path
    class_config: Mapping[str, Any]
    variables: weights.Variables

    def load_model(self) -> Any:
        """Build the original TF class with the archive's weights."""
        return weights.load_model(
            self.family.tf_class, self.class_config, self.variables, origin=self.folder
        )

    def read_tokenizer(self) -> TokenizerSpec:
        """Read the tokenizer that the model was trained with."""
        return tokenizer.read_spec(self.converted, source=self.folder)

    def load_reference(self) -> Reference:
        """Load the TF class and transformers' tokenizer."""
        return TransformersReference(self, self.load_model(), self.converted)


def read(path: Path) -> SparkNlpCheckpoint:
    """Read everything but the weights' values; unpacked files go with the checkpoint.

    Args:
      path: a zip, or the folder of a model or of a pipeline with one classifier; either may lie one
        folder deeper.
    Raises: CheckpointError.
    """
    files = archive.open_files(path)
    try:
        return _read(files)
    except BaseException:
        files.close()
        raise


def _read(files: Files) -> SparkNlpCheckpoint:
    model = metadata.read(files.model)
    family = known()[model.annotator.model_type]
    assert family.weights is not None
    labels = _read_labels(model)
    folder = archive.unpack_weights(files, model.folder)
    variables = weights.Variables(
        folder, anchor=family.weights.word_embeddings, origin=files.source
    )
    signatures = fields.read_strings(model.folder, "signatures")
    if "logits" not in signatures:
        raise CheckpointError(
            f"{model.folder}/fields/signatures names {', '.join(sorted(signatures)) or 'nothing'}; "
            f"expected the tensor of the logits among it."
        )
    graph = Graph(folder / "saved_model.pb", signatures["logits"], origin=files.source)
    config = {
        **architecture.read_config(family, variables.shapes, graph, origin=files.source),
        "id2label": {str(index): label for index, label in enumerate(labels)},
        "label2id": {label: index for index, label in enumerate(labels)},
        "problem_type": model.problem_type(len(labels)),
    }
    classes = architecture.count_classes(family, variables.shapes, origin=files.source)
    if len(labels) != classes:
        raise CheckpointError(
            f"{model.folder}/fields/labels names {len(labels)} labels, and the model gives "
            f"{classes} values. Expected one each; the archive was saved with the labels.txt of "
            f"another model."
        )
    converted = files.work / "checkpoint"
    converted.mkdir()
    (converted / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    tokenizer.write(model, converted)
    positions = family.usable_positions(int(config[family.config_keys.positions]))
    return SparkNlpCheckpoint(
        folder=files.source,
        config=transformers().AutoConfig.for_model(family.model_type).to_dict() | config,
        family=family,
        labels=labels,
        problem_type=config["problem_type"],
        max_length=min(model.max_length, positions),
        max_positions=positions,
        files=files,
        converted=converted,
        class_config=config,
        variables=variables,
    )


def _read_labels(model: metadata.Metadata) -> tuple[str, ...]:
    labels = fields.read_pieces(model.folder, "labels")
    if len(set(labels)) != len(labels):
        repeated = sorted({label for label in labels if labels.count(label) > 1})
        raise CheckpointError(
            f"{model.folder}/fields/labels has {', '.join(map(repr, repeated))} more than once; "
            f"expected distinct labels."
        )
    return labels
