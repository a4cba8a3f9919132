"""The official tensorflow-serving-api classes and stubs against this server, for every method it has."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from model_servers import Running, eventually, image_request, running, value_of

from contract import tfserving_api as api

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def official(tiny: Running) -> SimpleNamespace:
    """The official modules, with a stub of each service."""
    names = ("predict_pb2", "get_model_metadata_pb2", "get_model_status_pb2", "model_management_pb2")
    names += ("prediction_service_pb2_grpc", "model_service_pb2_grpc")
    modules = {name: importlib.import_module(f"tensorflow_serving.apis.{name}") for name in names}
    return SimpleNamespace(
        **modules,
        prediction=modules["prediction_service_pb2_grpc"].PredictionServiceStub(tiny.channel),
        model=modules["model_service_pb2_grpc"].ModelServiceStub(tiny.channel),
    )


def test_predict_answers_the_official_client(official: SimpleNamespace, tiny: Running) -> None:
    """A request that tf.make_tensor_proto built, and the same bytes in answer as for our own."""
    import numpy as np
    import tensorflow as tf

    request = official.predict_pb2.PredictRequest()
    request.model_spec.name = "tiny"
    request.inputs["images"].CopyFrom(tf.make_tensor_proto(np.zeros([1, 32, 32, 3], np.uint8)))
    response = official.prediction.Predict(request, timeout=60)
    assert tf.make_ndarray(response.outputs["probabilities"]).tolist() == [[2.0] * 10]
    own = tiny.predict()
    assert response.SerializeToString(deterministic=True) == own.SerializeToString(deterministic=True)


def test_metadata_answers_the_official_client(official: SimpleNamespace) -> None:
    """The signatures come packed as upstream packs them."""
    metadata = official.get_model_metadata_pb2
    request = metadata.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "tiny"
    response = official.prediction.GetModelMetadata(request, timeout=60)
    assert response.model_spec.version.value == 2
    signatures = metadata.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert set(signatures.signature_def) >= {"serving_default", "combine", "echo"}


def test_metadata_names_its_field(official: SimpleNamespace) -> None:
    """Without a field, or with one that there is not, the request is refused."""
    request = official.get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "tiny"
    with pytest.raises(grpc.RpcError, match="must specify at least one metadata_field"):
        official.prediction.GetModelMetadata(request, timeout=60)
    request.metadata_field.append("labels")
    with pytest.raises(grpc.RpcError, match="labels is not supported"):
        official.prediction.GetModelMetadata(request, timeout=60)


def test_status_answers_the_official_client(official: SimpleNamespace) -> None:
    """All versions, or one; an unknown one is NOT_FOUND."""
    request = official.get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "tiny"

    def states() -> list[tuple[int, int]]:
        response = official.model.GetModelStatus(request, timeout=60)
        return [(entry.version, entry.state) for entry in response.model_version_status]

    eventually(lambda: states() == [(2, 30), (1, 30)])  # the second is loaded while the first serves
    request.model_spec.version.value = 7
    with pytest.raises(grpc.RpcError, match="Could not find version 7 of model tiny") as raised:
        official.model.GetModelStatus(request, timeout=60)
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_method_that_is_not_there_says_so(tiny: Running) -> None:
    """An unknown method is UNIMPLEMENTED, and not a hang."""
    with pytest.raises(grpc.RpcError) as raised:
        tiny.call("/tensorflow.serving.PredictionService/Explain", api.PredictRequest(), api.PredictResponse)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def reload_request(models: dict[str, Path], official: SimpleNamespace, **labels: int) -> Any:
    request = official.model_management_pb2.ReloadConfigRequest()
    for name, path in models.items():
        config = request.config.model_config_list.config.add(
            name=name, base_path=str(path), model_platform="tensorflow"
        )
        for label, version in labels.items():
            config.version_labels[label] = version
    return request


def test_the_configuration_is_replaced_on_request(
    tmp_path: Path, publish: Callable[[Path, int], Path], official: SimpleNamespace
) -> None:
    """A new model answers when the call returns; one that is left out is unloaded; labels move."""
    publish(tmp_path / "a", 1)
    publish(tmp_path / "b", 2)
    with running("--model_name=a", f"--model_base_path={tmp_path / 'a'}") as server:
        stub = official.model_service_pb2_grpc.ModelServiceStub(server.channel)
        both = {"a": tmp_path / "a", "b": tmp_path / "b"}
        assert (
            stub.HandleReloadConfigRequest(reload_request(both, official), timeout=60).status.error_code == 0
        )
        assert value_of(server.predict("b")) == 2
        only = reload_request({"b": tmp_path / "b"}, official, stable=2)
        stub.HandleReloadConfigRequest(only, timeout=60)
        eventually(lambda: server.states("a") == {1: "END"})
        assert value_of(server.predict("b", version_label="stable")) == 2


def test_a_configuration_that_cannot_be_used_changes_nothing(
    tmp_path: Path, publish: Callable[[Path, int], Path], official: SimpleNamespace
) -> None:
    """Upstream's words and codes; the models serve on; a model that never comes ends with the call."""
    base_path = tmp_path / "a"
    publish(base_path, 1)
    with running("--model_name=a", f"--model_base_path={base_path}") as server:
        reload = official.model_service_pb2_grpc.ModelServiceStub(server.channel).HandleReloadConfigRequest
        refused = (
            (reload_request({"a": base_path}, official, stable=9), "Request to assign label to version 9"),
            (official.model_management_pb2.ReloadConfigRequest(), "Only ModelConfigList is currently"),
        )
        for request, words in refused:
            with pytest.raises(grpc.RpcError, match=words):
                reload(request, timeout=60)
        missing = reload_request({"a": base_path, "b": tmp_path / "nowhere"}, official)
        with pytest.raises(grpc.RpcError) as raised:
            reload(missing, timeout=1)
        assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        reload(reload_request({"a": base_path}, official), timeout=60)
        response = server.call(api.PREDICT, image_request("a"), api.PredictResponse)
        assert value_of(response) == 1
