"""contract.tfserving_api: the messages without TensorFlow, and the tensors in and out of them."""

from __future__ import annotations

import struct
import subprocess
import sys
from array import array
from pathlib import Path

import pytest
from google.protobuf import text_format

from contract import tfserving_api as api

ROOT = Path(__file__).resolve().parents[2]


def matrix(shape: list[int], dtype: int = api.DataType.FLOAT, **fields: object) -> object:
    """A TensorProto of a shape, with its values in the given field."""
    tensor = api.TensorProto(dtype=dtype, **fields)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


VALUES = [0.25, 0.75, 0.5, 0.5, 1.0, 0.0]
ROWS = [[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]]


@pytest.mark.parametrize(
    "tensor",
    [
        pytest.param(matrix([3, 2], tensor_content=struct.pack("<6f", *VALUES)), id="tensor_content"),
        pytest.param(matrix([3, 2], float_val=VALUES), id="float_val"),
    ],
)
def test_float_rows_reads_both_encodings(tensor: object) -> None:
    """A server may send bytes or values; the rows are the same."""
    assert [list(row) for row in api.float_rows(tensor)] == ROWS


def test_float_rows_spreads_one_value() -> None:
    """One value stands for a whole tensor; also for a tensor of one."""
    assert [list(row) for row in api.float_rows(matrix([2, 3], float_val=[0.5]))] == [[0.5] * 3] * 2
    assert [list(row) for row in api.float_rows(matrix([1, 1], float_val=[0.5]))] == [[0.5]]


def test_float_rows_of_no_rows() -> None:
    """An empty batch has no rows."""
    assert api.float_rows(matrix([0, 10])) == []


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        pytest.param(matrix([4], float_val=[0.1] * 4), r"got dtype 1 and shape \[4\]", id="rank"),
        pytest.param(matrix([2, 2], api.DataType.UINT8, int_val=[1] * 4), "got dtype 4", id="dtype"),
        pytest.param(matrix([2, 2], float_val=[0.1] * 3), "3 values cannot fill", id="too few"),
        pytest.param(matrix([2, 2], tensor_content=bytes(20)), "5 values cannot fill", id="too many"),
        pytest.param(matrix([2, 2], tensor_content=bytes(7)), "7 bytes", id="half a value"),
        pytest.param(matrix([2, 2]), "0 values cannot fill", id="none"),
        pytest.param(matrix([-1, 2], float_val=[0.1] * 2), "shape", id="unknown dimension"),
        pytest.param(matrix([2**40, 2**20], float_val=[0.1]), "shape", id="a size that no answer has"),
        pytest.param(matrix([2**40, 0]), "shape", id="rows without end"),
        pytest.param(matrix([2, 0], tensor_content=bytes(4)), "1 values cannot fill", id="rows of nothing"),
    ],
)
def test_float_rows_refuses_what_is_no_float_matrix(tensor: object, message: str) -> None:
    """A strange answer is a ValueError that quotes it: never wrong rows, never memory without bound."""
    with pytest.raises(ValueError, match=message):
        api.float_rows(tensor)


def test_fill_uint8_tensor_keeps_the_bytes() -> None:
    """dtype, shape and content of a batch of pictures; parsed again they are the same."""
    tensor = api.TensorProto()
    api.fill_uint8_tensor(tensor, bytes(range(24)), [2, 2, 2, 3])
    again = api.TensorProto.FromString(tensor.SerializeToString())
    assert (again.dtype, api.shape_of(again)) == (api.DataType.UINT8, [2, 2, 2, 3])
    assert again.tensor_content == bytes(range(24))


def test_fill_uint8_tensor_refuses_another_length() -> None:
    """Bytes that do not fill the shape are a ValueError that names both."""
    with pytest.raises(ValueError, match=r"23 bytes cannot be a uint8 tensor of shape \[2, 2, 2, 3\]"):
        api.fill_uint8_tensor(api.TensorProto(), bytes(23), [2, 2, 2, 3])


CONFIG = """
model_config_list {
  config {
    name: "cifar10" base_path: "/models/cifar10" model_platform: "tensorflow"
    model_version_policy { specific { versions: 3 versions: 4 } }
    version_labels { key: "stable" value: 3 }
  }
}
"""


def test_the_model_servers_configuration_in_text_form() -> None:
    """What `--model_config_file` takes is read and written, labels and policy included."""
    config = api.config_from_text(CONFIG)
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("cifar10", "/models/cifar10")
    assert list(model.model_version_policy.specific.versions) == [3, 4]
    assert dict(model.version_labels) == {"stable": 3}
    assert api.config_from_text(api.config_to_text(config)) == config


def test_a_base_path_survives_the_text_form() -> None:
    """Quotes, backslashes and other alphabets in a path."""
    config = api.ModelServerConfig()
    config.model_config_list.config.add(name="m", base_path='/a "b"\\c/ü')
    assert api.config_from_text(api.config_to_text(config)) == config


@pytest.mark.parametrize("text", ["model_config_list {", "no_such_field: 1", "model_config_list: 3", "\0"])
def test_a_broken_configuration_is_a_parse_error(text: str) -> None:
    """Half a file and unknown fields are refused with the place."""
    with pytest.raises(text_format.ParseError, match=r"^\d+:\d+"):
        api.config_from_text(text)


def test_an_unknown_message_is_a_key_error() -> None:
    """A message that the API does not have."""
    with pytest.raises(KeyError):
        api.message_class("tensorflow.serving.NoSuchMessage")


def test_the_states_are_those_of_the_wire() -> None:
    """The enumeration is the one in get_model_status.proto."""
    enum = api.POOL.FindEnumTypeByName("tensorflow.serving.ModelVersionStatus.State")
    assert {value.name: value.number for value in enum.values} == {
        state.name: state.value for state in api.ModelVersionState
    }


@pytest.mark.parametrize(
    "method",
    [
        api.PREDICT,
        api.CLASSIFY,
        api.REGRESS,
        api.MULTI_INFERENCE,
        api.GET_MODEL_METADATA,
        api.GET_MODEL_STATUS,
        api.RELOAD_CONFIG,
    ],
)
def test_every_path_names_a_method_of_the_api(method: str) -> None:
    """A typing error in a path would only show as UNIMPLEMENTED at run time."""
    _, service, name = method.split("/")
    assert name in api.POOL.FindServiceByName(service).methods_by_name


def test_it_needs_neither_tensorflow_nor_numpy() -> None:
    """The whole contract is imported without them."""
    code = (
        "import sys, contract.tfserving_api, contract.images, contract.layout;"
        "print([name for name in ('tensorflow', 'numpy', 'keras') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_rows_are_cheap_to_slice() -> None:
    """Rows stay compact arrays: a batch of a thousand classes makes no million Python floats."""
    (row,) = api.float_rows(matrix([1, 4], tensor_content=bytes(16)))
    assert isinstance(row, array)
