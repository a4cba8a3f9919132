"""Schedules and the lease: times, missed times, what happens when a run is active, who may do it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from gateway_fakes import FakeModelServer, eventually
from gateway_harness import RunningGateway, StartGateway, running_gateway
from sqlalchemy import select, text, update
from training_harness import RUNS, gateway_settings, make_data, start_run, state_is, training

from contract.training import RunState, TrainingSpec
from gateway.adapters.database.connection import Database, make_engine
from gateway.adapters.database.leases import SqlLeases
from gateway.adapters.database.migration import migrate
from gateway.adapters.database.runs import SqlRuns
from gateway.adapters.database.tables import leases, metadata, schedules
from gateway.errors import InvalidParameterError, RunActiveError
from gateway.ports.training import RunEnd, RunRow
from gateway.settings import DatabaseSettings
from gateway.training.runs import microseconds_now
from gateway.training.schedules import next_time
from load_tests.processes.postgresql import PostgreSQL

pytestmark = pytest.mark.anyio
SCHEDULES = "/v1/schedules"
BODY = {"model": "shades", "dataset": "quick", "cron": "0 3 * * *"}
HOUR = 3_600_000_000


@pytest.fixture
async def gateway(start_gateway: StartGateway, model_server: FakeModelServer, store: Path) -> RunningGateway:
    """A gateway with the fake trainer."""
    make_data(store.parent / "data", "quick", "slow")
    stores = {"runs": store.parent / "runs"}
    return await start_gateway(model_server, stores=stores, training=training())


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, fresh_database: Any, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return str(fresh_database(tmp_path / "rows"))
    server: PostgreSQL = request.getfixturevalue("postgresql")
    migrate(DatabaseSettings(url=server.url))
    engine = make_engine(DatabaseSettings(url=server.url))
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)}"))
    engine.dispose()
    return server.url


async def put_back(gateway: RunningGateway, store: Path, hours: float) -> None:
    """Make every schedule due since then."""
    database = Database(DatabaseSettings(url=f"sqlite:///{store.parent}/data/gateway.sqlite3"))
    late = update(schedules).values(next_at=microseconds_now() - int(hours * HOUR))
    await database.write(lambda connection: connection.execute(late))
    await database.aclose()


async def outcome(gateway: RunningGateway, start: str) -> dict[str, Any]:
    """The one schedule, once its last outcome begins so."""

    def is_told(answer: Any) -> bool:
        return (answer.json()["schedules"][0]["last_outcome"] or "").startswith(start)

    return dict((await gateway.becomes(SCHEDULES, is_told)).json()["schedules"][0])


async def test_schedules_are_made_changed_and_deleted(gateway: RunningGateway) -> None:
    """With their next time in UTC."""
    made = await gateway.client.post(SCHEDULES, json=BODY)
    assert made.status_code == 201
    schedule = made.json()
    path = made.headers["location"]
    assert path == f"{SCHEDULES}/{schedule['id']}"
    at = datetime.fromisoformat(schedule["next_at"])
    assert (at.hour, at.minute, at > datetime.now(UTC)) == (3, 0, True)
    changed = await gateway.client.put(path, json=BODY | {"enabled": False, "epochs": 3})
    assert (changed.json()["next_at"], changed.json()["epochs"]) == (None, 3)
    assert (await gateway.client.get(SCHEDULES)).json()["schedules"] == [changed.json()]
    assert (await gateway.client.delete(path)).status_code == 204
    assert (await gateway.client.delete(path)).json()["code"] == "unknown_name"
    assert (await gateway.client.put(path, json=BODY)).status_code == 404


@pytest.mark.parametrize(
    "cron",
    [
        "* * * *  61",
        "0 0 30 2 *",
        "@daily",
        "* * * * * *",
        "every day at 3",
        "0 25 * * *",
        "x" * 200,
        "٣ 3 * * *",
    ],
)
async def test_cron_expressions_that_cannot_be(gateway: RunningGateway, cron: str) -> None:
    """422, with what was expected."""
    answer = await gateway.client.post(SCHEDULES, json=BODY | {"cron": cron})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
    assert (await gateway.client.get(SCHEDULES)).json()["schedules"] == []


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 3 * * *", "2026-03-29T03:00:00", "2026-03-30T03:00:00"),
        ("*/15 * * * *", "2026-01-01T00:14:59", "2026-01-01T00:15:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 9 * * MON#1", "2026-01-01T00:00:00", "2026-01-05T09:00:00"),
    ],
)
def test_next_times(cron: str, after: str, expected: str) -> None:
    """In UTC, where no hour is missing or comes twice."""
    moment = datetime.fromisoformat(f"{after}+00:00").timestamp() * 1_000_000
    assert datetime.fromtimestamp(next_time(cron, int(moment)) / 1e6, UTC).isoformat() == f"{expected}+00:00"
    with pytest.raises(InvalidParameterError, match="five fields"):
        next_time("0 0 31 2 *", int(moment))


async def test_missed_times_start_one_run(gateway: RunningGateway, store: Path) -> None:
    """However many there were."""
    await gateway.client.post(SCHEDULES, json=BODY | {"cron": "* * * * *"})
    await put_back(gateway, store, hours=5)
    schedule = await outcome(gateway, "started")
    runs = (await gateway.client.get(RUNS)).json()["runs"]
    assert [schedule["last_outcome"]] == [f"started the run {run['id']}" for run in runs]
    assert runs[0]["caller"] == f"schedule:{schedule['id']}"
    assert datetime.fromisoformat(schedule["next_at"]) > datetime.now(UTC)
    await state_is(gateway, runs[0]["id"], "succeeded")


async def test_an_active_run_is_an_outcome(gateway: RunningGateway, store: Path) -> None:
    """The time is skipped, and the next one is kept; so it is with data that is missing."""
    active = await start_run(gateway, "slow")
    await gateway.client.post(SCHEDULES, json=BODY)
    await put_back(gateway, store, hours=1)
    schedule = await outcome(gateway, "skipped")
    assert active in schedule["last_outcome"]
    path = f"{SCHEDULES}/{schedule['id']}"
    await gateway.client.put(path, json=BODY | {"dataset": "absent"})
    await put_back(gateway, store, hours=1)
    await outcome(gateway, "failed: the dataset 'absent' does not exist")
    await gateway.client.delete(f"{RUNS}/{active}")
    await state_is(gateway, active, "cancelled")


async def test_a_lease_has_one_holder(url: str) -> None:
    """Of many at once; it is renewed, given back, and taken over when it has expired."""
    databases = [Database(DatabaseSettings(url=url, connections=2)) for _ in range(2)]
    stores = [SqlLeases(database) for database in databases]
    takers = [store.acquire("control", f"h{n}", 60) for n, store in enumerate(stores * 4)]
    taken = await asyncio.gather(*takers)
    assert sum(taken) == 1
    holder = f"h{taken.index(True)}"
    assert await stores[0].acquire("control", holder, 60)
    assert not await stores[1].acquire("control", "other", 60)
    await stores[1].release("control", "other")
    assert not await stores[1].acquire("control", "other", 60)
    expired = update(leases).values(expires_at=select(leases.c.expires_at - 61_000_000).scalar_subquery())
    await databases[0].write(lambda connection: connection.execute(expired))
    assert await stores[1].acquire("control", "other", 60)
    assert not await stores[0].acquire("control", holder, 60)
    await stores[1].release("control", "other")
    assert await stores[0].acquire("control", holder, 60)
    for database in databases:
        await database.aclose()


async def test_the_index_is_the_guard(url: str) -> None:
    """Two processes insert at once: one row; an ended run never changes again."""
    databases = [Database(DatabaseSettings(url=url, connections=4)) for _ in range(2)]
    rows = [SqlRuns(database) for database in databases]

    def new(number: int) -> RunRow:
        spec = TrainingSpec(run_id=f"run-{number}", model="shades", data="data")
        return RunRow(spec.run_id, "shades", RunState.QUEUED, "process", spec, "me", microseconds_now())

    inserts = [rows[n % 2].insert(new(n)) for n in range(8)]
    found = await asyncio.gather(*inserts, return_exceptions=True)
    kept = [row for row in found if isinstance(row, RunRow)]
    assert len(kept) == 1
    assert all(isinstance(each, RunActiveError) for each in found if each is not kept[0])
    assert await rows[0].insert(kept[0]) == kept[0]
    end = RunEnd(RunState.CANCELLED, microseconds_now())
    ends = await asyncio.gather(*(store.ended(kept[0].id, end) for store in rows * 2))
    assert sum(ends) == 1
    await rows[0].started(kept[0].id, 1)
    assert (await rows[1].page(None, None, None, 9))[0].state is RunState.CANCELLED
    assert await rows[0].active() == []
    for database in databases:
        await database.aclose()


async def test_another_gateway_takes_over(
    store: Path, model_server: FakeModelServer, fresh_database: Callable[[Path], str]
) -> None:
    """When the holder ends and gives its lease back: at once, not after the lease's time."""
    settings = gateway_settings(store, model_server, fresh_database, lease_seconds=3600)
    async with contextlib.AsyncExitStack() as later:
        async with running_gateway(settings) as first:
            await eventually(lambda: holds(first))
            second = await later.enter_async_context(running_gateway(settings))
            assert not holds(second)
        await eventually(lambda: holds(second))


def holds(gateway: RunningGateway) -> bool:
    """Whether it has the lease."""
    return bool(gateway.services.metrics.control_lease._value.get())
