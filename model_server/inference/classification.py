"""Classify: labels and scores for each example (servables/tensorflow/classifier.cc)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from contract import tfserving_api
from model_server.errors import invalid_argument
from model_server.inference.examples import INPUTS, check_method
from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array

METHOD = "tensorflow/serving/classify"
CLASSES, SCORES = "classes", "scores"


def aliases(signature: Signature, is_method_checked: bool) -> tuple[str, ...]:
    """The outputs to compute: classes, scores or both. Raises ServingError (INVALID_ARGUMENT)."""
    check_method(signature, METHOD, "classification", is_method_checked)
    if len(signature.outputs) not in (1, 2):
        raise invalid_argument(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if INPUTS not in signature.inputs:
        raise invalid_argument(f"No classification inputs found in SignatureDef: {signature.describe()}")
    found = tuple(alias for alias in (CLASSES, SCORES) if alias in signature.outputs)
    if not found:
        raise invalid_argument(
            f'Expected classification signature outputs to contain at least one of "{CLASSES}" or '
            f'"{SCORES}". Signature was: {signature.describe()}'
        )
    return found


def result(outputs: Mapping[str, Array], examples: int) -> Any:
    """A ClassificationResult for that many examples. Raises ServingError when the graph gave otherwise."""
    classes, scores = outputs.get(CLASSES), outputs.get(SCORES)
    _check(classes, CLASSES, np.dtype(object), "DT_STRING", examples)
    _check(scores, SCORES, np.dtype(np.float32), "DT_FLOAT", examples)
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise invalid_argument(
            "Tensors class and score should match in dim_size(1). "
            f"Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    answer = tfserving_api.ClassificationResult()
    for row in range(examples):
        classifications = answer.classifications.add().classes
        _fill(classifications, _row(classes, row), _row(scores, row))
    return answer


def _row(array: Array | None, row: int) -> Sequence[Any]:
    return [] if array is None else array[row].tolist()


def _fill(classes: Any, labels: Sequence[bytes], scores: Sequence[float]) -> None:
    for position in range(max(len(labels), len(scores))):
        entry = classes.add()
        if labels:
            entry.label = labels[position].decode("utf-8", "replace")
        if scores:
            entry.score = scores[position]


def _check(array: Array | None, name: str, dtype: np.dtype[Any], dtype_name: str, examples: int) -> None:
    if array is None:
        return
    if array.ndim != 2:
        raise invalid_argument(f"Expected Tensor shape: [batch_size num_classes] but got {list(array.shape)}")
    if array.dtype != dtype:
        raise invalid_argument(f"Expected {name} Tensor of {dtype_name}. Got: {array.dtype}")
    if len(array) != examples:
        raise invalid_argument(f"Expected {name} output batch size of {examples}. Got: {len(array)}")
