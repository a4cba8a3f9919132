"""TensorFlow Serving's gRPC messages without TensorFlow.

The official package `tensorflow-serving-api` drags all of TensorFlow into every client. Here the same
descriptors (tfserving.binpb, made from that package by `make descriptors` and compared to it in a test)
are loaded into a pool of their own, so they sit beside an imported TensorFlow without a clash, and the
bytes on the wire are equal. No stubs: callers name the method by its path.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from enum import IntEnum
from importlib.resources import files
from itertools import repeat
from typing import Any

from google.protobuf import message_factory, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"
PREDICT = f"/{PREDICTION_SERVICE}/Predict"
CLASSIFY = f"/{PREDICTION_SERVICE}/Classify"
REGRESS = f"/{PREDICTION_SERVICE}/Regress"
MULTI_INFERENCE = f"/{PREDICTION_SERVICE}/MultiInference"
GET_MODEL_METADATA = f"/{PREDICTION_SERVICE}/GetModelMetadata"
GET_MODEL_STATUS = f"/{MODEL_SERVICE}/GetModelStatus"
RELOAD_CONFIG = f"/{MODEL_SERVICE}/HandleReloadConfigRequest"


class ModelVersionState(IntEnum):
    """States of a version in a model server (get_model_status.proto)."""

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


class DataType(IntEnum):
    """The tensor types used here (types.proto)."""

    FLOAT = 1
    UINT8 = 4
    STRING = 7


def load_pool() -> DescriptorPool:
    """Every descriptor of the API in a new pool, to which others may be added."""
    pool = DescriptorPool()
    content = files("contract").joinpath("tfserving.binpb").read_bytes()
    for file in FileDescriptorSet.FromString(content).file:
        pool.Add(file)
    return pool


POOL = load_pool()
"""Every descriptor of the API: for gRPC reflection, and for messages that have no name below."""


def message_class(full_name: str) -> Any:
    """The class of a message, by its full protobuf name. Raises KeyError for an unknown one."""
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(full_name))


PredictRequest = message_class("tensorflow.serving.PredictRequest")
PredictResponse = message_class("tensorflow.serving.PredictResponse")
ClassificationRequest = message_class("tensorflow.serving.ClassificationRequest")
ClassificationResponse = message_class("tensorflow.serving.ClassificationResponse")
ClassificationResult = message_class("tensorflow.serving.ClassificationResult")
RegressionRequest = message_class("tensorflow.serving.RegressionRequest")
RegressionResponse = message_class("tensorflow.serving.RegressionResponse")
RegressionResult = message_class("tensorflow.serving.RegressionResult")
MultiInferenceRequest = message_class("tensorflow.serving.MultiInferenceRequest")
MultiInferenceResponse = message_class("tensorflow.serving.MultiInferenceResponse")
Example = message_class("tensorflow.Example")
GetModelMetadataRequest = message_class("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = message_class("tensorflow.serving.GetModelMetadataResponse")
GetModelStatusRequest = message_class("tensorflow.serving.GetModelStatusRequest")
GetModelStatusResponse = message_class("tensorflow.serving.GetModelStatusResponse")
ReloadConfigRequest = message_class("tensorflow.serving.ReloadConfigRequest")
ReloadConfigResponse = message_class("tensorflow.serving.ReloadConfigResponse")
ModelServerConfig = message_class("tensorflow.serving.ModelServerConfig")
SignatureDefMap = message_class("tensorflow.serving.SignatureDefMap")
PredictionLog = message_class("tensorflow.serving.PredictionLog")
TensorProto = message_class("tensorflow.TensorProto")


def fill_uint8_tensor(tensor: Any, content: bytes, shape: Sequence[int]) -> None:
    """Make `tensor` a uint8 tensor of `shape` whose row-major values are `content`.

    Raises ValueError when the length of `content` is not the product of `shape`.
    """
    size = 1
    for dimension in shape:
        size *= dimension
    if len(content) != size:
        raise ValueError(f"{len(content)} bytes cannot be a uint8 tensor of shape {list(shape)}")
    tensor.dtype = DataType.UINT8
    for dimension in shape:
        tensor.tensor_shape.dim.add(size=dimension)
    tensor.tensor_content = content


def shape_of(tensor: Any) -> list[int]:
    """The dimensions of a TensorProto."""
    return [dimension.size for dimension in tensor.tensor_shape.dim]


_MOST_VALUES = 2**26
"""Of one answer: 256 MiB of float32. One value may stand for a whole tensor, so its shape costs nothing."""


def float_rows(tensor: Any) -> list[Sequence[float]]:
    """The rows of a float32 matrix, whichever of its three encodings the server chose.

    `tensor_content` holds little-endian bytes; `float_val` holds the values, or one value that stands
    for all. Raises ValueError for another dtype, rank or length.
    """
    shape = shape_of(tensor)
    if tensor.dtype != DataType.FLOAT or len(shape) != 2:
        raise ValueError(f"expected a float32 matrix, got dtype {tensor.dtype} and shape {shape}")
    rows, columns = shape
    if min(shape) < 0 or rows * max(columns, 1) > _MOST_VALUES:
        raise ValueError(f"expected at most {_MOST_VALUES:,} values, got a tensor of shape {shape}")
    values = _floats(tensor, rows * columns)
    if len(values) != rows * columns:
        raise ValueError(f"{len(values)} values cannot fill a tensor of shape {shape}")
    return [values[row * columns : (row + 1) * columns] for row in range(rows)]


def _floats(tensor: Any, count: int) -> Sequence[float]:
    if tensor.tensor_content:
        if len(tensor.tensor_content) % 4:
            raise ValueError(f"{len(tensor.tensor_content)} bytes are no float32 values of 4 bytes each")
        values = array("f", tensor.tensor_content)
        if sys.byteorder == "big":
            values.byteswap()
        return values
    if len(tensor.float_val) == 1:
        return array("f", repeat(tensor.float_val[0], count))
    return array("f", tensor.float_val)


def config_to_text(config: Message) -> str:
    """A ModelServerConfig in the text form that `--model_config_file` takes."""
    return text_format.MessageToString(config, descriptor_pool=POOL)


def config_from_text(text: str) -> Any:
    """A ModelServerConfig from its text form. Raises google.protobuf.text_format.ParseError."""
    return text_format.Parse(text, ModelServerConfig(), descriptor_pool=POOL)
