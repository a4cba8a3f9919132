"""Server reflection, which upstream lacks: grpcurl and the like can list and call the services."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from contract import tfserving_api
from model_server.fronts import health


def enable(server: grpc.Server, has_health: bool) -> None:
    """Describe our services, health if it is served, and reflection itself."""
    names = [tfserving_api.PREDICTION_SERVICE, tfserving_api.MODEL_SERVICE, reflection.SERVICE_NAME]
    pool = tfserving_api.load_pool()
    pool.AddSerializedFile(reflection_pb2.DESCRIPTOR.serialized_pb)
    if has_health:
        pool.AddSerializedFile(health_pb2.DESCRIPTOR.serialized_pb)
        names.append(health.NAME)
    reflection.enable_server_reflection(names, server, pool=pool)
