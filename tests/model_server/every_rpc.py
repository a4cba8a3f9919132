"""Run in an environment that has the official client: every RPC, asked by its classes and by ours.

Prints a line of JSON for each RPC: its name, whether the two answers are equal to the byte, and what the
official stub read from its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import tensorflow_serving.apis as official
from tensorflow_serving.apis import (  # noqa: F401 (registers the attributes of `official`)
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from contract import tfserving_api as ours

_METADATA = ("signature_def",)


def fill_predict(request: Any) -> Any:
    """A string tensor for `echo`."""
    request.model_spec.name, request.model_spec.signature_name = "tiny", "echo"
    request.output_filter.append("text")
    request.inputs["text"].dtype = 7
    request.inputs["text"].tensor_shape.dim.add(size=2)
    request.inputs["text"].string_val.extend([b"a", b"\x00\xff"])
    return request


def fill_examples(request: Any, signature: str) -> Any:
    """One example for a signature of the model `examples`."""
    request.model_spec.name, request.model_spec.signature_name = "examples", signature
    request.input.example_list.examples.add().features.feature["x"].float_list.value.append(0.25)
    return request


def fill_tasks(request: Any) -> Any:
    """Two signatures on one example."""
    for signature in ("classify", "regress"):
        task = request.tasks.add(method_name=f"tensorflow/serving/{signature}")
        task.model_spec.name, task.model_spec.signature_name = "examples", signature
    request.input.example_list.examples.add().features.feature["x"].float_list.value.append(0.25)
    return request


def fill_metadata(request: Any) -> Any:
    """The signatures of a model with one."""
    request.model_spec.name = "single"
    request.metadata_field.extend(_METADATA)
    return request


def fill_status(request: Any) -> Any:
    """All versions."""
    request.model_spec.name = "tiny"
    return request


def fill_reload(request: Any) -> Any:
    """The configuration as it is."""
    for entry in sys.argv[2:]:
        name, path = entry.split("=", 1)
        request.config.model_config_list.config.add(name=name, base_path=path, model_platform="tensorflow")
    return request


def calls(channel: grpc.Channel) -> Iterator[tuple[str, Any, Any, Any]]:
    """The path, the official stub's method, the official request and ours."""
    stub = official.prediction_service_pb2_grpc.PredictionServiceStub(channel)
    model = official.model_service_pb2_grpc.ModelServiceStub(channel)
    yield (
        ours.PREDICT,
        stub.Predict,
        fill_predict(official.predict_pb2.PredictRequest()),
        fill_predict(ours.PredictRequest()),
    )
    yield (
        ours.CLASSIFY,
        stub.Classify,
        fill_examples(official.classification_pb2.ClassificationRequest(), "classify"),
        fill_examples(ours.ClassificationRequest(), "classify"),
    )
    yield (
        ours.REGRESS,
        stub.Regress,
        fill_examples(official.regression_pb2.RegressionRequest(), "regress"),
        fill_examples(ours.RegressionRequest(), "regress"),
    )
    yield (
        ours.MULTI_INFERENCE,
        stub.MultiInference,
        fill_tasks(official.inference_pb2.MultiInferenceRequest()),
        fill_tasks(ours.MultiInferenceRequest()),
    )
    yield (
        ours.GET_MODEL_METADATA,
        stub.GetModelMetadata,
        fill_metadata(official.get_model_metadata_pb2.GetModelMetadataRequest()),
        fill_metadata(ours.GetModelMetadataRequest()),
    )
    yield (
        ours.GET_MODEL_STATUS,
        model.GetModelStatus,
        fill_status(official.get_model_status_pb2.GetModelStatusRequest()),
        fill_status(ours.GetModelStatusRequest()),
    )
    yield (
        ours.RELOAD_CONFIG,
        model.HandleReloadConfigRequest,
        fill_reload(official.model_management_pb2.ReloadConfigRequest()),
        fill_reload(ours.ReloadConfigRequest()),
    )


def main() -> None:
    """Ask the server at the address that the first argument names."""
    with grpc.insecure_channel(sys.argv[1]) as channel:
        for path, stub, official_request, our_request in calls(channel):
            raw = channel.unary_unary(path)
            contents = [message.SerializeToString() for message in (official_request, our_request)]
            answers = [raw(content, timeout=60) for content in contents]
            read = stub(official_request, timeout=60)
            print(
                json.dumps(
                    {
                        "rpc": path.rpartition("/")[2],
                        "same_request": contents[0] == contents[1],
                        "same_answer": answers[0] == answers[1],
                        "bytes": len(answers[0]),
                        "read": str(read)[:2000],
                    }
                )
            )


if __name__ == "__main__":
    main()
