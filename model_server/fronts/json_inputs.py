"""The body of a REST prediction → arrays: row format (`instances`) or column format (`inputs`).

The words of its refusals are upstream's (json_tensor.cc). How a value becomes an array is json_values.py's
business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

from model_server.errors import ServingError, invalid_argument
from model_server.fronts.json_values import array_of, brackets, check, dense_shape, is_base64, shown
from model_server.runtime.signatures import Signature, TensorSpec
from model_server.runtime.tensors import Array


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
        return {alias: array_of(value, spec)}
    for alias in signature.inputs:
        if alias not in value and alias not in signature.defaults:
            raise invalid_argument(f"Missing named input: {alias} in 'inputs' object.")
    return {alias: array_of(value[alias], spec) for alias, spec in signature.inputs.items() if alias in value}


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
        return array_of(values, spec)
    except ServingError as error:
        first = dense_shape(values[0])
        for position, value in enumerate(values):
            try:
                check(value, 0, dense_shape(value), spec)
                if dense_shape(value) != first:
                    raise invalid_argument(
                        f"Expecting shape {brackets(first)} but got: {brackets(dense_shape(value))}"
                    )
            except ServingError as reason:
                raise invalid_argument(
                    f"Failed to process element: {position}{key} of 'instances' list. Error: {reason}"
                ) from None
        raise error
