"""Regress: one number for each example (servables/tensorflow/regressor.cc)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from contract import tfserving_api
from model_server.errors import invalid_argument
from model_server.inference.examples import INPUTS, check_method
from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array

METHOD = "tensorflow/serving/regress"
OUTPUTS = "outputs"


def aliases(signature: Signature, is_method_checked: bool) -> tuple[str, ...]:
    """The one output to compute. Raises ServingError (INVALID_ARGUMENT)."""
    check_method(signature, METHOD, "regression", is_method_checked)
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    for kind, alias, found in (("inputs", INPUTS, signature.inputs), ("outputs", OUTPUTS, signature.outputs)):
        if alias not in found:
            raise invalid_argument(f"No regression {kind} found in SignatureDef: {signature.describe()}")
    return (OUTPUTS,)


def result(outputs: Mapping[str, Array], examples: int) -> Any:
    """A RegressionResult for that many examples. Raises ServingError when the graph gave otherwise."""
    values = outputs[OUTPUTS]
    if values.ndim != 1 and not (values.ndim == 2 and values.shape[1] == 1):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            f"but got {list(values.shape)}"
        )
    if len(values) != examples:
        raise invalid_argument(
            f"Input batch size did not match output batch size: {examples} vs. {len(values)}"
        )
    if values.dtype != np.float32:
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {values.dtype}")
    answer = tfserving_api.RegressionResult()
    for value in values.ravel().tolist():
        answer.regressions.add(value=value)
    return answer
