"""TensorProto ↔ numpy array, without copies where the encoding allows it.

Reading takes the common encodings by themselves and leaves every other (one value that stands for all,
strings in tensor_content, exotic types) to TensorFlow's own parser, so that what upstream accepts is
accepted. Writing fills the typed fields, as upstream does by default, or tensor_content.
"""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from contract.tfserving_api import shape_of
from model_server.errors import ServingError, invalid_argument

Array = npt.NDArray[Any]

STRING = 7
_DTYPES: dict[int, tuple[npt.DTypeLike, str]] = {
    1: (np.float32, "float_val"),
    2: (np.float64, "double_val"),
    3: (np.int32, "int_val"),
    4: (np.uint8, "int_val"),
    5: (np.int16, "int_val"),
    6: (np.int8, "int_val"),
    8: (np.complex64, "scomplex_val"),
    9: (np.int64, "int64_val"),
    10: (np.bool_, "bool_val"),
    14: (ml_dtypes.bfloat16, "half_val"),
    17: (np.uint16, "int_val"),
    18: (np.complex128, "dcomplex_val"),
    19: (np.float16, "half_val"),
    22: (np.uint32, "uint32_val"),
    23: (np.uint64, "uint64_val"),
}
"""types.proto number → numpy's type and the field of TensorProto that holds its values."""

_FIXED_WIDTH_TAGS = {"float_val": 0x2A, "double_val": 0x32, "scomplex_val": 0x4A, "dcomplex_val": 0x62}
"""Packed fields whose wire format is the array's own little-endian bytes."""

_MAX_BYTES = 2**31 - 1
"""The largest message that can arrive; a few bytes must not announce a tensor above it."""


def numpy_dtype(dtype: int) -> np.dtype[Any] | None:
    """numpy's type for a types.proto number; None for strings and types that numpy does not know."""
    return np.dtype(_DTYPES[dtype][0]) if dtype in _DTYPES else None


def number_of(dtype: np.dtype[Any]) -> int | None:
    """The types.proto number of numpy's type; None for one that no tensor has."""
    if dtype.kind in "SO":
        return STRING
    return next((number for number, (known, _) in _DTYPES.items() if np.dtype(known) == dtype), None)


def dtype_name(dtype: int) -> str:
    """The name that TensorFlow Serving's messages use, e.g. `float`, `uint8`, `string`."""
    names = {1: "float", 2: "double", 10: "bool", 14: "bfloat16", 19: "half", STRING: "string"}
    if dtype in names:
        return names[dtype]
    return str(np.dtype(_DTYPES[dtype][0]).name) if dtype in _DTYPES else f"type {dtype}"


def from_proto(tensor: Any, alias: str) -> Array:
    """The array that a TensorProto holds; strings as an object array of bytes.

    The array may be read-only and share the message's bytes.
    Raises ServingError (INVALID_ARGUMENT: `tensor parsing error: <alias>`).
    """
    shape = shape_of(tensor)
    count = math.prod(shape)
    error = invalid_argument(f"tensor parsing error: {alias}")
    if tensor.tensor_shape.unknown_rank or any(size < 0 for size in shape) or len(shape) > 254:
        raise error
    dtype = numpy_dtype(tensor.dtype)
    if count * (dtype.itemsize if dtype else 1) > _MAX_BYTES:
        raise error
    content = tensor.tensor_content
    if dtype is not None and content:
        if len(content) != count * dtype.itemsize:
            raise error
        return np.frombuffer(content, dtype).reshape(shape)
    if not content and (array := _from_typed_field(tensor, dtype, count)) is not None:
        return array.reshape(shape)
    return _by_tensorflow(tensor, error)


def _from_typed_field(tensor: Any, dtype: np.dtype[Any] | None, count: int) -> Array | None:
    """The values of the typed field when there is exactly one for each element."""
    if tensor.dtype == STRING:
        if len(tensor.string_val) != count:
            return None
        array = np.empty(count, dtype=object)
        array[:] = list(tensor.string_val)
        return array
    if dtype is None or dtype.kind == "c" or _DTYPES[tensor.dtype][1] == "half_val":
        return None
    values = getattr(tensor, _DTYPES[tensor.dtype][1])
    # Narrow integers travel as int32; those out of range wrap around, as upstream's cast does.
    return np.array(values).astype(dtype) if len(values) == count else None


def _by_tensorflow(tensor: Any, error: ServingError) -> Array:
    import tensorflow as tf

    try:
        dtype = tf.dtypes.as_dtype(tensor.dtype)
        array: Array = np.asarray(tf.io.parse_tensor(tensor.SerializeToString(), dtype).numpy())
    except (tf.errors.OpError, TypeError, ValueError):
        raise error from None
    return array.astype(object) if tensor.dtype == STRING else array


def fill_proto(tensor: Any, array: Array, dtype: int, as_content: bool) -> None:
    """Write `array`, whose types.proto number is `dtype`, into an empty TensorProto."""
    if dtype != STRING and dtype not in _DTYPES:
        _fill_by_tensorflow(tensor, array)
        return
    tensor.dtype = dtype
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    if dtype == STRING:
        tensor.string_val.extend(array.ravel().tolist())
    elif as_content:
        tensor.tensor_content = _little_endian(array)
    else:
        _fill_typed_field(tensor, array, _DTYPES[dtype][1])


def _fill_typed_field(tensor: Any, array: Array, name: str) -> None:
    if array.size == 0:
        return
    if name in _FIXED_WIDTH_TAGS:
        content = _little_endian(array)
        tensor.MergeFromString(bytes([_FIXED_WIDTH_TAGS[name]]) + _varint(len(content)) + content)
        return
    values = array.view(np.uint16) if name == "half_val" else array
    getattr(tensor, name).extend(values.ravel().tolist())


def _fill_by_tensorflow(tensor: Any, array: Array) -> None:
    import tensorflow as tf

    tensor.MergeFromString(tf.make_tensor_proto(array).SerializeToString())


def _little_endian(array: Array) -> bytes:
    dtype = array.dtype
    return array.astype(dtype.newbyteorder("<"), copy=False).tobytes()


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
