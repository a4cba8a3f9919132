"""Idempotency-Key on predictions."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from gateway_fakes import FakeModelServer, eventually, picture
from gateway_harness import RunningGateway

from gateway.api import idempotency
from gateway.api.idempotency import Answers
from gateway.errors import KeyInUseError, KeyReusedError

pytestmark = pytest.mark.anyio


async def predict(gateway: RunningGateway, key: str, value: int = 200, **options: Any) -> httpx.Response:
    """Send a picture under a key."""
    files = {"images": ("a.png", picture(value))}
    return await gateway.predict(files=files, headers={"Idempotency-Key": key}, **options)


async def test_the_same_request_gets_the_first_answer(
    gateway: RunningGateway, model_server: FakeModelServer
) -> None:
    """Byte for byte, marked as repeated, computed once and remembered once."""
    first = await predict(gateway, "one")
    calls = len(model_server.calls)
    again = await predict(gateway, "one")
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(model_server.calls) == calls
    other = await predict(gateway, "two")
    assert other.json()["predictions"][0]["id"] != first.json()["predictions"][0]["id"]
    await gateway.becomes("/v1/predictions", lambda answer: len(answer.json()["predictions"]) == 2)


async def test_another_request_under_the_key_is_refused(gateway: RunningGateway) -> None:
    """Other pixels, or other parameters."""
    assert (await predict(gateway, "one")).status_code == 200
    for options in ({"value": 9}, {"params": {"top_k": 1}}):
        refused = await predict(gateway, "one", **options)
        assert (refused.status_code, refused.json()["code"]) == (422, "key_reused")
    refused = await predict(gateway, "x" * 256)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_parameter")


async def test_while_the_first_one_runs(gateway: RunningGateway, model_server: FakeModelServer) -> None:
    """409 with Retry-After; then its answer."""
    model_server.flowing.clear()
    first = asyncio.create_task(predict(gateway, "one"))
    await eventually(lambda: bool(model_server.calls))
    refused = await predict(gateway, "one")
    assert (refused.status_code, refused.json()["code"]) == (409, "key_in_use")
    assert refused.headers["retry-after"] == "1"
    model_server.flowing.set()
    assert (await predict(gateway, "one")).status_code in (200, 409)
    assert (await first).status_code == 200
    assert (await predict(gateway, "one")).content == (await first).content


async def test_a_failure_is_not_kept(gateway: RunningGateway) -> None:
    """The next one with the key is computed."""
    headers = {"Idempotency-Key": "one", "Content-Type": "image/png"}
    for _ in range(2):
        failed = await gateway.predict(content=b"no picture", headers=headers)
        assert (failed.status_code, failed.json()["code"]) == (400, "not_a_picture")
        assert "idempotency-replayed" not in failed.headers


def test_answers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """After their time, and the oldest beyond the bound; callers do not share keys."""
    answers = Answers(seconds=0.0)
    with answers.asked("a", "key", b"1") as known:
        known.answer = b"first"
    with answers.asked("a", "key", b"2") as known:
        assert known.answer is None
        known.answer = b"second"
    kept = Answers(seconds=60)
    monkeypatch.setattr(idempotency, "ANSWERS", 2)
    for number in range(5):
        with kept.asked("a", str(number), b"1") as known:
            known.answer = b"x"
    assert len(kept._kept) <= 3
    monkeypatch.setattr(idempotency, "ANSWER_BYTES", 10)
    long = Answers(seconds=60)
    for number in range(5):
        with long.asked("a", str(number), b"1") as known:
            known.answer = b"12345678"
    assert (len(long._kept), long._bytes) == (2, 16)
    with kept.asked("b", "4", b"other") as known:
        assert known.answer is None
    with pytest.raises(KeyReusedError), kept.asked("a", "4", b"other"):
        pass
    with kept.asked("c", "4", b"1"), pytest.raises(KeyInUseError), kept.asked("c", "4", b"1"):
        pass
