"""Statistics: counting by minute and hour, percentiles, several gateways, versions, a database away."""

from __future__ import annotations

import math
import random
import re
import statistics
from pathlib import Path
from typing import Any

import pytest
from gateway_fakes import FakeModelServer, picture
from gateway_harness import RunningGateway, StartGateway

from gateway.errors import DatabaseError
from gateway.ports.activity import ActivityRow
from gateway.settings import ObjectiveSettings
from gateway.statistics import latencies
from gateway.statistics.counter import KEPT, ActivityCounter
from gateway.statistics.intervals import wilson
from gateway.statistics.service import StatisticsService, resolution_of

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
NOON = 1_800_000_000 - 1_800_000_000 % 3600


class Clock:
    """A time that tests move."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class FakeStore:
    """An ActivityStore in memory, which can be away."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int, str], ActivityRow] = {}
        self.is_away = False

    async def save(self, rows: Any) -> None:
        if self.is_away:
            raise DatabaseError("away")
        self.rows |= {(row.resolution, row.at, row.source): row for row in rows}

    async def read(self, resolution: str, since: int, until: int) -> list[ActivityRow]:
        return [row for row in self.rows.values() if row.resolution == resolution and since <= row.at < until]

    async def forget(self, resolution: str, before: int) -> None:
        return None


def service(store: FakeStore, clock: Clock, source: str = "a") -> StatisticsService:
    """The service over a fake store; it reads no history."""
    return StatisticsService(ActivityCounter(source, clock), store, None, 90)  # type: ignore[arg-type]


async def test_requests_are_counted_by_minute_and_by_hour() -> None:
    """By how they ended; what goes on in a minute that is saved already is saved again."""
    store, clock = FakeStore(), Clock()
    one = service(store, clock)
    for status in (200, 404, 429, 500, 503):
        one.counter.note(status, 0.01)
    await one.flush()
    clock.now += 59
    one.counter.note(200, 0.01)
    await one.flush()
    clock.now += 2
    one.counter.note(200, 0.01)
    await one.flush()
    minutes = await store.read("minute", NOON, NOON + 3600)
    assert [(row.at - NOON, row.answered, row.refused, row.failed) for row in minutes] == [
        (0, 2, 2, 2),
        (60, 1, 0, 0),
    ]
    [hour] = await store.read("hour", NOON, NOON + 1)
    assert (hour.answered, hour.refused, hour.failed) == (3, 2, 2)
    total = (await one.windows(int(clock.now)))["24h"]
    assert total.availability == pytest.approx(5 / 7)


async def test_gateways_add_up() -> None:
    """Two sources of one minute; a percentile is that of all their requests."""
    store, clock = FakeStore(), Clock()
    for source, seconds in (("a", 0.010), ("b", 1.0)):
        one = service(store, clock, source)
        for _ in range(100):
            one.counter.note(200, seconds)
        await one.flush()
    series = await one.series(NOON, NOON + 60)
    [point] = series.points
    assert point.requests.answered == 200
    assert series.total.percentile_ms(0.4) == pytest.approx(10, rel=0.25)
    assert series.total.percentile_ms(0.6) == pytest.approx(1000, rel=0.25)


async def test_counts_wait_for_the_database_to_a_bound() -> None:
    """What could not be written is written later; a day's minutes wait at most, the newest ones."""
    store, clock = FakeStore(), Clock()
    one = service(store, clock)
    store.is_away = True
    for _ in range(2000):
        one.counter.note(200, 0.01)
        clock.now += 60
    with pytest.raises(DatabaseError):
        await one.flush()
    store.is_away = False
    await one.flush()
    assert len(store.rows) == KEPT
    assert ("minute", NOON + 1999 * 60, "a") in store.rows


async def test_a_clock_that_is_set_back() -> None:
    """The minute that was thought to be over is counted on."""
    store, clock = FakeStore(), Clock()
    one = service(store, clock)
    one.counter.note(200, 0.01)
    clock.now += 600
    one.counter.note(200, 0.01)
    clock.now -= 600
    one.counter.note(200, 0.01)
    await one.flush()
    assert {row.at - NOON: row.answered for row in store.rows.values() if row.resolution == "minute"} == {
        0: 2,
        600: 1,
    }


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_percentiles_lie_within_their_bucket(share: float) -> None:
    """Against the sorted list, of a hundred random ones: at most one bucket's growth apart."""
    source = random.Random(3)
    for _ in range(100):
        longest = 10 ** source.uniform(0, 4.7)
        milliseconds = [source.uniform(0.001, longest) for _ in range(source.randint(1, 300))]
        counts = [0] * latencies.BUCKETS
        for value in milliseconds:
            counts[latencies.bucket_of(value)] += 1
        found = latencies.percentile(counts, share)
        true = sorted(milliseconds)[math.ceil(share * len(milliseconds)) - 1]
        assert found is not None
        assert found <= max(true, 0.5) * latencies.GROWTH + 0.002
        assert true <= 0.5 or found >= true / latencies.GROWTH - 0.002


