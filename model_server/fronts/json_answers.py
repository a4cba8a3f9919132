"""Arrays → the JSON that upstream answers, down to its line breaks and its way of writing numbers.

In row format each instance stands on one line, as upstream's writer leaves it; in column format every
value has a line of its own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from model_server.errors import invalid_argument
from model_server.fronts.json_inputs import Format
from model_server.runtime.tensors import Array

_INDENT = "    "


def write(outputs: Mapping[str, Array], form: Format) -> bytes:
    """The body of a prediction's answer. Raises ServingError when rows cannot be told apart."""
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    tokens = {name: _tokens(name, array) for name, array in sorted(outputs.items())}
    if form is Format.ROW:
        _check_rows(outputs)
        content = _rows(tokens)
    else:
        content = _columns(tokens)
    return f'{{\n{_INDENT}"{form.value}": {content}\n}}'.encode("utf-8", "surrogatepass")


def write_rows(key: str, rows: list[Any]) -> bytes:
    """`{key: rows}` with a row on each line; the leaves are JSON already."""
    return f'{{\n{_INDENT}"{key}": {_rows({key: rows})}\n}}'.encode("utf-8", "surrogatepass")


def numbers(values: list[float]) -> list[str]:
    """Single-precision numbers as upstream writes them."""
    return _decimals(np.array(values, dtype=np.float32), 9)


def write_error(message: str) -> bytes:
    """`{"error": …}`, as every failure is answered."""
    return json.dumps({"error": message}, indent=4, ensure_ascii=False).encode("utf-8", "replace")


def _check_rows(outputs: Mapping[str, Array]) -> None:
    expected = None
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if expected is not None and len(array) != expected:
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {expected}"
            )
        expected = len(array)


def _rows(tokens: Mapping[str, Any]) -> str:
    """One line an instance; objects only where there are several outputs."""
    if len(tokens) == 1:
        (values,) = tokens.values()
        return f"[{', '.join(_line(value) for value in values)}\n{_INDENT}]"
    rows = []
    for values in zip(*tokens.values(), strict=True):
        members = (
            f"{_INDENT * 3}{json.dumps(name)}: {_line(value)}"
            for name, value in zip(tokens, values, strict=True)
        )
        rows.append(f"\n{_INDENT * 2}{{\n" + ",\n".join(members) + f"\n{_INDENT * 2}}}")
    return f"[{','.join(rows)}\n{_INDENT}]"


def _line(value: Any) -> str:
    return f"[{', '.join(_line(item) for item in value)}]" if isinstance(value, list) else value


def _columns(tokens: Mapping[str, Any]) -> str:
    if len(tokens) == 1:
        (value,) = tokens.values()
        return _lines(value, 1)
    members = (f"{_INDENT * 2}{json.dumps(name)}: {_lines(value, 2)}" for name, value in tokens.items())
    return "{\n" + ",\n".join(members) + f"\n{_INDENT}}}"


def _lines(value: Any, level: int) -> str:
    if not isinstance(value, list):
        return str(value).replace("\n", "\n" + _INDENT * level)
    if not value:
        return "[]"
    items = (f"{_INDENT * (level + 1)}{_lines(item, level + 1)}" for item in value)
    return "[\n" + ",\n".join(items) + f"\n{_INDENT * level}]"


def _tokens(name: str, array: Array) -> Any:
    """Nested lists of JSON texts, in the shape of the array."""
    flat = array.ravel()
    kind = array.dtype.kind
    if array.dtype == object:
        texts = [_text(value, name.endswith("_bytes")) for value in flat]
    elif kind == "b":
        texts = ["true" if value else "false" for value in flat]
    elif kind in "iu":
        texts = [str(value) for value in flat.tolist()]
    elif array.dtype == np.float64:
        texts = _decimals(flat, 17)
    elif kind in "fV" and array.dtype.itemsize <= 4:  # ml_dtypes' kinds are V
        texts = _decimals(flat.astype(np.float32), 9)
    else:
        raise invalid_argument(f"Failed to write JSON value for tensor type: {array.dtype}")
    nested = np.empty(len(texts), dtype=object)
    nested[:] = texts
    return nested.reshape(array.shape).tolist()


def _text(value: Any, as_base64: bool) -> str:
    content = value if isinstance(value, bytes) else str(value).encode()
    if as_base64:
        return f'{{\n{_INDENT}"b64": "{base64.b64encode(content).decode("ascii")}"\n}}'
    return json.dumps(content.decode("utf-8", "replace"), ensure_ascii=False)


def _decimals(values: Array, digits: int) -> list[str]:
    """Six significant digits where they suffice to read the same number again, else `digits`."""
    numbers = values.tolist()
    texts = [f"{number:.6g}" for number in numbers]
    same = np.array(texts, dtype=values.dtype) == values if texts else values
    for position in np.flatnonzero(~same if texts else values):
        texts[position] = f"{numbers[position]:.{digits}g}"
    return [_with_point(text) for text in texts]


def _with_point(text: str) -> str:
    special = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    if text in special:
        return special[text]
    return text if "." in text or "e" in text else f"{text}.0"
