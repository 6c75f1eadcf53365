"""Rows of text, with a label each or without: out of CSV, JSON lines and Parquet files, one at a time."""

from tfclf.data.labels import labelled_rows
from tfclf.data.layout import Layout, Row, read_rows

__all__ = ["Layout", "Row", "labelled_rows", "read_rows"]
