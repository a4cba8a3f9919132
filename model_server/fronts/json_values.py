"""One JSON value → one array of a declared type, in the words of upstream's json_tensor.cc.

numpy converts it at once; only when that fails is it walked value by value, to say which one is wrong. Which
value belongs to which input is json_inputs.py's business.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

import numpy as np

from model_server.errors import invalid_argument
from model_server.runtime import tensors
from model_server.runtime.signatures import TensorSpec
from model_server.runtime.tensors import STRING, Array

_SHOWN_CHARACTERS = 200
"""Of a value that is quoted in an error."""


def array_of(value: Any, spec: TensorSpec) -> Array:
    """The array that a value stands for. Raises ServingError."""
    if spec.dtype == STRING:
        shape = dense_shape(value)
        check(value, 0, shape, spec)
        array = np.empty(shape, dtype=object)
        array.ravel()[:] = _strings(value)
        return array
    converted = _numbers(value, spec)
    if converted is None:
        check(value, 0, dense_shape(value), spec)
        raise invalid_argument(f"JSON Value: {shown(value)} is not of expected type: {spec}")
    return converted


def _numbers(value: Any, spec: TensorSpec) -> Array | None:
    """None when numpy cannot read the value, or would change what it says."""
    dtype = tensors.numpy_dtype(spec.dtype)
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        return None
    if dtype is None or (array.size and array.dtype.kind not in _KINDS.get(dtype.kind, "iuf")):
        return None
    if dtype.kind in "iu" and array.size:
        limits = np.iinfo(dtype)
        if int(array.min()) < limits.min or int(array.max()) > limits.max:
            return None
    with np.errstate(over="ignore"):
        return array.astype(dtype)


_KINDS = {"i": "iu", "u": "iu", "b": "b", "f": "iuf"}
"""Kinds of numpy arrays that may become a tensor of each kind."""


def check(value: Any, level: int, shape: tuple[int, ...], spec: TensorSpec) -> None:
    """Raise for the first value that is of the wrong type or at the wrong place."""
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid_argument(
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {len(shape)}"
            )
        _check_value(value, spec)
        return
    if level >= len(shape):
        raise invalid_argument(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    for item in value:
        check(item, level + 1, shape, spec)


def _check_value(value: Any, spec: TensorSpec) -> None:
    name = tensors.dtype_name(spec.dtype)
    if spec.dtype == STRING:
        if isinstance(value, dict) and not is_base64(value):
            raise invalid_argument(f"JSON Value: {shown(value)} not formatted correctly for base64 data")
        is_right = isinstance(value, str | dict)
    elif (dtype := tensors.numpy_dtype(spec.dtype)) is not None and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        is_right = type(value) is int and limits.min <= value <= limits.max
    elif name == "bool":
        is_right = isinstance(value, bool)
    else:
        is_right = type(value) in (int, float)
    if not is_right:
        raise invalid_argument(
            f"JSON Value: {shown(value)} Type: {type_name(value)} is not of expected type: {name}"
        )


def _strings(value: Any) -> list[bytes]:
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    if isinstance(value, str):
        return [value.encode("utf-8", "surrogatepass")]
    try:
        return [base64.b64decode(value["b64"], altchars=None, validate=True)]
    except (binascii.Error, ValueError):
        raise invalid_argument("Unable to base64 decode") from None


def is_base64(value: dict[str, Any]) -> bool:
    """Whether a JSON object stands for bytes: `{"b64": "…"}`."""
    return len(value) == 1 and isinstance(value.get("b64"), str)


def dense_shape(value: Any) -> tuple[int, ...]:
    """The shape of nested lists, as their first elements say."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def brackets(shape: tuple[int, ...]) -> str:
    """A shape for an error: `[2,3]`."""
    return f"[{','.join(str(size) for size in shape)}]"


def type_name(value: Any) -> str:
    """The name of a JSON value's type, as upstream's parser calls it."""
    names = {bool: str(value), str: "String", list: "Array", dict: "Object", type(None): "Null"}
    return names.get(type(value), "Number")


def shown(value: Any) -> str:
    """A JSON value for an error, shortened."""
    text = json.dumps(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
