"""Repeat a step for ever: what follows the model store and the replicas' names.

A step that fails is logged once per kind of failure and tried again at the next interval, so that
neither a full disk nor a mistake of ours ends the following silently.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gateway.errors import GatewayError

log = logging.getLogger(__name__)


async def until_it_works(step: Callable[[], Awaitable[None]], interval_seconds: float, what: str) -> None:
    """Await `step()` until it succeeds once; failures are logged as by `repeat`."""
    is_done = asyncio.Event()

    async def attempt() -> None:
        if not is_done.is_set():
            await step()
            is_done.set()

    repeating = asyncio.create_task(repeat(attempt, interval_seconds, what))
    try:
        await is_done.wait()
    finally:
        repeating.cancel()


async def repeat(step: Callable[[], Awaitable[None]], interval_seconds: float, what: str) -> None:
    """Await `step()` every `interval_seconds` until cancelled; `what` names it in the log."""
    last_failure = ""
    while True:
        try:
            await step()
            last_failure = ""
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
            if failure != last_failure:
                is_foreseen = isinstance(error, GatewayError | OSError)
                log.error("%s failed", what, extra={"reason": failure}, exc_info=not is_foreseen)
            last_failure = failure
        await asyncio.sleep(interval_seconds)
