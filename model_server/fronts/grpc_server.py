"""The gRPC server: ports, sockets, TLS, threads, and ServingError as a status.

Its handlers are generic ones over the contract's messages; what they answer is grpc_api.py's business.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc

from model_server.errors import Code, ServingError
from model_server.fronts import reflection
from model_server.fronts.grpc_api import Call, GrpcApi
from model_server.fronts.health import Health

log = logging.getLogger(__name__)

_INT32_MAX = 2**31 - 1
_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.max_receive_message_length", _INT32_MAX),
    ("grpc.max_send_message_length", _INT32_MAX),
    # Otherwise a second server on the same port would take half of the connections in silence.
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True)
class GrpcSettings:
    """How gRPC is served."""

    addresses: tuple[str, ...]
    """`host:port`, `unix:path`."""
    threads: int
    channel_arguments: tuple[tuple[str, int | str], ...] = ()
    credentials: grpc.ServerCredentials | None = None
    """Without them, plain text. A Unix socket is plain text always: the file's permissions guard it."""


def serve(api: GrpcApi, settings: GrpcSettings, health: Health | None) -> grpc.Server:
    """Start answering. Raises RuntimeError when an address cannot be bound."""
    workers = ThreadPoolExecutor(settings.threads, thread_name_prefix="grpc")
    server = grpc.server(workers, options=(*_OPTIONS, *settings.channel_arguments))
    server.add_generic_rpc_handlers(_services(api))
    reflection.enable(server, health is not None)
    if health is not None:
        health.add_to(server)
    for address in settings.addresses:
        if settings.credentials is None or address.startswith("unix:"):
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, settings.credentials)
    server.start()
    return server


def _services(api: GrpcApi) -> list[grpc.GenericRpcHandler[Any, Any]]:
    services: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {}
    for path, (call, request) in api.methods().items():
        _, service, method = path.split("/")
        services.setdefault(service, {})[method] = _method(call, request)
    return [grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items()]


def _method(call: Call, request: Any) -> grpc.RpcMethodHandler[Any, Any]:
    def answer(message: Any, context: grpc.ServicerContext) -> Any:
        try:
            return call(message, context)
        except ServingError as error:
            context.abort(grpc.StatusCode[error.code.name], error.message)
        except Exception as error:
            log.exception("a gRPC call failed")
            context.abort(grpc.StatusCode[Code.INTERNAL.name], f"{type(error).__name__}: {error}")

    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=request.FromString, response_serializer=_serialized
    )


def _serialized(message: Any) -> bytes:
    content: bytes = message.SerializeToString()
    return content
