"""Budget, cool-down and triggers of training runs: arithmetic, and over HTTP with the fake trainer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gateway_fakes import FakeModelServer, picture
from gateway_harness import RunningGateway, StartGateway
from training_harness import RUNS, make_data, start_run, state_is, training

from gateway.errors import RunBudgetError, RunCooldownError
from gateway.ports.moments import microseconds_now
from gateway.ports.training import RecentRuns, RunLimits
from gateway.training.budget import DAY, SECOND, allowance_of, check

NOW = 1_000_000 * SECOND
HOUR = 3600 * SECOND


def test_a_budget_counts_the_last_24_hours() -> None:
    """The next may start when the oldest that counts is a day old."""
    limits = RunLimits(per_day=2)
    runs = RecentRuns([(NOW - HOUR, NOW), (NOW - 23 * HOUR, NOW), (NOW - 25 * HOUR, NOW)])
    found = allowance_of(runs, limits, NOW)
    assert (found.used, found.next_at, found.why) == (2, NOW + HOUR, "budget")
    with pytest.raises(RunBudgetError, match="has had 2 training runs in 24 hours") as refusal:
        check(runs, limits, NOW)
    assert refusal.value.retry_after_seconds == 3600
    check(runs, limits, NOW + HOUR + 1)
    check(runs, RunLimits(), NOW)


def test_a_cooldown_begins_where_the_last_run_ended() -> None:
    """And is over by itself."""
    limits = RunLimits(cooldown_seconds=600)
    runs = RecentRuns([(NOW - HOUR, NOW - 100 * SECOND)])
    with pytest.raises(RunCooldownError, match="600 s must lie between two") as refusal:
        check(runs, limits, NOW)
    assert refusal.value.retry_after_seconds == 500
    check(runs, limits, NOW + 500 * SECOND)


def test_a_run_from_the_future_makes_nobody_wait_longer() -> None:
    """A clock that was set back by a month."""
    runs = RecentRuns([(NOW + 30 * DAY, NOW + 30 * DAY + HOUR)])
    assert allowance_of(runs, RunLimits(cooldown_seconds=600), NOW).next_at == NOW + 600 * SECOND
    assert allowance_of(runs, RunLimits(per_day=1), NOW).next_at == NOW + DAY


@pytest.fixture
async def gateway_with(
    start_gateway: StartGateway, model_server: FakeModelServer, tmp_path: Any, database: dict[str, Any]
) -> Callable[..., Any]:
    """Starts a gateway with settings of training and triggers; its dataset `shades` is there."""
    make_data(tmp_path / "data", "shades", "quick")

    async def start(triggers: dict[str, Any] | None = None, **more: Any) -> RunningGateway:
        given = {"poll_seconds": 0.05, "preset": "tiny"} | (triggers or {})
        gateway: RunningGateway = await start_gateway(
            model_server, training=training(**more), triggers=given, database=database
        )
        await gateway.becomes("/v1/predictions", lambda answer: answer.status_code == 200)
        return gateway

    return start


@pytest.mark.anyio
async def test_the_button_is_refused_beyond_the_budget_and_told_when(
    gateway_with: Callable[..., Any],
) -> None:
    """429 with Retry-After; the page of triggers says the same; an active run is the better reason."""
    gateway = await gateway_with(runs_per_day=1)
    first = await start_run(gateway, "quick")
    await state_is(gateway, first, "succeeded", "failed")
    refused = await gateway.client.post(RUNS, json={"model": "shades", "dataset": "quick"})
    assert (refused.status_code, refused.json()["code"]) == (429, "run_budget")
    assert 86_000 < int(refused.headers["retry-after"]) <= 86_400
    [shown] = (await gateway.client.get("/v1/triggers")).json()["models"]
    assert (shown["runs_today"], shown["runs_per_day"], shown["waits_for"]) == (1, 1, "budget")
    assert shown["next_run_at"] is not None
    runs = (await gateway.client.get(RUNS)).json()["runs"]
    assert [run["id"] for run in runs] == [first]


@pytest.mark.anyio
async def test_a_cooldown_holds_for_the_button_too(gateway_with: Callable[..., Any]) -> None:
    """Its own code."""
    gateway = await gateway_with(cooldown_seconds=1000)
    first = await start_run(gateway, "quick")
    await state_is(gateway, first, "succeeded", "failed")
    refused = await gateway.client.post(RUNS, json={"model": "shades", "dataset": "quick"})
    assert (refused.status_code, refused.json()["code"]) == (429, "run_cooldown")
    assert int(refused.headers["retry-after"]) > 900


async def correct(gateway: RunningGateway, count: int) -> None:
    """Tell of so many answers that they were wrong."""
    for _ in range(count):
        answer = (await gateway.predict(files={"images": picture(200)})).json()
        path = f"/v1/predictions/{answer['predictions'][0]['id']}"
        await gateway.becomes(path, lambda found: found.status_code == 200)
        await gateway.client.put(f"{path}/feedback", json={"label": "dark"})


@pytest.mark.anyio
async def test_enough_corrections_start_one_run(gateway_with: Callable[..., Any], tmp_path: Path) -> None:
    """By the trigger's name, on record; the count begins anew, and two are not three."""
    gateway = await gateway_with({"corrections": 3})
    await correct(gateway, 2)
    [shown] = (await gateway.client.get("/v1/triggers")).json()["models"]
    assert (shown["corrections"], shown["corrections_wanted"]) == (2, 3)
    assert (await gateway.client.get(RUNS)).json()["runs"] == []
    await correct(gateway, 1)
    page = await gateway.becomes(RUNS, lambda answer: answer.json()["runs"])
    [run] = page.json()["runs"]
    (tmp_path / "runs" / run["id"] / "go").touch()
    assert (run["caller"], run["spec"]["preset"]) == ("trigger:corrections", "tiny")
    await state_is(gateway, run["id"], "succeeded", "failed")
    await correct(gateway, 2)
    gateway.services.triggers._looked_at = float("-inf")
    await gateway.services.triggers.step()
    assert len((await gateway.client.get(RUNS)).json()["runs"]) == 1
    entries = (await gateway.client.get("/v1/audit?target=shades")).json()["entries"]
    assert [entry["detail"]["cause"] for entry in entries if entry["action"] == "run.start"] == [
        "corrections"
    ]


