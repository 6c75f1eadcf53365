"""The classes of Spark NLP's Python API that its model cards use, on tfclf's models.

`from tfclf.spark.sparknlp import *` takes the place of the imports from `sparknlp.base`,
`sparknlp.annotator` and `pyspark.ml`; the code below them stays. The columns have Spark NLP's
schema. The model's tokenizer is that of its training, not Spark NLP's (docs/spark-nlp.md).

Source of names, defaults and schema: Spark NLP 5.5.3, python/sparknlp and com.johnsnowlabs.nlp.
"""

from typing import Any

from pyspark.ml import Pipeline, PipelineModel

from tfclf.spark.sparknlp.annotation import Annotation
from tfclf.spark.sparknlp.classifiers import (
    AlbertForSequenceClassification,
    BertForSequenceClassification,
    CamemBertForSequenceClassification,
    DistilBertForSequenceClassification,
    RoBertaForSequenceClassification,
    XlmRoBertaForSequenceClassification,
)
from tfclf.spark.sparknlp.document import DocumentAssembler
from tfclf.spark.sparknlp.finisher import Finisher
from tfclf.spark.sparknlp.light import LightPipeline
from tfclf.spark.sparknlp.sentences import SentenceDetector
from tfclf.spark.sparknlp.starting import start
from tfclf.spark.sparknlp.tokens import Tokenizer

__all__ = [
    "AlbertForSequenceClassification",
    "Annotation",
    "BertForSequenceClassification",
    "CamemBertForSequenceClassification",
    "DistilBertForSequenceClassification",
    "DocumentAssembler",
    "Finisher",
    "LightPipeline",
    "Pipeline",
    "PipelineModel",
    "RoBertaForSequenceClassification",
    "SentenceDetector",
    "Tokenizer",
    "XlmRoBertaForSequenceClassification",
    "start",
]


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"tfclf.spark.sparknlp has no {name}. It has the parts of Spark NLP that lead to a "
        f"sequence classifier: {', '.join(__all__)}. For other annotators use Spark NLP itself."
    )
