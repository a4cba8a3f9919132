"""Answer a request whose body is still on its way, so that the caller sees the answer.

Closing at once makes the kernel reset the connection while the caller is still sending, and most
clients then report a broken connection instead of the 413. So the answer goes out whole, what still
comes is dropped unread for a bounded while, and only then the connection closes (nginx calls it a
lingering close). Nothing of it is held in memory.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

LINGER_BYTES = 128 * 2**20
LINGER_SECONDS = 5.0


async def answer_and_linger(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send the response, drop what still comes within the bounds, then end it."""

    async def send_without_end(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "more_body": True}
        await send(message)

    await response(scope, receive, send_without_end)
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            await _drop(receive)
    await send({"type": "http.response.body", "body": b""})


async def _drop(receive: Receive) -> None:
    dropped = 0
    while dropped < LINGER_BYTES:
        message = await receive()
        dropped += len(message.get("body", b""))
        if not message.get("more_body", False):  # the end of the body, or of the connection
            return
