"""Imports rest in proportion to what they take: by clocks that the tests move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gateway_fakes import FakeModelServer, picture
from gateway_harness import StartGateway

from gateway.api.spooling import Spooling
from gateway.datasets.pace import LONGEST_SECONDS, MOST, SHORTEST_SECONDS, Pace, idle_seconds
from gateway.datasets.spool import Spools
from gateway.settings import DatasetSettings, LimitSettings


class Machine:
    """A clock, the processor time of a process that works or rests, and what others leave of the cores."""

    def __init__(self) -> None:
        self.now = 100.0
        self.used = 7.0
        self.idle = 3.0
        self.free_cores = 0.0

    def work(self, seconds: float, *, waiting: float = 0.0) -> None:
        """Use the processor, and wait for it."""
        self.used += seconds
        self.now += seconds + waiting
        self.idle += max(0.0, self.free_cores - 1) * seconds

    def rest(self, seconds: float) -> None:
        """Sleep."""
        self.now += seconds
        self.idle += self.free_cores * seconds

    def share_of(self, pace: Pace, files: int = 2000) -> float:
        """What work of three milliseconds a file takes of the time."""
        began, used = self.now, self.used
        for _ in range(files):
            self.work(0.003)
            self.rest(pace.owed_seconds())
        return (self.used - used) / (self.now - began)


@pytest.fixture
def machine() -> Machine:
    """At rest."""
    return Machine()


def pace_of(machine: Machine, share: float = 0.25) -> Pace:
    """A pace that sees the machine's clocks."""
    return Pace(share, lambda: machine.used, lambda: machine.idle, lambda: machine.now)


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


@pytest.mark.parametrize(
    ("free_cores", "least", "most"), [(0, 0.24, 0.26), (0.5, 0.28, 0.40), (8, 0.7, MOST)]
)
def test_an_idle_machine_is_used(machine: Machine, free_cores: float, least: float, most: float) -> None:
    """Beyond the share half of what is idle, and never the whole of the core that predictions may need."""
    machine.free_cores = free_cores
    assert least <= machine.share_of(pace_of(machine)) <= most


def test_a_machine_that_gets_busy_is_left_alone(machine: Machine) -> None:
    """The share follows what others do, both ways."""
    machine.free_cores = 4
    pace = pace_of(machine)
    assert machine.share_of(pace) > 0.7
    machine.free_cores = 0
    machine.share_of(pace, 200)
    assert machine.share_of(pace) == pytest.approx(0.25, rel=0.02)


def test_idle_time_is_read_from_the_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Idle and waiting for a disk, in ticks; a system that does not tell has none to spare."""
    statistics = tmp_path / "stat"
    monkeypatch.setattr("gateway.datasets.pace._STATISTICS", statistics)
    monkeypatch.setattr("os.sysconf", {"SC_CLK_TCK": 100}.__getitem__)
    assert idle_seconds() == 0
    statistics.write_text("cpu  10 20 30 4000 500 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n")
    assert idle_seconds() == 45


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
