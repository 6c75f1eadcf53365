"""Rows of text, with a label each or without: out of CSV, JSON lines and Parquet files, one at a time.

Published data sets are found by name in their folders: `find_data_set`, `find_split`, `split_rows`.
"""

from tfclf.data.data_sets import DATA_SETS, DataSet, find_data_set
from tfclf.data.labels import labelled_rows
from tfclf.data.layout import Layout, Row, read_rows
from tfclf.data.splits import SplitFiles, find_split, split_of, split_rows

__all__ = [
    "DATA_SETS",
    "DataSet",
    "Layout",
    "Row",
    "SplitFiles",
    "find_data_set",
    "find_split",
    "labelled_rows",
    "read_rows",
    "split_of",
    "split_rows",
]
