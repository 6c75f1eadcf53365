"""The ops that stock TF Serving knows, and hence the versions of it that run an export.

TF Serving links core TensorFlow and TF-Text's ops, nothing else: TF-Text 2.12.1 up to Serving
2.19.1, and TF-Text 2.20.0 in Serving 2.20. The lists below compare, op by op, the ops registered by
tensorflow 2.12.1, 2.20.0 and 2.21.0 and by the same versions of tensorflow-text.
"""

from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfclf.errors import ExportError

ALL_VERSIONS = "2.12 to 2.20"
LATEST_VERSION = "2.20"
# Products of int8 exports. The op is not public, so tf.raw_ops does not know it. Serving 2.16 and
# earlier refuse the whole SavedModel.
INT8_VERSIONS = "2.17 to 2.20"
_INT8_OP = "_QuantizedMatMul"

_TEXT_OPS = frozenset(
    [
        "CaseFoldUTF8",
        "ConstrainedSequence",
        "FastBertNormalize",
        "FastWordpieceTokenizeWithOffsets",
        "FindSourceOffsets",
        "MaxSpanningTree",
        "NormalizeUTF8",
        "NormalizeUTF8WithOffsetsMap",
        "PhraseTokenize",
        "RegexSplitWithOffsets",
        "RougeL",
        "SentenceFragments",
        "SentenceFragmentsV2",
        "SentencepieceDetokenizeOp",
        "SentencepieceIdToStringOp",
        "SentencepieceOp",
        "SentencepieceStringToIdOp",
        "SentencepieceTokenizeOp",
        "SentencepieceTokenizeWithOffsetsOp",
        "SentencepieceVocabSizeOp",
        "SplitMergeTokenizeWithOffsets",
        "TFText>BoiseTagsToOffsets",
        "TFText>ByteSplitByOffsets",
        "TFText>ByteSplitWithOffsets",
        "TFText>FastSentencepieceDetokenize",
        "TFText>FastSentencepieceTokenize",
        "TFText>FastWordpieceDetokenize",
        "TFText>NgramsStringJoin",
        "TFText>OffsetsToBoiseTags",
        "TFText>PhraseDetokenize",
        "TFText>WhitespaceTokenizeWithOffsetsV2",
        "TokenizerFromLogits",
        "UnicodeScriptTokenizeWithOffsets",
        "WhitespaceTokenizeWithOffsets",
        "WordpieceTokenizeWithOffsets",
    ]
)
# Known to Serving 2.20 only: ops of TF-Text, and of core TensorFlow those that a model may hold.
_ONLY_IN_LATEST = frozenset(
    [
        "TFText>RoundRobinGenerateMasks",
        "TFText>RoundRobinTrim",
        "TFText>Utf8Binarize",
        "CheckPinned",
        "CollectiveAllToAllV2",
        "Conv",
        "DebugIdentityV3",
        "DecodeWebP",
        "EmptyTensorMap",
        "FFTND",
        "IFFTND",
        "IRFFTND",
        "RFFTND",
        "KMC2ChainInitialization",
        "KmeansPlusPlusInitialization",
        "NearestNeighbors",
        "RaggedFillEmptyRows",
        "RaggedFillEmptyRowsGrad",
        "SegmentMaxV2",
        "SegmentMinV2",
        "SparseSegmentMeanGradV2",
        "SparseSegmentSqrtNGradV2",
        "SparseSegmentSumGradV2",
        "TensorMapErase",
        "TensorMapHasKey",
        "TensorMapInsert",
        "TensorMapLookup",
        "TensorMapSize",
        "TensorMapStackKeys",
    ]
)
_IN_NO_SERVING = frozenset({"DecodeJxl"})
_PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})


def serving_versions(saved_model: Path) -> str:
    """Return the TF Serving versions that know every op of a saved_model.pb.

    Raises: ExportError for an op that no version knows, or that calls back into Python.
    """
    used = find_ops(saved_model)
    if python := sorted(used & _PYTHON_OPS):
        raise ExportError(
            f"the graph calls back into Python ({', '.join(python)}), which no SavedModel can "
            f"carry. Write that part with TensorFlow ops."
        )
    core = frozenset(dir(tf.raw_ops)) - _IN_NO_SERVING
    if unknown := sorted(used - core - _TEXT_OPS - _ONLY_IN_LATEST - {_INT8_OP}):
        raise ExportError(
            f"the graph holds {', '.join(unknown)}, which stock TF Serving does not link. Expected "
            f"ops of core TensorFlow and of TF-Text."
        )
    if used & _ONLY_IN_LATEST:
        return LATEST_VERSION
    return INT8_VERSIONS if _INT8_OP in used else ALL_VERSIONS


def find_ops(saved_model: Path) -> frozenset[str]:
    """Find every op in the graphs and functions of a saved_model.pb."""
    model = saved_model_pb2.SavedModel()
    model.ParseFromString(saved_model.read_bytes())
    used: set[str] = set()
    for meta_graph in model.meta_graphs:
        graph = meta_graph.graph_def
        defined = {function.signature.name for function in graph.library.function}
        used.update(node.op for node in graph.node)
        for function in graph.library.function:
            used.update(node.op for node in function.node_def)
        used -= defined
    return frozenset(used)
