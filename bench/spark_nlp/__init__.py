"""Spark NLP itself beside tfclf on Spark: `make bench-spark-nlp`.

Spark NLP runs in an environment of its own (.venv-spark-nlp) with the Spark and the Java that it
needs. The road: material (one checkpoint, in both forms) -> peer and ours, in processes of their
own -> rounds of turns -> a result -> the table in README.md. `peer` and `snippet` run in either
environment, and import nothing of tfclf.
"""
