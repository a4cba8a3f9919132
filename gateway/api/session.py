"""POST/DELETE /v1/session: a token for a cookie that scripts cannot read, for pages.

The cookie is the token itself: HttpOnly, SameSite=Strict, Secure over TLS. So there is no state to
share between gateways, and rotating or revoking the token ends the session everywhere.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from gateway.access.guard import COOKIE
from gateway.api.access import caller_of
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ServicesDependency
from gateway.errors import UnauthenticatedError

router = APIRouter(tags=["session"])


class TokenSchema(Schema):
    """A bearer token."""

    token: Annotated[str, Field(min_length=1, max_length=512, pattern="^[\\x21-\\x7e]+$")]


class CallerSchema(Schema):
    """Who one is here."""

    name: str
    role: str = Field(examples=["predict", "label", "operate"])


@router.get("/v1/session", summary="Who am I?", responses=guarded_responses())
async def show_session(request: Request) -> CallerSchema:
    """The caller that the gateway takes one for, and its role."""
    if request.scope["caller"] is None:
        raise UnauthenticatedError("there is no session, and no token")
    caller = caller_of(request.scope)
    return CallerSchema(name=caller.name, role=str(caller.role))


@router.post("/v1/session", summary="Begin a session", responses=guarded_responses(422))
async def begin_session(
    body: TokenSchema, request: Request, response: Response, services: ServicesDependency
) -> CallerSchema:
    """Hand in a token; the answer sets the session's cookie."""
    if services.guard.tokens is None:
        raise UnauthenticatedError("this gateway has no tokens, and needs no session")
    caller = services.guard.tokens.authenticate(body.token)
    response.set_cookie(
        COOKIE,
        body.token,
        max_age=services.guard.session_seconds,
        httponly=True,
        samesite="strict",
        secure=_is_https(request),
    )
    return CallerSchema(name=caller.name, role=str(caller.role))


@router.delete("/v1/session", status_code=204, summary="End the session", responses=guarded_responses())
async def end_session() -> Response:
    """Delete the cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
