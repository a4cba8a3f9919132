"""Whether requests are traced: OpenTelemetry's own variables decide."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from gateway.errors import ConfigurationError
from gateway.ports.tracing import Tracing, Untraced

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HTTP = "http/protobuf"


def tracing_of(untraced_paths: Collection[str] = (), environment: Mapping[str, str] = os.environ) -> Tracing:
    """A tracer where an endpoint is named, else none. Raises ConfigurationError for another protocol."""
    is_off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    is_off = is_off or environment.get("OTEL_TRACES_EXPORTER") == "none"
    if is_off or not any(environment.get(name) for name in ENDPOINTS):
        return Untraced()
    protocol = next((environment[name] for name in PROTOCOLS if environment.get(name)), HTTP)
    if protocol != HTTP:
        raise ConfigurationError(f"{PROTOCOLS[1]} is {protocol!r}; the gateway exports by {HTTP} only")
    from gateway.adapters.opentelemetry import OpenTelemetry  # only where it is wanted: 15 MB

    return OpenTelemetry(untraced_paths)