def test_no_requests_have_no_percentile() -> None:
    """None, not zero."""
    assert latencies.percentile([0] * latencies.BUCKETS, 0.5) is None


@pytest.mark.parametrize(
    ("seconds", "step"), [(60, 60), (6 * 3600, 60), (86_400, 3600), (90 * 86_400, 86_400)]
)
def test_longer_ranges_have_coarser_steps(seconds: int, step: int) -> None:
    """A chart never has more than some hundred points."""
    assert resolution_of(seconds)[1] == step
    assert seconds / step <= 744


def test_the_wilson_interval_holds_what_it_says() -> None:
    """Of 2,000 draws, about 95 % of the intervals hold the true share."""
    source = random.Random(7)
    held = []
    for _ in range(2000):
        right = sum(source.random() < 0.9 for _ in range(50))
        low, high = wilson(right, 50)
        held.append(low <= 0.9 <= high)
    assert 0.93 < statistics.fmean(held) < 0.98
    assert wilson(0, 0) == (0.0, 1.0)


async def test_the_route(
    start_gateway: StartGateway, model_server: FakeModelServer, database: dict[str, Any]
) -> None:
    """Requests of two gateways, failures among them, and the versions' shares with feedback."""
    gateways = [await start_gateway(model_server, database=database) for _ in range(2)]
    await gateways[0].becomes("/v1/predictions", lambda answer: answer.status_code == 200)
    ids = []
    for number in range(6):
        answer = await gateways[number % 2].predict(files={"images": picture(200 if number else 9)})
        ids.append(answer.json()["predictions"][0]["id"])
    assert (await gateways[0].predict(content=b"no picture")).status_code == 415
    await feedback(gateways[0], ids[1], "bright")
    await feedback(gateways[0], ids[2], "dim")
    for gateway in gateways:
        await gateway.services.statistics.flush()
    shown = await gateways[0].becomes(
        "/v1/stats", lambda answer: answer.json()["models"][0]["predictions"] == 6
    )
    found = shown.json()
    assert found["uptime_seconds"] > 0
    assert found["objective"] == {"availability": 0.999}
    assert (found["requests"]["answered"], found["requests"]["refused"], found["requests"]["failed"]) == (
        6,
        1,
        0,
    )
    assert found["windows"]["30d"]["availability"] == 1.0
    assert found["requests"]["latency_ms"]["p50"] > 0
    assert sum(point["answered"] for point in found["series"]["points"]) == 6
    [version] = found["models"][0]["versions"]
    assert (version["version"], version["share"], version["labels"]) == (1, 1.0, {"bright": 5, "dark": 1})
    accuracy = version["accuracy"]
    assert (accuracy["feedback"], accuracy["right"], accuracy["share"]) == (2, 1, 0.5)
    assert accuracy["low"] < 0.5 < accuracy["high"]


async def feedback(gateway: RunningGateway, prediction: str, label: str) -> None:
    """Say what a picture shows, once its prediction is written."""
    await gateway.becomes(f"/v1/predictions/{prediction}", lambda answer: answer.status_code == 200)
    given = await gateway.client.put(f"/v1/predictions/{prediction}/feedback", json={"label": label})
    assert given.status_code == 200


def test_the_alerts_watch_the_objective_that_the_gateway_tells() -> None:
    """One promise: the budget in the chart's rules is what the default leaves."""
    rules = (ROOT / "helm/rekindle/monitoring/rules/objectives.yaml").read_text()
    promised = ObjectiveSettings().availability
    [told] = re.findall(r"availability: ([0-9.]+) % of predictions", rules)
    budgets = re.findall(r"prediction_error_ratio:rate\w+ > (?:[0-9.]+ \* )?([0-9.]+)", rules)
    assert float(told) / 100 == pytest.approx(promised)
    assert [float(budget) for budget in budgets] == [pytest.approx(1 - promised)] * 8


@pytest.mark.parametrize(
    "query",
    [
        "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
        "since=2020-01-01T00:00:00Z",
        "since=yesterday",
        "until=2026-01-01T00:00:00",
    ],
)
async def test_ranges_that_are_none(gateway: RunningGateway, query: str) -> None:
    """422: backwards, longer than a year, no time, no zone."""
    refused = await gateway.client.get(f"/v1/stats?{query}")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_parameter")
