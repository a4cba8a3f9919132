"""contract.tfserving_api against the official package, in the same process."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from contract import tfserving_api as api

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def official() -> SimpleNamespace:
    """The official message classes."""
    from tensorflow.core.framework import tensor_pb2
    from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

    return SimpleNamespace(
        TensorProto=tensor_pb2.TensorProto,
        PredictRequest=predict_pb2.PredictRequest,
        PredictResponse=predict_pb2.PredictResponse,
        GetModelStatusRequest=get_model_status_pb2.GetModelStatusRequest,
        GetModelMetadataRequest=get_model_metadata_pb2.GetModelMetadataRequest,
    )


def test_the_descriptors_are_those_of_the_installed_package() -> None:
    """contract/tfserving.binpb is what `make descriptors` makes today."""
    from describe_tfserving import describe

    assert Path(api.__file__).with_name("tfserving.binpb").read_bytes() == describe()


def fill_request(request: object) -> None:
    """The same predict request on messages of either origin."""
    request.model_spec.name = "cifar10"  # type: ignore[attr-defined]
    request.model_spec.signature_name = "serving_default"  # type: ignore[attr-defined]
    request.model_spec.version.value = 7  # type: ignore[attr-defined]
    api.fill_uint8_tensor(request.inputs["images"], bytes(range(12)), [1, 2, 2, 3])  # type: ignore[attr-defined]
    request.output_filter.append("probabilities")  # type: ignore[attr-defined]


def test_a_predict_request_has_the_same_bytes(official: SimpleNamespace) -> None:
    """Built by the official class or by ours, the wire sees no difference."""
    theirs, ours = official.PredictRequest(), api.PredictRequest()
    fill_request(theirs)
    fill_request(ours)
    assert theirs.SerializeToString(deterministic=True) == ours.SerializeToString(deterministic=True)


@pytest.mark.parametrize("name", ["GetModelStatusRequest", "GetModelMetadataRequest"])
def test_a_request_about_a_model_has_the_same_bytes(official: SimpleNamespace, name: str) -> None:
    """Status and metadata requests with a version label."""
    theirs, ours = getattr(official, name)(), getattr(api, name)()
    for message in (theirs, ours):
        message.model_spec.name = "cifar10"
        message.model_spec.version_label = "stable"
    assert theirs.SerializeToString() == ours.SerializeToString()


def test_a_response_of_tensorflow_is_read(official: SimpleNamespace) -> None:
    """A tensor that TensorFlow encodes, as values and as bytes, gives its rows."""
    import numpy as np
    import tensorflow as tf

    probabilities = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
    as_bytes = tf.make_tensor_proto(probabilities)
    as_values = official.TensorProto(
        dtype=1, tensor_shape=as_bytes.tensor_shape, float_val=probabilities.ravel()
    )
    assert as_bytes.tensor_content
    for tensor in (as_bytes, as_values):
        theirs = official.PredictResponse()
        theirs.outputs["probabilities"].CopyFrom(tensor)
        theirs.model_spec.version.value = 3
        ours = api.PredictResponse.FromString(theirs.SerializeToString())
        assert ours.model_spec.version.value == 3
        assert [list(row) for row in api.float_rows(ours.outputs["probabilities"])] == probabilities.tolist()


def test_a_tensor_of_ours_is_read_by_tensorflow(official: SimpleNamespace) -> None:
    """uint8 pictures arrive with their shape and values."""
    import tensorflow as tf

    tensor = api.TensorProto()
    api.fill_uint8_tensor(tensor, bytes(range(24)), [2, 2, 2, 3])
    array = tf.make_ndarray(official.TensorProto.FromString(tensor.SerializeToString()))
    assert (array.shape, array.dtype.name) == ((2, 2, 2, 3), "uint8")
    assert array.tobytes() == bytes(range(24))
