"""The one error that the data plane raises, with the canonical status codes that gRPC and TensorFlow share.

It knows neither gRPC nor HTTP: each front maps the code in its own way, HTTP by the table of upstream's
http_server.cc. The words of a message are upstream's wherever clients may match on them.
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """google.rpc.Code; names and numbers are those of grpc.StatusCode and of TensorFlow's errors."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


HTTP_STATUS: dict[Code, int] = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}


class ServingError(Exception):
    """A request, a load or a configuration that failed: a canonical code and a sentence."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        """As absl::Status prints itself, e.g. `NOT_FOUND: Servable not found for request: Latest(x)`."""
        return f"{self.code.name}: {self.message}"


class SignatureNotFoundError(ServingError):
    """The servable has no signature of that name. gRPC and REST say so with different codes, as upstream."""

    def __init__(self, name: str) -> None:
        super().__init__(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        self.name = name


def invalid_argument(message: str) -> ServingError:
    """The commonest error: what arrived cannot be used."""
    return ServingError(Code.INVALID_ARGUMENT, message)