@pytest.mark.anyio
async def test_drift_starts_one_run_an_alarm(gateway_with: Callable[..., Any], tmp_path: Path) -> None:
    """Of an alarm that began after the last run did."""
    gateway = await gateway_with({"drift": True})
    since = microseconds_now()

    async def drift_since(model: str) -> int:
        return since

    gateway.services.triggers._drift_since = drift_since
    page = await gateway.becomes(RUNS, lambda answer: answer.json()["runs"])
    [run] = page.json()["runs"]
    assert run["caller"] == "trigger:drift"
    (tmp_path / "runs" / run["id"] / "go").touch()
    await state_is(gateway, run["id"], "succeeded", "failed")
    gateway.services.triggers._looked_at = float("-inf")
    await gateway.services.triggers.step()
    assert len((await gateway.client.get(RUNS)).json()["runs"]) == 1


@pytest.mark.anyio
async def test_a_trigger_meets_the_same_guard(gateway_with: Callable[..., Any]) -> None:
    """Its refusal is shown, and it starts no run."""
    gateway = await gateway_with({"corrections": 1}, runs_per_day=1)
    first = await start_run(gateway, "quick")
    await state_is(gateway, first, "succeeded", "failed")
    await correct(gateway, 1)

    def is_refused(answer: Any) -> bool:
        return answer.json()["models"][0]["refusal"] is not None

    shown = (await gateway.becomes("/v1/triggers", is_refused)).json()["models"][0]
    assert shown["refusal"]["cause"] == "corrections"
    assert "RUNS_PER_DAY" in shown["refusal"]["reason"]
    assert len((await gateway.client.get(RUNS)).json()["runs"]) == 1
