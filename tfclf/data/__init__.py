"""Rows of text, with or without labels, read from CSV, JSON and Parquet files one at a time.

| module | what it does |
|-|-|
| `splits` | finds and reads the splits of a published data set |
| `class_folders`, `labels` | a split with a folder per label; what the labels of a file mean |
| `data_sets`, `layout` | the published data sets; which columns of a file are text and label |
| `label_sets` | rows with any number of labels, for multi-label models |
| `records`, `pairing` | file formats; rows beside the predictions made for them |
| `lines` | bytes to text: gzip, byte order marks, encodings |
"""

from tfclf.data.data_sets import DATA_SETS, DataSet, find_data_set
from tfclf.data.labels import LabelledRows, labelled_rows
from tfclf.data.layout import Layout, Row, read_rows
from tfclf.data.splits import SplitFiles, find_split, split_of, split_rows

__all__ = [
    "DATA_SETS",
    "DataSet",
    "LabelledRows",
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
