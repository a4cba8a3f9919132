"""Tensors: every encoding that TensorFlow reads is read alike, and what is written TensorFlow reads back."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from contract import tfserving_api as api
from model_server.errors import ServingError
from model_server.runtime import tensors

pytestmark = pytest.mark.tensorflow

TYPES = ["float32", "float64", "int32", "uint8", "int16", "int8", "complex64", "int64", "bool", "uint16"]
TYPES += ["complex128", "float16", "uint32", "uint64", "bfloat16"]


def sample(name: str) -> Any:
    import tensorflow as tf

    values = [[0, 1, 1], [1, 0, 1]] if name == "bool" else [[1, 2, 3], [4, 5, 6]]
    return np.array(values).astype(tf.dtypes.as_dtype(name).as_numpy_dtype)


@pytest.mark.parametrize("as_content", [True, False])
@pytest.mark.parametrize("name", TYPES)
def test_arrays_survive_the_way_there_and_back(name: str, as_content: bool) -> None:
    """Every type, by typed fields and by tensor_content, for TensorFlow and for ourselves."""
    import tensorflow as tf

    array, number = sample(name), tf.dtypes.as_dtype(name).as_datatype_enum
    message = api.TensorProto()
    tensors.fill_proto(message, array, number, as_content)
    theirs = tf.make_ndarray(tf.make_tensor_proto(array).FromString(message.SerializeToString()))
    for read in (theirs, tensors.from_proto(message, "x")):
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("name", [*TYPES, "string"])
def test_what_tensorflow_writes_is_read(name: str) -> None:
    """One value that stands for all, as make_tensor_proto compresses equal values."""
    import tensorflow as tf

    array = np.full([2, 3], b"a", dtype=object) if name == "string" else np.ones([2, 3], sample(name).dtype)
    message = api.TensorProto.FromString(tf.make_tensor_proto(array).SerializeToString())
    np.testing.assert_array_equal(tensors.from_proto(message, "x"), array)


def test_a_last_value_is_repeated() -> None:
    """Fewer values than elements: the last one fills the rest, as TensorFlow does."""
    message = api.TensorProto(dtype=1, float_val=[1.0, 2.0])
    message.tensor_shape.dim.add(size=4)
    np.testing.assert_array_equal(tensors.from_proto(message, "x"), [1, 2, 2, 2])


def test_content_is_not_copied() -> None:
    """The array looks at the message's bytes."""
    message = api.TensorProto()
    api.fill_uint8_tensor(message, bytes(range(12)), [3, 4])
    array = tensors.from_proto(message, "x")
    assert array.base is not None
    assert array[2, 3] == 11


def test_empty_tensors_and_scalars_are_tensors() -> None:
    """No elements and no dimensions are legal."""
    scalar = api.TensorProto(dtype=2, double_val=[2.5])
    assert tensors.from_proto(scalar, "x").shape == ()
    empty = api.TensorProto(dtype=1)
    empty.tensor_shape.dim.add(size=0)
    assert tensors.from_proto(empty, "x").shape == (0,)


def broken(**fields: Any) -> Any:
    dims = fields.pop("dims")
    message = api.TensorProto(**fields)
    for size in dims:
        message.tensor_shape.dim.add(size=size)
    return message


@pytest.mark.parametrize(
    "message",
    [
        broken(dtype=1, tensor_content=b"123", dims=[1]),
        broken(dtype=1, float_val=[1.0], dims=[-1]),
        broken(dtype=1, float_val=[1.0], dims=[2**40, 2**40]),
        broken(dtype=1, float_val=[1.0], dims=[1] * 255),
        broken(dtype=0, dims=[1]),
        broken(dtype=99, dims=[1]),
        broken(dtype=7, string_val=[b"a"], dims=[2**31]),
    ],
)
def test_a_tensor_that_cannot_be_read_is_refused(message: Any) -> None:
    """Whatever is wrong with it, in upstream's words, and without allocating what it announces."""
    with pytest.raises(ServingError, match="tensor parsing error: x"):
        tensors.from_proto(message, "x")


def test_floats_are_written_as_a_packed_field() -> None:
    """The bytes on the wire are those that protobuf itself writes."""
    array = np.array([0.1, -2.5, np.inf, np.nan], np.float32)
    message = api.TensorProto()
    tensors.fill_proto(message, array, 1, as_content=False)
    assert struct.pack("<4f", *message.float_val) == array.tobytes()
    expected = api.TensorProto(dtype=1, float_val=array.tolist())
    expected.tensor_shape.dim.add(size=4)
    assert message.SerializeToString() == expected.SerializeToString()
