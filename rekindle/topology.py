"""The processes of `make run`: their commands, their ports, and how to see that they are ready.

The one place that knows the other roles' command lines and settings; it imports none of them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from contract.layout import model_names, models_config
from rekindle.child import Command
from rekindle.loopback import HOST, get

MONITORING = Path(__file__).with_name("monitoring.config")
"""Without it a model server has no metrics, TensorFlow Serving's own habit."""


PRECISIONS: dict[str, dict[str, str]] = {
    "int8": {"quantization": "int8", "mixed_precision": "bfloat16"},
    "bfloat16": {"mixed_precision": "bfloat16"},
    "float32": {},
}
"""The model server's flags: what is tried first may be refused, and then the next one is tried."""


@dataclass(frozen=True)
class Stack:
    """Where the stack finds its models and listens."""

    models: Path
    data: Path
    """Datasets, the database and the pictures of the history."""
    http_port: int
    grpc_port: int
    rest_port: int
    precision: str = field(default="int8", kw_only=True)
    """In which the model server computes where the CPU has it and the labels stay, one of PRECISIONS."""

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://{HOST}:{self.http_port}"

    @property
    def gateway_variables(self) -> dict[str, str]:
        """The gateway's settings."""
        return {
            "GATEWAY_SERVER__HOST": HOST,
            "GATEWAY_SERVER__PORT": str(self.http_port),
            "GATEWAY_PREDICTOR__TARGETS": f"{HOST}:{self.grpc_port}",
            "GATEWAY_STORES__MODELS": str(self.models),
            "GATEWAY_STORES__DATA": str(self.data),
            "GATEWAY_STORES__PICTURES": str(self.data / ".history"),
            "GATEWAY_DATABASE__URL": f"sqlite:///{self.data / 'gateway.sqlite3'}",
        }

    @property
    def bootstrap(self) -> Command:
        """Writes the rollout and the model server's configuration, and ends."""
        return Command("gateway", [sys.executable, "-m", "gateway", "bootstrap"], self.gateway_variables)

    @property
    def gateway(self) -> Command:
        """Answers HTTP until it is stopped."""
        return Command("gateway", [sys.executable, "-m", "gateway", "serve"], self.gateway_variables)

    @property
    def model_server(self) -> Command:
        """Answers gRPC and REST until it is stopped; follows the configuration within a second."""
        flags = {
            "port": self.grpc_port,
            "rest_api_port": self.rest_port,
            "bind_address": HOST,
            "model_config_file": models_config(self.models),
            "model_config_file_poll_wait_seconds": 1,
            # The configuration names labels from the start, before any version is AVAILABLE.
            "allow_version_labels_for_unavailable_models": "true",
            "file_system_poll_wait_seconds": 1,
            "monitoring_config_file": MONITORING,
        }
        arguments = [f"--{flag}={value}" for flag, value in {**flags, **PRECISIONS[self.precision]}.items()]
        return Command("model server", [sys.executable, "-m", "model_server", *arguments])

    def models_are_available(self) -> bool:
        """True when the model server answers for every model with a version in the state AVAILABLE."""
        return all(self._is_available(name) for name in model_names(self.models))

    def _is_available(self, model: str) -> bool:
        answer = get(f"http://{HOST}:{self.rest_port}/v1/models/{model}")
        return answer is not None and '"AVAILABLE"' in answer.text

    def gateway_is_ready(self) -> bool:
        """True when the gateway's /readyz says so."""
        return get(f"{self.url}/readyz") is not None
