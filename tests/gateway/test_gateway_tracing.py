"""Traces: from the caller's traceparent through the gateway to the model server, and nothing when unset."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from gateway_fakes import FakeModelServer, eventually, picture
from gateway_harness import StartGateway
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gateway.errors import ConfigurationError
from gateway.ports.tracing import Untraced
from gateway.wiring.tracing import tracing_of

pytestmark = pytest.mark.anyio
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """Receives OTLP over HTTP, as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.services: set[str] = set()
        self.spans: list[Any] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            for pair in resource.resource.attributes:
                if pair.key == "service.name":
                    self.services.add(pair.value.string_value)
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that OpenTelemetry's own variables name."""
    made = Collector()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def attributes(span: Any) -> dict[str, Any]:
    """Of a span, as plain values."""
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}


async def test_a_request_is_one_trace_from_caller_to_model_server(
    collector: Collector, start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """The caller's trace holds the request's span, which holds the call's, which the server is told."""
    gateway = await start_gateway(model_server)
    answer = await gateway.predict(
        files={"images": picture()}, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}
    )
    assert answer.status_code == 200
    await eventually(lambda: len(collector.spans) == 2)
    [request] = collector.named("POST /v1/models/{model}/predictions")
    [call] = collector.named("Predict")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert (call.trace_id.hex(), call.parent_span_id) == (TRACE, request.span_id)
    assert attributes(request)["http.response.status_code"] == 200
    assert attributes(call)["rekindle.images"] == 1
    assert model_server.metadata[-1]["traceparent"] == f"00-{TRACE}-{call.span_id.hex()}-01"
    assert collector.services == {"rekindle-gateway"}
    assert not [span for span in collector.spans if "readyz" in span.name]


async def test_a_batch_links_to_every_request_in_it(
    collector: Collector, start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """Three requests that wait while one runs become one call, which names all three."""
    gateway = await start_gateway(model_server)
    model_server.flowing.clear()
    first = asyncio.create_task(gateway.predict(files={"images": picture()}))
    await eventually(lambda: len(model_server.calls) == 1)
    more = [asyncio.create_task(gateway.predict(files={"images": picture()})) for _ in range(3)]
    await eventually(lambda: gateway.services.replicas.queued_images == 3)
    model_server.flowing.set()
    assert {(await request).status_code for request in [first, *more]} == {200}
    await eventually(lambda: len(collector.spans) >= 6)
    [together] = [span for span in collector.named("Predict") if attributes(span)["rekindle.images"] == 3]
    requests = {span.span_id for span in collector.named("POST /v1/models/{model}/predictions")}
    named = {together.parent_span_id, *(link.span_id for link in together.links)}
    assert len(named) == 3
    assert named < requests


async def test_a_failure_is_an_error_in_the_trace(collector: Collector, start_gateway: StartGateway) -> None:
    """A 503 marks its span; a refused name does not, since the caller is at fault."""
    gateway = await start_gateway(is_ready=False, predictor={"outage_patience_seconds": 0})
    assert (await gateway.predict(files={"images": picture()})).status_code == 503
    assert (await gateway.predict("nobody", files={"images": picture()})).status_code == 404
    await eventually(lambda: len(collector.spans) == 2)
    assert {attributes(span)["http.response.status_code"]: span.status.code for span in collector.spans} == {
        503: 2,
        404: 0,
    }


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_traced_unless_asked_for(environment: dict[str, str]) -> None:
    """Without an endpoint, or switched off by the standard variables, there is no tracer."""
    assert isinstance(tracing_of(environment=environment), Untraced)


def test_another_protocol_is_refused() -> None:
    """Only OTLP over HTTP is built in; a start that would lose every span says so."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    with pytest.raises(ConfigurationError, match="http/protobuf only"):
        tracing_of(environment=environment)


def test_the_sdk_is_not_even_imported() -> None:
    """A gateway that traces nothing does not pay for OpenTelemetry."""
    code = (
        "import sys; from gateway.app import create_app; from gateway.settings import Settings; "
        "create_app(Settings()); "
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
