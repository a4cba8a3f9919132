"""Every error as an `application/problem+json` (RFC 9457): the one table outward, and who applies it.

`type` is a reference to a page of this very gateway, /errors/<code>, so that it can be looked up where
it arose. The table is tested for completeness against gateway.errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway import errors
from gateway.errors import GatewayError

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One row of the table."""

    status: int
    code: str
    title: str
    retry_after_seconds: int | None = None


KINDS: Mapping[type[GatewayError], ProblemKind] = {
    errors.NotAPictureError: ProblemKind(400, "not_a_picture", "The picture cannot be decoded"),
    errors.UnsupportedTypeError: ProblemKind(415, "unsupported_type", "The Content-Type is not accepted"),
    errors.TooLargeError: ProblemKind(413, "too_large", "The request exceeds a limit"),
    errors.MalformedBodyError: ProblemKind(422, "malformed_body", "The body has not the form expected"),
    errors.InvalidParameterError: ProblemKind(422, "invalid_parameter", "A parameter is not valid"),
    errors.SlowBodyError: ProblemKind(408, "slow_body", "The body did not arrive in time"),
    errors.UnknownModelError: ProblemKind(404, "unknown_model", "There is no such model"),
    errors.UnknownVersionError: ProblemKind(404, "unknown_version", "The model has no such version"),
    errors.OtherRoleError: ProblemKind(404, "other_role", "Another role of the gateway serves this"),
    errors.UnknownNameError: ProblemKind(404, "unknown_name", "There is nothing of that name"),
    errors.KeyReusedError: ProblemKind(422, "key_reused", "The Idempotency-Key belongs to another request"),
    errors.KeyInUseError: ProblemKind(409, "key_in_use", "The request with this Idempotency-Key runs", 1),
    errors.NoEmbeddingError: ProblemKind(409, "no_embedding", "The version gives no embedding"),
    errors.RunActiveError: ProblemKind(409, "run_active", "The model has an active training run"),
    errors.BaseDataMissingError: ProblemKind(409, "base_data_missing", "The data to build on is not there"),
    errors.ConflictError: ProblemKind(409, "conflict", "The request contradicts the present state"),
    errors.UnauthenticatedError: ProblemKind(401, "unauthenticated", "A valid token is needed"),
    errors.ForbiddenError: ProblemKind(403, "forbidden", "The role does not suffice"),
    errors.ForeignOriginError: ProblemKind(403, "foreign_origin", "The request comes from another site"),
    errors.RateLimitedError: ProblemKind(429, "rate_limited", "Too many requests"),
    errors.RunBudgetError: ProblemKind(429, "run_budget", "The model has had its training runs for this day"),
    errors.RunCooldownError: ProblemKind(429, "run_cooldown", "The model's last training run has just ended"),
    errors.AccessError: ProblemKind(403, "access", "The caller may not do this"),
    errors.RequestError: ProblemKind(400, "bad_request", "The request cannot be used"),
    errors.OverloadedError: ProblemKind(503, "overloaded", "More requests wait than can be answered", 1),
    errors.NoReplicaError: ProblemKind(503, "no_replica", "No model server can be reached", 2),
    errors.NoVersionError: ProblemKind(503, "no_version", "No version of the model is available", 2),
    errors.DatabaseError: ProblemKind(503, "database", "The database does not answer", 2),
    errors.LauncherError: ProblemKind(503, "launcher", "Training runs cannot be started now", 5),
    errors.UnavailableError: ProblemKind(503, "unavailable", "Nothing can answer now", 2),
    errors.DeadlineError: ProblemKind(504, "deadline", "The answer did not come in time"),
    errors.ReplicaLostError: ProblemKind(503, "replica_lost", "The model servers could not be reached", 1),
    errors.ReplicaSlowError: ProblemKind(504, "replica_slow", "The model server did not answer in time"),
    errors.VersionNotServedError: ProblemKind(503, "version_not_served", "The version is not loaded", 2),
    errors.ReplicaRejectedError: ProblemKind(502, "replica_rejected", "The model server refused the request"),
    errors.ReplicaError: ProblemKind(502, "replica_failed", "The model server failed"),
    errors.CardError: ProblemKind(503, "card_unusable", "The version's model card cannot be used"),
    errors.RolloutFileError: ProblemKind(503, "rollout_unusable", "The model's rollout cannot be read"),
    errors.DatasetStoreError: ProblemKind(503, "dataset_store", "The dataset store cannot be used"),
    errors.StoreError: ProblemKind(503, "store_unusable", "The model store cannot be used"),
    errors.ConfigurationError: ProblemKind(500, "configuration", "The gateway is not configured right"),
    GatewayError: ProblemKind(500, "internal", "The gateway failed"),
}
"""Each error of the domain, outward. A class that is missing would take its nearest ancestor's row."""

