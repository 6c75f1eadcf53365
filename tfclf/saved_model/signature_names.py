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
# As `detail`, `detail_pairs` and `windows`, and the effect of each word on the logits.
EXPLAIN = "explain"
EXPLAIN_PAIRS = "explain_pairs"
EXPLAIN_WINDOWS = "explain_windows"
