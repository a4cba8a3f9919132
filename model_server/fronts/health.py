"""grpc.health.v1: whether the models answer, and not only whether the process is up.

Upstream sets every status to SERVING once. Here they follow the repository, and say NOT_SERVING from the
moment the server is asked to stop, so that a probe or a load balancer takes it out before calls are refused.
"""

from __future__ import annotations

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from contract.tfserving_api import MODEL_SERVICE, PREDICTION_SERVICE

NAME: str = health.SERVICE_NAME
_SERVICES = (health.OVERALL_HEALTH, PREDICTION_SERVICE, MODEL_SERVICE)
_STATUS = health_pb2.HealthCheckResponse


class Health:
    """The health service of one server."""

    def __init__(self) -> None:
        self._servicer = health.HealthServicer()

    def add_to(self, server: grpc.Server) -> None:
        """Answer health checks on `server`."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    def set(self, is_serving: bool) -> None:
        """Say whether every configured model answers; cheap, may be called at every change."""
        status = _STATUS.SERVING if is_serving else _STATUS.NOT_SERVING
        for service in _SERVICES:
            self._servicer.set(service, status)

    def stop(self) -> None:
        """NOT_SERVING from now on, whatever is set."""
        self._servicer.enter_graceful_shutdown()