INVALID_REQUEST = ProblemKind(422, "invalid_parameter", "A parameter is not valid")
NOT_READY = ProblemKind(503, "not_ready", "The gateway cannot answer predictions", 1)
INTERNAL = ProblemKind(500, "internal", "The gateway failed")
HTTP_KINDS: Mapping[int, ProblemKind] = {
    404: ProblemKind(404, "not_found", "There is nothing at this path"),
    405: ProblemKind(405, "method_not_allowed", "The path does not take this method"),
}

ALL_KINDS: Mapping[str, ProblemKind] = {
    kind.code: kind for kind in [*KINDS.values(), *HTTP_KINDS.values(), INVALID_REQUEST, NOT_READY, INTERNAL]
}


def kind_of(error: GatewayError) -> ProblemKind:
    """The row of an error's class, or of its nearest ancestor."""
    return next(KINDS[ancestor] for ancestor in type(error).__mro__ if ancestor in KINDS)


def problem(
    kind: ProblemKind, detail: str, instance: str, request_id: str, **extensions: Any
) -> dict[str, Any]:
    """The members of a problem, in the order of the RFC."""
    return {
        "type": f"/errors/{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": instance,
        "code": kind.code,
        "request_id": request_id,
        **extensions,
    }


def response(
    scope: Mapping[str, Any],
    kind: ProblemKind,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **extensions: Any,
) -> Response:
    """A problem as the answer to a request; its `status` is the status line's."""
    if scope["path"].startswith("/v2/"):
        extensions["error"] = detail  # where clients of the Open Inference Protocol look for it
    content = problem(kind, detail, scope["path"], scope.get("request_id", ""), **extensions)
    all_headers = dict(headers or {})
    if kind.retry_after_seconds is not None:
        all_headers["Retry-After"] = str(kind.retry_after_seconds)
    if kind.status in (408, 413):  # the rest of the body is not read
        all_headers["Connection"] = "close"
    return Response(to_json(content), kind.status, all_headers, media_type=MEDIA_TYPE)


def from_error(scope: Mapping[str, Any], error: GatewayError) -> Response:
    """The answer to a request that ended with an error of the domain."""
    headers = {}
    if isinstance(error, errors.RateLimitedError):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    elif isinstance(error, errors.UnauthenticatedError):
        headers["WWW-Authenticate"] = "Bearer"
    return response(scope, kind_of(error), str(error), headers)


async def _on_gateway_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)  # noqa: S101
    return from_error(request.scope, error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    phrase = HTTPStatus(error.status_code).phrase
    kind = HTTP_KINDS.get(error.status_code)
    if kind is None:
        kind = ProblemKind(error.status_code, phrase.lower().replace(" ", "_"), phrase)
    detail = f"{request.method[:16]} {request.url.path[:200]}: {error.detail}; GET /docs lists what there is"
    return response(request.scope, kind, detail, error.headers)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    faults = [
        {"parameter": ".".join(map(str, fault["loc"])), "message": fault["msg"]} for fault in error.errors()
    ]
    detail = "; ".join(f"{fault['parameter']}: {fault['message']}" for fault in faults)
    return response(request.scope, INVALID_REQUEST, detail, errors=faults)


def install(app: FastAPI) -> None:
    """Turn every exception that a route raises into a problem; unexpected ones are the boundary's."""
    app.add_exception_handler(GatewayError, _on_gateway_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
