"""Which role a route needs: an annotation in its signature, from which the tests read it, too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Scope

from gateway.access.callers import Caller, Role


def caller_of(scope: Scope) -> Caller:
    """Who sent a request; set by the Guard before any route runs."""
    caller: Caller = scope["caller"]
    return caller


def requires(role: Role) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that lets only callers of at least this role pass."""

    async def check(request: Request) -> Caller:
        caller = caller_of(request.scope)
        caller.require(role)
        return caller

    check.role = role  # type: ignore[attr-defined]
    return check


PredictCaller = Annotated[Caller, Depends(requires(Role.PREDICT))]
LabelCaller = Annotated[Caller, Depends(requires(Role.LABEL))]
OperateCaller = Annotated[Caller, Depends(requires(Role.OPERATE))]
