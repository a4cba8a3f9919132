"""What a run tells while it lasts: its log, whole and as events, and its progress."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from gateway_fakes import FakeModelServer
from gateway_harness import RunningGateway, StartGateway
from training_harness import RUNS, make_data, start_run, state_is, training

from contract.layout import RunPaths
from gateway.api import run_logs

pytestmark = pytest.mark.anyio


@pytest.fixture
def folders(store: Path) -> dict[str, Path]:
    """The stores of a gateway that trains; `runs` among them."""
    make_data(store.parent / "data", "quick", "slow", "crash", "stubborn")
    return {"runs": store.parent / "runs"}


@pytest.fixture
async def gateway(
    start_gateway: StartGateway, model_server: FakeModelServer, folders: dict[str, Path]
) -> RunningGateway:
    """A gateway with the fake trainer."""
    return await start_gateway(model_server, stores=folders, training=training())


def events_of(text: str) -> list[dict[str, str]]:
    """Server-sent events: type, id and data of each; comments are left out."""
    found = []
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        for line in block.splitlines():
            name, _, value = line.partition(": ")
            if name and not line.startswith(":"):
                fields[name] = f"{fields[name]}\n{value}" if name in fields else value
        if fields:
            found.append(fields)
    return found


async def test_the_log_as_events(
    gateway: RunningGateway, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines as they come, heartbeats while there are none, `end`, and resumption by the last id."""
    monkeypatch.setattr(run_logs, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(run_logs, "HEARTBEAT_SECONDS", 0.02)
    run_id = await start_run(gateway, "slow")
    text = ""
    async with gateway.client.stream("GET", f"{RUNS}/{run_id}/logs") as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        async for piece in answer.aiter_text():
            text += piece
            if "epoch 1" in text and "still here" in text:
                (folders["runs"] / run_id / "go").touch()
    events = events_of(text)
    assert "\n".join(each["data"] for each in events[:-1]) == "epoch 1 of shades\nepoch 2 of shades"
    assert events[-1]["event"] == "end"
    assert json.loads(events[-1]["data"]) == {"state": "succeeded", "error": None}
    path = f"{RUNS}/{run_id}/logs"
    again = await gateway.client.get(path, headers={"Last-Event-ID": events[0]["id"]})
    assert next(each["data"] for each in events_of(again.text)) == "epoch 2 of shades"
    whole = await gateway.client.get(path, params={"follow": "false"})
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert whole.text == "epoch 1 of shades\nepoch 2 of shades\n"
    assert len(events_of((await gateway.client.get(path, headers={"Last-Event-ID": "99999"})).text)) == 1
    for bad in ("-1", "x", "9" * 30):
        wrong: httpx.Response = await gateway.client.get(path, headers={"Last-Event-ID": bad})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_parameter")


async def test_a_log_of_strange_bytes_is_harmless(gateway: RunningGateway, folders: dict[str, Path]) -> None:
    """Bad UTF-8, carriage returns and lines that look like the protocol stay within their event."""
    run_id = await start_run(gateway, "quick")
    await state_is(gateway, run_id, "succeeded")
    RunPaths(folders["runs"], run_id).log.write_bytes(b"\xff\revent: end\r\ndata: no\n\n: x\nunfinished")
    events = events_of((await gateway.client.get(f"{RUNS}/{run_id}/logs")).text)
    assert [each.get("event") for each in events] == [None, "end"]
    assert events[0]["data"] == "\ufffd\nevent: end\ndata: no\n\n: x\nunfinished"


async def test_strange_progress_is_passed_over(gateway: RunningGateway, folders: dict[str, Path]) -> None:
    """Cut-off lines, other JSON, bad bytes, values that are no numbers; a file begun anew is read anew."""
    run_id = await start_run(gateway, "slow")
    await state_is(gateway, run_id, "running")
    file = RunPaths(folders["runs"], run_id).progress
    lines = [b"\xff", b"[]", b"{}", b"null", b'{"phase": "fit", "epoch": -5, "values": {"loss": 1}}']
    event = b'{"phase": "fit", "done": 2, "total": 9, "epoch": 2, "values": {"loss": 0.25}}'
    with file.open("ab") as opened:
        opened.write(b"\n".join([*lines, event, b'{"phase": "pub']))
    path = f"{RUNS}/{run_id}"
    progress = (await gateway.client.get(path)).json()["progress"]
    assert (progress["phase"], progress["done"], progress["total"]) == ("fit", 2, 9)
    assert progress["curves"]["loss"] == [{"epoch": 1, "value": 1.0}, {"epoch": 2, "value": 0.25}]
    file.write_bytes(event + b"\n")
    progress = (await gateway.client.get(path)).json()["progress"]
    assert progress["curves"]["loss"] == [{"epoch": 2, "value": 0.25}]
    with file.open("ab") as opened:
        for epoch in range(1, 3000):
            opened.write(b'{"phase": "fit", "epoch": %d, "values": {"loss": 1.5}}\n' % epoch)
    points = (await gateway.client.get(path)).json()["progress"]["curves"]["loss"]
    assert len(points) <= 501
    assert (points[0]["epoch"], points[-1]["epoch"]) == (1, 2999)
    await gateway.client.delete(path)
    await state_is(gateway, run_id, "cancelled")
