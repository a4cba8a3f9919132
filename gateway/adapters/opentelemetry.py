"""Traces by OpenTelemetry, set up by its own standard variables and by nothing else.

Imported only where an exporter is configured: the SDK and its exporter cost memory and start-up time.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from fastapi.telemetry import TelemetryConfig
from opentelemetry import propagate
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, set_span_in_context

from gateway.ports.tracing import Call

SERVICE = "rekindle-gateway"
"""Unless OTEL_SERVICE_NAME says otherwise."""


class OpenTelemetry:
    """A gateway.ports.tracing.Tracing that exports over OTLP. Spans are sent from a thread of the SDK's."""

    def __init__(self, untraced_paths: Collection[str]) -> None:
        named = {} if "OTEL_SERVICE_NAME" in os.environ else {SERVICE_NAME: SERVICE}
        self._provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(__name__)
        self._untraced = untraced_paths

    @property
    def of_requests(self) -> TelemetryConfig:
        """A span for each request, none for the steps inside FastAPI. Metrics are Prometheus' business."""
        return TelemetryConfig(
            tracer_provider=self._provider,
            metrics=False,
            logs=False,
            operation_spans=False,
            auto_configure=False,
            exclude=lambda scope: scope["path"] in self._untraced,
        )

    @contextmanager
    def call(self, call: Call) -> Iterator[None]:
        """A client's span in the trace of the first cause, with links to the others."""
        known: dict[str, str | int] = {
            "rpc.system": "grpc",
            "rpc.method": "Predict",
            "server.address": call.address,
            "rekindle.model": call.model,
            "rekindle.version": call.version,
            "rekindle.images": call.images,
        }
        within = set_span_in_context(call.causes[0]) if call.causes else None
        links = [Link(span.get_span_context()) for span in call.causes[1:]]
        with self._tracer.start_as_current_span("Predict", within, SpanKind.CLIENT, known, links):
            yield

    def headers(self) -> Sequence[tuple[str, str]]:
        """`traceparent` and whatever else OTEL_PROPAGATORS asks for."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        return list(carrier.items())

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()
