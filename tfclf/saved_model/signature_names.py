"""The names of an export's signatures: the one home of them, without TensorFlow."""

SERVING_DEFAULT = "serving_default"
SERVING_XLA = "serving_xla"
CLASSIFY = "classify"
REGRESS = "regress"
PAIRS = "pairs"
TOKENIZE = "tokenize"
ENCODE = "encode"
# `Classifier.predict` calls these: they also report which rows were truncated.
DETAIL = "detail"
DETAIL_PAIRS = "detail_pairs"
DETAIL_XLA = "detail_xla"
WINDOWS = "windows"
