"""A signature's tensors <-> RegressionResult.

Source of the checks, their order and their wording: TF Serving, servables/tensorflow/regressor.cc.
"""

from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.regression_pb2 import Regression, RegressionResult

from tfclf.server.rpc.examples import ExampleOutputs, debug_string, shape_string
from tfclf.server.status import invalid_argument

METHOD_NAME = "tensorflow/serving/regress"
_INPUTS, _OUTPUTS = "inputs", "outputs"


def select_tensors(signature: SignatureDef, *, check_method_name: bool) -> tuple[str, list[str]]:
    """Return the name of the tensor to feed, and a list with the name of the one to fetch.

    Raises: RequestError.
    """
    if check_method_name and signature.method_name != METHOD_NAME:
        raise invalid_argument(
            f"Expected regression signature method_name to be {METHOD_NAME}. "
            f"Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    if _INPUTS not in signature.inputs:
        raise invalid_argument(
            f"No regression inputs found in SignatureDef: {debug_string(signature)}"
        )
    if _OUTPUTS not in signature.outputs:
        raise invalid_argument(
            f"No regression outputs found in SignatureDef: {debug_string(signature)}"
        )
    return signature.inputs[_INPUTS].name, [signature.outputs[_OUTPUTS].name]


def to_result(signature: SignatureDef, outputs: ExampleOutputs) -> RegressionResult:
    """Return one value per row.

    Raises: RequestError.
    """
    array, dtype = outputs.tensors[signature.outputs[_OUTPUTS].name]
    if not (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            f"but got {shape_string(array)}"
        )
    if len(array) != outputs.batch:
        raise invalid_argument(
            f"Input batch size did not match output batch size: {outputs.batch} vs. {len(array)}"
        )
    if dtype != types_pb2.DT_FLOAT:
        raise invalid_argument(
            f"Expected output Tensor of DT_FLOAT.  Got: {types_pb2.DataType.Name(dtype)}"
        )
    return RegressionResult(
        regressions=[Regression(value=value) for value in array.ravel().tolist()]
    )
