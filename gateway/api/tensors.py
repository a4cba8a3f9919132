"""Requests and answers of the Open Inference Protocol: JSON, and the binary tensor data extension.

With the header `Inference-Header-Content-Length` the body is that many bytes of JSON, then the raw bytes
of each tensor that says `binary_data_size`, in order: little-endian, row-major; a BYTES tensor is its
elements, each behind a 4-byte length. Knows shapes and bytes, not what they mean.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from gateway.errors import MalformedBodyError

Parameters = dict[str, Any]
MAX_DEPTH = 5


class InputTensor(BaseModel):
    """One input as the request's JSON states it."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(max_length=255)
    shape: list[Annotated[int, Field(ge=0, le=2**31)]] = Field(max_length=8)
    datatype: str = Field(max_length=16)
    parameters: Parameters = Field(default_factory=dict)
    data: Any = None


class OutputRequest(BaseModel):
    """One output that is asked for."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(max_length=255)
    parameters: Parameters = Field(default_factory=dict)


class InferenceRequest(BaseModel):
    """The JSON of an inference request."""

    model_config = ConfigDict(frozen=True)

    id: str | None = Field(default=None, max_length=128)
    parameters: Parameters = Field(default_factory=dict)
    inputs: list[InputTensor] = Field(min_length=1, max_length=16)
    outputs: list[OutputRequest] = Field(default_factory=list, max_length=16)

    def wants_binary(self, output: OutputRequest) -> bool:
        """Whether an output shall come as raw bytes."""
        everything = self.parameters.get("binary_data_output", False)
        return bool(output.parameters.get("binary_data", everything))


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One output of the answer: float32 numbers, or texts."""

    name: str
    shape: Sequence[int]
    data: Sequence[Sequence[float]] | Sequence[str]

    @property
    def datatype(self) -> str:
        """FP32 or BYTES."""
        return "BYTES" if self.data and isinstance(self.data[0], str) else "FP32"

    def raw(self) -> bytes:
        """As binary tensor data."""
        if self.datatype == "BYTES":
            texts = [text.encode() for text in self.data if isinstance(text, str)]
            return b"".join(struct.pack("<I", len(text)) + text for text in texts)
        numbers = array("f", self.listed())
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers.tobytes()

    def listed(self) -> list[Any]:
        """As flat JSON data."""
        return list(self.data) if self.datatype == "BYTES" else list(chain.from_iterable(self.data))


def parse(body: bytes, header_length: str | None) -> tuple[InferenceRequest, list[bytes | None]]:
    """The request, and the raw bytes of each input that sends them. Raises MalformedBodyError."""
    length = len(body)
    if header_length is not None:
        if not (header_length.isascii() and header_length.isdigit() and int(header_length) <= len(body)):
            raise MalformedBodyError(
                f"Inference-Header-Content-Length is {header_length[:80]!r}; the body has {len(body)} bytes"
            )
        length = int(header_length)
    try:
        request = InferenceRequest.model_validate_json(body[:length])
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the body"
        raise MalformedBodyError(f"{where}: {fault['msg']}") from error
    return request, list(_raw_parts(request, memoryview(body)[length:]))


def _raw_parts(request: InferenceRequest, rest: memoryview) -> Iterator[bytes | None]:
    for tensor in request.inputs:
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            yield None
            continue
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(rest):
            raise MalformedBodyError(
                f"input {tensor.name!r}: binary_data_size is {size!r}; {len(rest)} bytes are left"
            )
        yield bytes(rest[:size])
        rest = rest[size:]
    if len(rest):
        raise MalformedBodyError(f"{len(rest)} bytes follow that no input claims by binary_data_size")


def uint8_content(tensor: InputTensor, raw: bytes | None) -> bytes:
    """The bytes of a UINT8 tensor, row-major. Raises MalformedBodyError."""
    if tensor.datatype != "UINT8":
        raise MalformedBodyError(f"input {tensor.name!r} has datatype {tensor.datatype!r}; expected UINT8")
    count = math.prod(tensor.shape)
    try:
        content = raw if raw is not None else bytes(_flat(tensor.data))
    except (TypeError, ValueError) as error:
        raise MalformedBodyError(f"input {tensor.name!r}: data must be integers from 0 to 255") from error
    if len(content) != count:
        raise MalformedBodyError(
            f"input {tensor.name!r} has {len(content)} values; shape {tensor.shape} has {count}"
        )
    return content


def bytes_elements(tensor: InputTensor, raw: bytes | None) -> list[bytes]:
    """The elements of a BYTES tensor; in JSON they are base64 texts. Raises MalformedBodyError."""
    if tensor.datatype != "BYTES":
        raise MalformedBodyError(f"input {tensor.name!r} has datatype {tensor.datatype!r}; expected BYTES")
    elements = list(_unprefixed(tensor, raw) if raw is not None else _from_base64(tensor))
    if len(elements) != math.prod(tensor.shape):
        raise MalformedBodyError(
            f"input {tensor.name!r} has {len(elements)} elements; shape {tensor.shape} says otherwise"
        )
    return elements


def _unprefixed(tensor: InputTensor, raw: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(raw):
        end = position + 4
        size = int.from_bytes(raw[position:end], "little")
        if end + size > len(raw):
            raise MalformedBodyError(f"input {tensor.name!r}: an element is longer than the data")
        yield raw[end : end + size]
        position = end + size


def _from_base64(tensor: InputTensor) -> Iterator[bytes]:
    for text in _flat(tensor.data):
        try:
            yield base64.b64decode(text, validate=True)
        except (TypeError, ValueError, binascii.Error) as error:
            raise MalformedBodyError(f"input {tensor.name!r}: elements must be base64 texts") from error


def _flat(data: Any, depth: int = 0) -> list[Any]:
    """Nested lists to one; the protocol allows both forms."""
    if not isinstance(data, list) or depth > MAX_DEPTH:
        raise MalformedBodyError("data must be a list, flat or nested as the shape says")
    if data and isinstance(data[0], list):
        return list(chain.from_iterable(_flat(part, depth + 1) for part in data))
    return data


def answer(head: dict[str, Any], outputs: Sequence[tuple[OutputTensor, bool]]) -> tuple[bytes, int | None]:
    """The body, and the length of its JSON if raw tensors follow.

    Args:
        head: the members before `outputs`.
        outputs: each tensor, and whether it goes as raw bytes.
    """
    described, parts = [], []
    for tensor, is_binary in outputs:
        entry: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if is_binary:
            parts.append(tensor.raw())
            entry["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            entry["data"] = tensor.listed()
        described.append(entry)
    text = to_json({**head, "outputs": described})
    return b"".join([text, *parts]), len(text) if parts else None
