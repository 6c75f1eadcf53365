"""LightPipeline: a fitted pipeline on strings, in this process, without a job."""

from __future__ import annotations

from typing import Any

from pyspark.ml import PipelineModel

from tfclf.errors import InputError
from tfclf.spark.sparknlp.annotation import DOCUMENT, Annotation, Rows
from tfclf.spark.sparknlp.document import DocumentAssembler
from tfclf.spark.sparknlp.finisher import Finisher
from tfclf.spark.sparknlp.stages import Stage


class LightPipeline:
    """Run the stages of a fitted pipeline on strings."""

    def __init__(self, pipelineModel: PipelineModel, parse_embeddings: bool = False) -> None:
        """Take the pipeline. Raises: InputError for a stage that is not of this package."""
        if parse_embeddings:
            raise InputError(
                "parse_embeddings is true; no stage here makes embeddings. Leave it out."
            )
        self.pipeline_model = pipelineModel
        self._ignores_unsupported = False

    def annotate(self, target: str | list[str]) -> Any:
        """Return the results by column: a dict for a str, a list of dicts for a list.

        Raises: InputError.
        """
        answers = [
            {name: [entry.result for entry in entries] for name, entries in answer.items()}
            for answer in self.fullAnnotate(target)
        ]
        return answers[0] if isinstance(target, str) else answers

    def fullAnnotate(self, target: str | list[str]) -> list[dict[str, list[Annotation]]]:
        """Return the annotations by column, one dict per text.

        Raises: InputError.
        """
        texts = [target] if isinstance(target, str) else target
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise InputError(
                f"target is a {type(target).__name__}; expected a str or a list of str."
            )
        columns: dict[str, Rows] = {}
        types: dict[str, str] = {}
        for stage in self._stages(self.pipeline_model):
            if isinstance(stage, DocumentAssembler):
                columns[stage.getOutputCol()] = stage.assemble(texts)
                types[stage.getOutputCol()] = DOCUMENT
            elif isinstance(stage, Finisher):
                columns = {name: columns[name] for name in stage.getInputCols() if name in columns}
            else:
                rows = columns[stage.choose_input(types)]
                columns[stage.getOutputCol()] = stage.make_annotator().annotate(rows)
                types[stage.getOutputCol()] = stage.gives
        return [
            {name: rows[index] for name, rows in columns.items()} for index in range(len(texts))
        ]

    def transform(self, dataframe: Any) -> Any:
        """Transform a DataFrame with the pipeline itself."""
        return self.pipeline_model.transform(dataframe)

    def setIgnoreUnsupported(self, value: bool) -> LightPipeline:
        """Set whether stages of other packages are passed over."""
        self._ignores_unsupported = value
        return self

    def getIgnoreUnsupported(self) -> bool:
        """Return whether stages of other packages are passed over."""
        return self._ignores_unsupported

    def _stages(self, pipeline: PipelineModel) -> list[Any]:
        stages: list[Any] = []
        for stage in pipeline.stages:
            if isinstance(stage, PipelineModel):
                stages += self._stages(stage)
            elif isinstance(stage, Stage | Finisher):
                stages.append(stage)
            elif not self._ignores_unsupported:
                raise InputError(
                    f"The pipeline has a stage {type(stage).__name__}, which runs on DataFrames "
                    f"only. Expected stages of tfclf.spark.sparknlp. Use transform, or pass it "
                    f"over with setIgnoreUnsupported(True)."
                )
        return stages
