"""Servers in this process on free ports, the plain ways to ask them, and bounded waiting."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import httpx

from contract import tfserving_api as api

logging.getLogger("httpx").setLevel(logging.WARNING)


def eventually(is_true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is true; fail when it does not become so."""
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.01)


def free_port() -> int:
    """A port of the loopback that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Running:
    """A server that answers, and the plain ways to ask it."""

    server: Any
    grpc_port: int
    rest_port: int
    channel: grpc.Channel
    http: httpx.Client

    def call(self, method: str, request: Any, reply: Any, timeout: float | None = 60.0) -> Any:
        """One unary call; without a deadline when `timeout` is None."""
        stub = self.channel.unary_unary(
            method, request_serializer=type(request).SerializeToString, response_deserializer=reply.FromString
        )
        return stub(request, timeout=timeout)

    def predict(self, model: str = "tiny", **spec: Any) -> Any:
        """The answer for one black image; `spec` fills the ModelSpec."""
        return self.call(api.PREDICT, image_request(model, **spec), api.PredictResponse)

    def states(self, model: str = "tiny") -> dict[int, str]:
        """The state of every version of a model; empty when the server does not know the model."""
        reply = self.http.get(f"/v1/models/{model}")
        return {
            int(entry["version"]): entry["state"] for entry in reply.json().get("model_version_status", [])
        }


def image_request(model: str = "tiny", images: int = 1, **spec: Any) -> Any:
    """A PredictRequest for black images."""
    request = api.PredictRequest()
    request.model_spec.name = model
    if "version" in spec:
        request.model_spec.version.value = spec.pop("version")
    for name, value in spec.items():
        setattr(request.model_spec, name, value)
    api.fill_uint8_tensor(request.inputs["images"], bytes(images * 3072), [images, 32, 32, 3])
    return request


def value_of(response: Any) -> float:
    """What every probability of the tiny model is: the number of the version that answered."""
    values = set(api.float_rows(response.outputs["probabilities"])[0])
    assert len(values) == 1
    return float(values.pop())


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    """A server in this process with these flags, ready to answer."""
    from model_server import command_line
    from model_server.composition import ModelServer

    grpc_port, rest_port = free_port(), free_port()
    ports = (f"--port={grpc_port}", f"--rest_api_port={rest_port}", "--bind_address=127.0.0.1")
    server = ModelServer(command_line.parse([*ports, *arguments]))
    try:
        assert server.open(lambda: False)
        with (
            grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel,
            httpx.Client(base_url=f"http://127.0.0.1:{rest_port}", timeout=60) as http,
        ):
            yield Running(server, grpc_port, rest_port, channel, http)
    finally:
        server.close(seconds=5)
