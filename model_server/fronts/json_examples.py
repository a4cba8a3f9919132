"""The JSON of classify and regress: lists of examples in, lists of results out (util/json_tensor.cc)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from contract import tfserving_api
from model_server.errors import invalid_argument
from model_server.fronts import json_answers
from model_server.fronts.json_inputs import signature_name
from model_server.fronts.json_values import is_base64, shown, type_name

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


def fill_request(request: Any, document: Mapping[str, Any]) -> None:
    """Fill the input and the signature of a ClassificationRequest or RegressionRequest.

    Raises ServingError (INVALID_ARGUMENT).
    """
    request.model_spec.signature_name = _text(signature_name(document))
    source = request.input.example_list
    if "context" in document:
        source = request.input.example_list_with_context
        _fill_example(source.context, document["context"])
    if "examples" not in document:
        raise _format_error(document, "When method is classify, key 'examples' is expected and was not found")
    examples = document["examples"]
    if not isinstance(examples, list):
        raise _format_error(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise _format_error(document, "'examples' value is an empty array")
    for example in examples:
        _fill_example(source.examples.add(), example)


def write_classifications(result: Any) -> bytes:
    """`{"results": [[[label, score], …], …]}`, an example a line."""
    rows = []
    for classifications in result.classifications:
        scores = json_answers.numbers([entry.score for entry in classifications.classes])
        labels = [json.dumps(entry.label, ensure_ascii=False) for entry in classifications.classes]
        rows.append([list(pair) for pair in zip(labels, scores, strict=True)])
    return json_answers.write_rows("results", rows)


def write_regressions(result: Any) -> bytes:
    """`{"results": [value, …]}`."""
    return json_answers.write_rows(
        "results", json_answers.numbers([entry.value for entry in result.regressions])
    )


def _format_error(document: Mapping[str, Any], words: str) -> Exception:
    return invalid_argument(f"JSON Value: {shown(document)} {words}")


def _fill_example(example: Any, value: Any) -> None:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {type_name(value)}")
    for name, content in value.items():
        # Present even when its list is empty, as upstream leaves it.
        feature = example.features.feature[_text(name)]
        for item in content if isinstance(content, list) else [content]:
            _add(feature, name, item)


def _text(text: str) -> str:
    """Half a surrogate pair, which JSON can say, has no place in a protobuf."""
    return text.encode("utf-8", "replace").decode()


def _add(feature: Any, name: str, value: Any) -> None:
    """Add one JSON value: booleans and whole numbers as int64, decimals as float, the rest as bytes."""
    kind, converted = _converted(name, value)
    present = feature.WhichOneof("kind")
    if present not in (None, kind):
        raise invalid_argument(
            f"Unexpected element type in feature: {name} expecting type: {present.removesuffix('_list')}"
        )
    getattr(feature, kind).value.append(converted)


def _converted(name: str, value: Any) -> tuple[str, Any]:
    match value:
        case bool():
            return "int64_list", int(value)
        case int() if _INT64_MIN <= value <= _INT64_MAX:
            return "int64_list", value
        case int():
            raise invalid_argument(f"Feature: {name} has uint64 element. Only int64 is supported.")
        case float():
            return "float_list", _single_precision(value)
        case str():
            return "bytes_list", value.encode("utf-8", "surrogatepass")
        case dict() if is_base64(value):
            return "bytes_list", _decoded(value["b64"])
    raise invalid_argument(f"Feature: {name} has element with unexpected JSON type: {type_name(value)}")


def _single_precision(value: float) -> float:
    with np.errstate(over="ignore"):
        single = float(np.float32(value))
    if np.isinf(single) and not np.isinf(value):
        raise invalid_argument(f"JSON Value: {value} cannot be represented as float without loss")
    return single


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise invalid_argument("Unable to base64 decode") from None


def new_request(method: str) -> Any:
    """An empty ClassificationRequest or RegressionRequest."""
    return (
        tfserving_api.ClassificationRequest() if method == "classify" else tfserving_api.RegressionRequest()
    )
