"""Imports rest in proportion to what they take: by clocks that the tests move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gateway_fakes import FakeModelServer, picture
from gateway_harness import StartGateway

from gateway.api.spooling import Spooling
from gateway.datasets.pace import LONGEST_SECONDS, SHORTEST_SECONDS, Pace
from gateway.datasets.spool import Spools
from gateway.settings import DatasetSettings, LimitSettings


class Machine:
    """A clock, and the processor time of a process that works or rests."""

    def __init__(self) -> None:
        self.now = 100.0
        self.used = 7.0

    def work(self, seconds: float, *, waiting: float = 0.0) -> None:
        """Use the processor, and wait for it."""
        self.used += seconds
        self.now += seconds + waiting

    def rest(self, seconds: float) -> None:
        """Sleep."""
        self.now += seconds


@pytest.fixture
def machine() -> Machine:
    """At rest."""
    return Machine()


def pace_of(machine: Machine, share: float = 0.25) -> Pace:
    """A pace that sees the machine's clocks."""
    return Pace(share, lambda: machine.used, lambda: machine.now)


def test_work_takes_its_share_of_the_time(machine: Machine) -> None:
    """Files of three milliseconds: a quarter of the time is work, and no rest is too short to be worth it."""
    pace, began, used = pace_of(machine), machine.now, machine.used
    rests = []
    for _ in range(2000):
        machine.work(0.003)
        rests.append(pace.owed_seconds())
        machine.rest(rests[-1])
    assert (machine.used - used) / (machine.now - began) == pytest.approx(0.25, rel=0.01)
    assert min(filter(None, rests)) >= SHORTEST_SECONDS


def test_who_waited_has_rested(machine: Machine) -> None:
    """For a slow sender or a busy processor: no rest is owed, and none is saved up for later."""
    pace = pace_of(machine)
    machine.work(0.1, waiting=10)
    assert pace.owed_seconds() == 0
    machine.work(0.1)
    assert pace.owed_seconds() == pytest.approx(0.3)


def test_a_rest_is_bounded(machine: Machine) -> None:
    """However long one picture took: the lease of an import has to be renewed."""
    pace = pace_of(machine, 0.01)
    machine.work(5)
    assert pace.owed_seconds() == LONGEST_SECONDS
    machine.rest(LONGEST_SECONDS)
    assert pace.owed_seconds() == 0


def test_a_whole_core_needs_no_rest(machine: Machine) -> None:
    """The setting's upper end means full speed for one thread."""
    pace = pace_of(machine, 1.0)
    machine.work(3)
    assert pace.owed_seconds() == 0


class CountedPace(Pace):
    """Owes nothing, and counts how often it was asked."""

    asked = 0

    def owed_seconds(self) -> float:
        """Asked once more."""
        CountedPace.asked += 1
        return 0.0


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> type[CountedPace]:
    """The pace of imports and of receiving, counted from zero."""
    monkeypatch.setattr(CountedPace, "asked", 0)
    monkeypatch.setattr("gateway.datasets.imports.Pace", CountedPace)
    monkeypatch.setattr("gateway.api.spooling.Pace", CountedPace)
    return CountedPace


@pytest.mark.anyio
async def test_an_import_may_rest_behind_each_file(
    start_gateway: StartGateway, model_server: FakeModelServer, asked: type[CountedPace]
) -> None:
    """Not once a batch, which may take two seconds. A small upload, whose caller waits, does not rest."""
    gateway = await start_gateway(model_server, datasets={"synchronous_files": 2})
    await gateway.becomes("/v1/datasets", lambda answer: answer.status_code == 200)
    for count, status, rests in ((2, 201, 0), (7, 202, 7)):
        form = [("images", (f"{value}.png", picture(10 * count + value))) for value in range(count)]
        path = "/v1/datasets/animals/examples"
        answer = await gateway.client.post(path, files=form, data={"label": "cat"})
        assert answer.status_code == status
        if status == 202:
            await gateway.becomes(
                answer.headers["location"], lambda answer: answer.json()["state"] == "succeeded"
            )
        assert asked.asked == rests


@pytest.mark.anyio
async def test_receiving_may_rest_behind_each_write(tmp_path: Path, asked: type[CountedPace]) -> None:
    """The bytes that are not read meanwhile hold the sender up. A small upload never rests."""
    message = {"type": "http.request", "body": bytes(2**20)}
    chunks = [message | {"more_body": more} for more in (True, True, False)]
    scope = {"headers": [(b"content-type", b"application/zip")]}
    coming = iter(chunks)

    async def receive() -> dict[str, Any]:
        return next(coming)

    spool = Spools(tmp_path).create("upload")
    await Spooling(DatasetSettings(), LimitSettings()).receive(spool, scope, receive)
    assert spool.content.stat().st_size == 3 * 2**20
    assert asked.asked == 3
