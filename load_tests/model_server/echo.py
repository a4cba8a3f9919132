"""A gRPC server in Python that answers Predict and does nothing: what any request costs, client included.

`python -m load_tests.model_server.echo PORT CLASSES` answers every request with the same bytes, as many as
the model server's answer for one image has, and says that version 1 of every model is AVAILABLE. The
benchmark sets it beside the model server; the regression check puts the gateway before it.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from contract import tfserving_api as api

THREADS = 8


def answer(classes: int) -> bytes:
    """A PredictResponse for one image."""
    response = api.PredictResponse()
    response.model_spec.name, response.model_spec.signature_name = "cifar10", "serving_default"
    response.model_spec.version.value = 1
    tensor = response.outputs["probabilities"]
    tensor.dtype = 1
    for size in (1, classes):
        tensor.tensor_shape.dim.add(size=size)
    tensor.float_val.extend([1 / classes] * classes)
    content: bytes = response.SerializeToString()
    return content


def status() -> bytes:
    """A GetModelStatusResponse."""
    response = api.GetModelStatusResponse()
    response.model_version_status.add(version=1, state=int(api.ModelVersionState.AVAILABLE))
    content: bytes = response.SerializeToString()
    return content


def _always(path: str, content: bytes) -> grpc.GenericRpcHandler[Any, Any]:
    _, service, method = path.split("/")
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: content)
    return grpc.method_handlers_generic_handler(service, {method: handler})


def main() -> None:
    """Serve until killed."""
    content = answer(int(sys.argv[2]))
    server = grpc.server(ThreadPoolExecutor(THREADS), options=(("grpc.so_reuseport", 0),))
    answers = {api.PREDICT: content, api.GET_MODEL_STATUS: status()}
    server.add_generic_rpc_handlers([_always(path, answered) for path, answered in answers.items()])
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
