"""The body of a REST prediction → arrays: row format (`instances`) or column format (`inputs`).

The words of its refusals are upstream's (json_tensor.cc). A tensor is converted by numpy at once; only
when that fails is it walked value by value, to say which one is wrong.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np

from model_server.errors import ServingError, invalid_argument
from model_server.runtime import tensors
from model_server.runtime.signatures import Signature, TensorSpec
from model_server.runtime.tensors import STRING, Array

_SHOWN_CHARACTERS = 200
"""Of a value that is quoted in an error."""


class Format(Enum):
    """How a request was written, and how its answer will be."""

    ROW = "predictions"
    COLUMN = "outputs"


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object of a request; NaN and Infinity are numbers. Raises ServingError."""
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    try:
        document = json.loads(body)
    except json.JSONDecodeError as error:
        raise invalid_argument(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    except RecursionError:
        raise invalid_argument("JSON Parse error: nested too deeply") from None
    except ValueError as error:  # not UTF-8, or a number with thousands of digits
        raise invalid_argument(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {shown(document)} Is not object")
    return document


def signature_name(document: Mapping[str, Any]) -> str:
    """The signature that the request names; empty when it names none. Raises ServingError."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {shown(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return name


def format_of(document: Mapping[str, Any]) -> Format:
    """Whether the request is in row or column format. Raises ServingError when it is in both or none."""
    if "instances" in document and "inputs" in document:
        raise invalid_argument(
            f"JSON Value: {shown(document)} Not formatted correctly expecting only "
            "one of 'inputs' or 'instances' keys to exist "
        )
    if "instances" in document:
        return Format.ROW
    if "inputs" in document:
        return Format.COLUMN
    raise invalid_argument("Missing 'inputs' or 'instances' key")


def arrays(document: Mapping[str, Any], signature: Signature) -> dict[str, Array]:
    """The inputs of `signature`, by alias. Raises ServingError."""
    if not signature.inputs:
        raise invalid_argument(f"Failed to get input map for signature: {signature.name}")
    try:
        if format_of(document) is Format.ROW:
            return _from_instances(document, signature)
        return _from_inputs(document["inputs"], signature)
    except RecursionError:
        raise invalid_argument("JSON Parse error: nested too deeply") from None


def _from_inputs(value: Any, signature: Signature) -> dict[str, Array]:
    if not isinstance(value, dict) or is_base64(value):
        if len(signature.inputs) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        alias, spec = next(iter(signature.inputs.items()))
        return {alias: _array(value, spec)}
    for alias in signature.inputs:
        if alias not in value and alias not in signature.defaults:
            raise invalid_argument(f"Missing named input: {alias} in 'inputs' object.")
    return {alias: _array(value[alias], spec) for alias, spec in signature.inputs.items() if alias in value}


def _from_instances(document: Mapping[str, Any], signature: Signature) -> dict[str, Array]:
    instances = document["instances"]
    if not isinstance(instances, list):
        raise invalid_argument(f"JSON Value: {shown(document)} Excepting 'instances' to be an list/array")
    if not instances:
        raise invalid_argument(f"JSON Value: {shown(document)} No values in 'instances' array")
    named = isinstance(instances[0], dict) and not is_base64(instances[0])
    if not named and len(signature.inputs) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    for position, instance in enumerate(instances):
        is_object = isinstance(instance, dict) and not is_base64(instance)
        if is_object != named:
            expected = "object but got list" if named else "value/list but got object"
            raise invalid_argument(f"Expecting {expected} at item {position} of input list")
        if named:
            _check_keys(position, instance, signature)
    if named:
        return {
            alias: _batch([instance[alias] for instance in instances], spec, f" key: {alias}")
            for alias, spec in signature.inputs.items()
            if alias in instances[0]
        }
    alias, spec = next(iter(signature.inputs.items()))
    return {alias: _batch(instances, spec)}


def _check_keys(position: int, instance: Mapping[str, Any], signature: Signature) -> None:
    if instance.keys() == signature.inputs.keys():
        return
    raise invalid_argument(
        f"Failed to process element: {position} of 'instances' list. JSON object: {shown(instance)} "
        f"keys must be equal to: {','.join(signature.inputs)}"
    )


def _batch(values: list[Any], spec: TensorSpec, key: str = "") -> Array:
    """One array of many instances; on failure, which of them is wrong."""
    try:
        return _array(values, spec)
    except ServingError as error:
        first = _dense_shape(values[0])
        for position, value in enumerate(values):
            try:
                _check(value, 0, _dense_shape(value), spec)
                if _dense_shape(value) != first:
                    raise invalid_argument(
                        f"Expecting shape {_brackets(first)} but got: {_brackets(_dense_shape(value))}"
                    )
            except ServingError as reason:
                raise invalid_argument(
                    f"Failed to process element: {position}{key} of 'instances' list. Error: {reason}"
                ) from None
        raise error


def _array(value: Any, spec: TensorSpec) -> Array:
    if spec.dtype == STRING:
        shape = _dense_shape(value)
        _check(value, 0, shape, spec)
        array = np.empty(shape, dtype=object)
        array.ravel()[:] = _strings(value)
        return array
    converted = _numbers(value, spec)
    if converted is None:
        _check(value, 0, _dense_shape(value), spec)
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


def _check(value: Any, level: int, shape: tuple[int, ...], spec: TensorSpec) -> None:
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
        _check(item, level + 1, shape, spec)


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


def _dense_shape(value: Any) -> tuple[int, ...]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _brackets(shape: tuple[int, ...]) -> str:
    return f"[{','.join(str(size) for size in shape)}]"


def type_name(value: Any) -> str:
    """The name of a JSON value's type, as upstream's parser calls it."""
    names = {bool: str(value), str: "String", list: "Array", dict: "Object", type(None): "Null"}
    return names.get(type(value), "Number")


def shown(value: Any) -> str:
    """A JSON value for an error, shortened."""
    text = json.dumps(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
