"""Notifications: a real receiver, signatures by the standard, retries, and a queue that is bounded."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from gateway_fakes import FakeModelServer, eventually
from gateway_harness import StartGateway, _QuietServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.adapters.webhook import Webhook
from gateway.errors import ConfigurationError
from gateway.metrics import Metrics
from gateway.notifications.notifier import Notifier
from gateway.server import listen
from gateway.settings import NotificationSettings, ServerSettings

pytestmark = pytest.mark.anyio

KEY = b"a key of some thirty-two bytes.."
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver:
    """Answers with the statuses it is given, then with 204."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def take(self, request: Request) -> Response:
        """One message."""
        self.got.append((dict(request.headers), await request.body()))
        return Response(status_code=self.statuses.pop(0) if self.statuses else 204)


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    taking = Receiver()
    listener = listen(ServerSettings(port=0))
    app = Starlette(routes=[Route("/hook", taking.take, methods=["POST"])])
    server = _QuietServer(uvicorn.Config(app, ws="none", log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await eventually(lambda: server.started)
    taking.url = f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
    try:
        yield taking
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def notifier(url: str, metrics: Metrics, **more: Any) -> AsyncIterator[Notifier]:
    """A notifier that delivers to the receiver."""
    settings = NotificationSettings.model_validate(
        {"url": url, "secret": SECRET, "retry_seconds": 0.001} | more
    )
    telling = Notifier(Webhook(settings), settings.secret, settings.queued, metrics)
    working = asyncio.create_task(telling.work())
    try:
        yield telling
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await telling.aclose()


def count(metrics: Metrics, outcome: str) -> float:
    """Notifications that ended so."""
    return metrics.registry.get_sample_value("gateway_notifications_total", {"outcome": outcome}) or 0.0


async def test_an_event_arrives_signed_as_the_standard_says() -> None:
    """HMAC-SHA256 over id, timestamp and body, in base64 behind `v1,`."""
    metrics = Metrics()
    async with receiver() as taking, notifier(taking.url, metrics) as telling:
        telling.tell("canary.rolled_back", {"model": "shades", "canary": 2})
        await eventually(lambda: count(metrics, "delivered") == 1)
    [(headers, body)] = taking.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    told = json.loads(body)
    assert (told["type"], told["data"]) == ("canary.rolled_back", {"model": "shades", "canary": 2})
    assert told["timestamp"].endswith("Z")


async def test_a_receiver_that_fails_is_asked_again_with_the_same_id() -> None:
    """After 5xx and 429; the id tells the receiver that it is the same message."""
    metrics = Metrics()
    async with receiver() as taking, notifier(taking.url, metrics) as telling:
        taking.statuses = [503, 429, 500]
        telling.tell("drift.alarmed", {})
        await eventually(lambda: count(metrics, "delivered") == 1)
    assert len(taking.got) == 4
    assert len({headers["webhook-id"] for headers, _ in taking.got}) == 1


@pytest.mark.parametrize(("statuses", "attempts"), [([404], 1), ([302], 1), ([500] * 9, 3)])
async def test_a_receiver_that_does_not_want_it_is_left_alone(statuses: list[int], attempts: int) -> None:
    """A 4xx or a redirect is final, and so is the last attempt; the next event is delivered."""
    metrics = Metrics()
    async with receiver() as taking, notifier(taking.url, metrics, attempts=3) as telling:
        taking.statuses = list(statuses)
        telling.tell("canary.began", {})
        await eventually(lambda: count(metrics, "failed") == 1)
        assert len(taking.got) == attempts
        taking.statuses = []
        telling.tell("canary.ended", {})
        await eventually(lambda: count(metrics, "delivered") == 1)


async def test_nobody_there_and_a_full_queue_harm_nothing() -> None:
    """What does not fit is dropped and counted."""
    metrics = Metrics()
    async with notifier("http://127.0.0.1:9/hook", metrics, queued=2, attempts=2) as telling:
        for _ in range(5):
            telling.tell("canary.began", {})
        assert count(metrics, "dropped") == 3
        await eventually(lambda: count(metrics, "failed") == 2)


def test_a_secret_that_is_no_base64_stops_the_start() -> None:
    """With the command that makes one."""
    with pytest.raises(ConfigurationError, match=r"os\.urandom"):
        Notifier(None, "not base64!", 1, Metrics())


async def test_without_a_receiver_the_gateway_imports_no_client(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """And tells nobody."""
    gateway = await start_gateway(model_server)
    gateway.services.decider._notifier.tell("canary.began", {})
    assert gateway.services.decider._notifier._queue.empty()
