"""GET /v1/training-runs/{id}/logs: a run's output, whole, or followed as server-sent events.

An event's id is the byte offset behind it, so that a reader whose connection broke goes on where it
was: browsers send the last id by themselves. Only whole lines are sent while the run may still print.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from time import monotonic
from typing import Annotated

from fastapi import APIRouter, Header, Query
from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse

from gateway.api.access import PredictCaller
from gateway.api.schemas import guarded_responses
from gateway.api.services import ControlDependency, ControlServices
from gateway.api.training_runs import RunPath
from gateway.errors import GatewayError

log = logging.getLogger(__name__)
router = APIRouter(tags=["training runs"])

PART_BYTES = 64 * 1024
POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
"""A comment this often keeps proxies from closing a connection that is silent."""


@router.get(
    "/v1/training-runs/{id}/logs",
    summary="Read or follow the output of a training run",
    response_class=Response,
    responses={
        200: {
            "content": {
                "text/event-stream": {"schema": {"type": "string"}},
                "text/plain": {"schema": {"type": "string"}},
            }
        },
        **guarded_responses(404, 422, 503),
    },
)
async def run_logs(
    id: RunPath,
    services: ControlDependency,
    _: PredictCaller,
    follow: Annotated[bool, Query(description="false: what there is, as text.")] = True,
    last_event_id: Annotated[int | None, Header(alias="Last-Event-ID", ge=0, le=2**53)] = None,
) -> Response:
    """Events with lines of the log, and `end` with the run's state when it is final."""
    await services.training.find(id)
    pieces = _events(services, id, last_event_id or 0) if follow else _plain(services, id)
    first = await anext(pieces)  # an error can still be an answer

    async def all_pieces() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    media_type = "text/event-stream" if follow else "text/plain; charset=utf-8"
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(all_pieces(), media_type=media_type, headers=headers)


async def _plain(services: ControlServices, run_id: str) -> AsyncIterator[bytes]:
    offset = 0
    while True:
        content = await services.training.log(run_id, offset, PART_BYTES)
        yield content
        offset += len(content)
        if not content:
            return


async def _events(services: ControlServices, run_id: str, offset: int) -> AsyncIterator[bytes]:
    """Until the run has ended and all is sent, or the gateway wants to stop."""
    yield b": the log of a training run\n\n"
    silent_since = monotonic()
    while not services.lifecycle.is_draining:
        try:
            row = await services.training.find(run_id)  # before the log: a final run prints no more
            content = await services.training.log(run_id, offset, PART_BYTES)
        except GatewayError as error:  # the headers are sent; the reader comes again with its last id
            log.warning("a log stream broke", extra={"run": run_id, "reason": str(error)})
            return
        whole = content if row.state.is_final else _whole_lines(content)
        if whole:
            offset += len(whole)
            silent_since = monotonic()
            yield _event(whole, offset)
            continue
        if row.state.is_final:
            problem = row.error.model_dump() if row.error else None
            yield b"event: end\nid: %d\ndata: %s\n\n" % (
                offset,
                to_json({"state": row.state, "error": problem}),
            )
            return
        if monotonic() - silent_since >= HEARTBEAT_SECONDS:
            silent_since = monotonic()
            yield b": still here\n\n"
        await asyncio.sleep(POLL_SECONDS)


def _whole_lines(content: bytes) -> bytes:
    """Up to the last line break; a line that fills a whole part is cut."""
    end = content.rfind(b"\n") + 1
    return content if not end and len(content) == PART_BYTES else content[:end]


def _event(content: bytes, offset: int) -> bytes:
    """One event of several lines. A carriage return would end a line of the protocol, too."""
    text = content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    lines = "".join(f"data: {line}\n" for line in text.split("\n"))
    return f"id: {offset}\n{lines}\n".encode()
