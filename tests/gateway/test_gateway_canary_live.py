"""Canaries that are promoted and rolled back by themselves, over HTTP with servers that follow the file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from canary_harness import evidence
from gateway_fakes import FakeModelServer, picture, publish
from gateway_harness import RunningGateway, StartGateway, running_gateway
from training_harness import gateway_settings

from contract import layout, values
from contract.rollout import Rollout
from contract.training import RunState, TrainingSpec
from gateway.canary import tally
from gateway.ports.canary import Evidence, Table, Trial
from gateway.ports.moments import microseconds_now
from gateway.ports.training import RunEnd, RunRow
from load_tests.processes.postgresql import PostgreSQL, binaries, settled_port

pytestmark = pytest.mark.anyio

ROLLOUT = "/v1/models/shades/rollout"
CANARY = "/v1/models/shades/canary"
QUICK = {"step_seconds": 0.05, "promote_after_seconds": 0.0, "promote_calls": 20}
FOLLOWS = {"poll_seconds": 0.05, "lease_seconds": 1}


@pytest.fixture(autouse=True)
def _soon_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two calls warm a version up, and twenty make a threshold."""
    monkeypatch.setattr(tally, "WARM_UP_CALLS", 2)
    monkeypatch.setattr(tally, "CALLS_FOR_A_THRESHOLD", 20)


@pytest.fixture
def server(store: Path, start_model_server: Callable[..., FakeModelServer]) -> FakeModelServer:
    """A model server that follows the store, which has versions 1 and 2; stable is 1."""
    publish(store, 2)
    rollout = Rollout(model="shades", policy="gated", stable=1)
    layout.write_atomically(layout.ModelPaths(store, "shades").rollout, rollout.to_json())
    return start_model_server(config=layout.models_config(store))


async def begun(gateway: RunningGateway, share: float = 0.5) -> str:
    """Version 2 as canary, and the trial that follows."""
    await gateway.becomes("/v1/predictions", lambda answer: answer.status_code == 200)
    assert (await gateway.client.put(ROLLOUT, json={"canary": 2, "canary_share": share})).status_code == 200
    await gateway.becomes(ROLLOUT, lambda answer: 2 in answer.json()["answering"])
    found = await gateway.becomes(CANARY, lambda answer: answer.json().get("trials"))
    assert found.json()["trials"][0]["outcome"] == "running"
    return str(found.json()["trials"][0]["id"])


async def outcome(gateway: RunningGateway, trial: str, *wanted: str) -> dict[str, Any]:
    """The trial once it has ended so."""

    def has_ended(answer: Any) -> bool:
        return any(each["id"] == trial and each["outcome"] in wanted for each in answer.json()["trials"])

    found = await gateway.becomes(CANARY, has_ended)
    return next(each for each in found.json()["trials"] if each["id"] == trial)


async def save(gateway: RunningGateway, *rows: Evidence) -> None:
    """Evidence as another gateway would write it."""
    await gateway.services.trials.save(rows)


BAD = [evidence(errors=Table(5, 5, 45, 0)) for _ in range(5)]
GOOD = [evidence(errors=Table(500, 0, 500, 0), latency=Table(500, 2, 500, 3)) for _ in range(4)]


def again(rows: list[Evidence]) -> list[Evidence]:
    """The same under new ids."""
    return [evidence(**row.blocks) for row in rows]  # type: ignore[arg-type]


async def test_a_canary_that_fails_is_rolled_back_by_itself(
    start_gateway: StartGateway, server: FakeModelServer, database: dict[str, Any]
) -> None:
    """From the calls on the model server; nobody lost an answer; audit, metrics and page have the numbers."""
    gateway = await start_gateway(server, canary=QUICK, training=FOLLOWS, database=database)
    trial = await begun(gateway)
    server.refuse_version = 2
    async with asyncio.timeout(20):
        while (await gateway.client.get(ROLLOUT)).json()["rollout"]["canary"]:
            answer = await gateway.predict(files={"images": picture()})
            assert (answer.status_code, answer.json()["version"]) == (200, 1)
    ended = await outcome(gateway, trial, "rolled_back")
    assert ended["sentence"].startswith("too many failed calls")
    errors = ended["signals"][0]
    assert (errors["signal"], errors["stable_hits"]) == ("errors", 0)
    assert errors["canary"] == errors["canary_hits"] > 0
    assert errors["evidence"] >= 1
    entries = (await gateway.client.get("/v1/audit?target=shades")).json()["entries"]
    told = {entry["action"]: entry for entry in entries}
    assert told["canary.rolled_back"]["caller"] == "canary"
    assert told["canary.rolled_back"]["detail"]["signals"][0]["canary_hits"] == errors["canary_hits"]
    assert "canary.began" in told
    text = (await gateway.client.get("/metrics")).text
    assert 'gateway_canary_steps_total{model="shades",step="rolled_back"} 1.0' in text


async def test_wrong_answers_by_feedback_roll_back(
    start_gateway: StartGateway, server: FakeModelServer
) -> None:
    """The first label of an answer counts, and only answers since the rollout was changed."""
    gateway = await start_gateway(server, canary=QUICK, training=FOLLOWS)
    early = (await gateway.predict(files={"images": picture()})).json()["predictions"][0]["id"]
    trial = await begun(gateway)
    await gateway.becomes(f"/v1/predictions/{early}", lambda answer: answer.status_code == 200)
    await feed(gateway, early, "dim")
    async with asyncio.timeout(60):
        while (await gateway.client.get(ROLLOUT)).json()["rollout"]["canary"]:
            answer = (await gateway.predict(files={"images": picture()})).json()
            label = "dim" if answer["version"] == 2 else "bright"
            prediction = answer["predictions"][0]["id"]
            await gateway.becomes(f"/v1/predictions/{prediction}", lambda found: found.status_code == 200)
            await feed(gateway, prediction, label)
            await feed(gateway, prediction, "dark")  # on second thoughts: does not count
    ended = await outcome(gateway, trial, "rolled_back")
    accuracy = ended["signals"][2]
    assert (accuracy["canary"], accuracy["stable_hits"]) == (accuracy["canary_hits"], 0)


async def feed(gateway: RunningGateway, prediction: str, label: str) -> None:
    """Give a prediction its true label."""
    answer = await gateway.client.put(f"/v1/predictions/{prediction}/feedback", json={"label": label})
    assert answer.status_code == 200, answer.text


async def test_a_slow_canary_is_rolled_back(start_gateway: StartGateway, server: FakeModelServer) -> None:
    """Measured at stable's own calls."""
    gateway = await start_gateway(server, canary=QUICK, training=FOLLOWS)
    for _ in range(30):
        await gateway.predict(files={"images": picture()})
    trial = await begun(gateway)
    server.slow_version = (2, 0.3)
    async with asyncio.timeout(60):
        while (await gateway.client.get(ROLLOUT)).json()["rollout"]["canary"]:
            await gateway.predict(files={"images": picture()})
    assert (await outcome(gateway, trial, "rolled_back"))["sentence"].startswith("too many slow calls")


async def test_a_good_canary_is_promoted_by_itself_and_its_predecessor_stays(
    start_gateway: StartGateway, server: FakeModelServer, database: dict[str, Any]
) -> None:
    """With the evidence of other gateways; the policy stays."""
    quick = QUICK | {"promote_feedback": 0}
    gateway = await start_gateway(server, canary=quick, training=FOLLOWS, database=database)
    trial = await begun(gateway)
    await save(gateway, *again(GOOD))
    ended = await outcome(gateway, trial, "promoted")
    assert ended["signals"][0]["canary"] >= 2000
    shown = (await gateway.client.get(ROLLOUT)).json()["rollout"]
    assert (shown["stable"], shown["previous_stable"], shown["canary"]) == (2, 1, None)
    assert shown["policy"] == "gated"


async def test_told_only_nothing_is_changed(start_gateway: StartGateway, server: FakeModelServer) -> None:
    """Where the settings forbid it: one event, and the canary stays."""
    careful = QUICK | {"rollback": False, "promote": False}
    gateway = await start_gateway(server, canary=careful, training=FOLLOWS)
    await begun(gateway)
    for _ in range(3):
        await save(gateway, *again(BAD))
        await step(gateway)

    def is_told(answer: Any) -> bool:
        return "canary.undecided" in {entry["action"] for entry in answer.json()["entries"]}

    page = await gateway.becomes("/v1/audit?target=shades", is_told)
    assert [entry["action"] for entry in page.json()["entries"]].count("canary.undecided") == 1
    assert (await gateway.client.get(ROLLOUT)).json()["rollout"]["canary"] == 2


async def test_an_operator_ends_a_trial_and_another_begins_afresh(
    start_gateway: StartGateway, server: FakeModelServer
) -> None:
    """What was left of the first does not count for the second."""
    gateway = await start_gateway(server, canary=QUICK, training=FOLLOWS)
    first = await begun(gateway)
    await gateway.client.put(ROLLOUT, json={"canary": None})
    await outcome(gateway, first, "ended")
    await save(gateway, *again(BAD))
    second = await begun(gateway)
    assert second != first
    page = (await gateway.client.get(CANARY)).json()["trials"]
    assert [(each["id"], each["signals"][0]["canary"]) for each in page] == [(second, 0), (first, 0)]
    await gateway.client.put(ROLLOUT, json={"stable": 2})
    await outcome(gateway, second, "promoted")


async def test_two_gateways_that_both_decide_decide_once(
    start_gateway: StartGateway, server: FakeModelServer, database: dict[str, Any]
) -> None:
    """Each piece of evidence counts once, one rollback is on record, whoever holds the lease."""
    one = await start_gateway(server, canary=QUICK, training=FOLLOWS, database=database)
    other = await start_gateway(server, canary=QUICK, training=FOLLOWS, database=database)
    trial = await begun(one)
    rows = [evidence(accuracy=Table(1, 0, 9, 1)) for _ in range(50)]
    await save(one, *rows)
    await asyncio.gather(*(step(gateway) for gateway in (one, other) for _ in range(10)))
    kept = await one.services.trials.running("shades")
    assert kept is not None
    assert kept.state is not None
    assert kept.state["accuracy"]["table"] == [50, 0, 450, 50]
    await save(one, *again(BAD))
    await asyncio.gather(*(step(gateway) for gateway in (one, other) for _ in range(5)))
    await outcome(one, trial, "rolled_back")
    entries = (await one.client.get("/v1/audit?target=shades")).json()["entries"]
    assert [entry["action"] for entry in entries].count("canary.rolled_back") == 1


async def step(gateway: RunningGateway) -> None:
    """As if this gateway held the lease."""
    await gateway.services.decider.step()


async def test_a_gateway_that_died_after_deciding_is_finished_by_its_successor(
    server: FakeModelServer, store: Path, fresh_database: Callable[[Path], str]
) -> None:
    """The decision was kept before it was carried out; evidence from before the restart still counts."""
    settings = gateway_settings(store, server, fresh_database, **FOLLOWS)
    async with running_gateway(settings) as first:
        trial = await begun(first)
        await save(first, *(evidence(errors=Table(5, 1, 45, 1)) for _ in range(2)))

        def has_two(answer: Any) -> bool:
            return bool(answer.json()["trials"][0]["signals"][0]["canary_hits"] == 2)

        await first.becomes(CANARY, has_two)
        control = first.services.decider
        control._carry_out = never  # type: ignore[method-assign]  # dies before it
        await save(first, *again(BAD))
        await first.becomes(CANARY, lambda answer: "too many" in answer.json()["trials"][0]["sentence"])
        await step(first)
        kept = await first.services.trials.running("shades")
        assert kept is not None
        assert kept.decision is not None
        assert (await first.client.get(ROLLOUT)).json()["rollout"]["canary"] == 2
    async with running_gateway(settings) as second:
        ended = await outcome(second, trial, "rolled_back")
        assert ended["signals"][0]["canary_hits"] == 27
        assert (await second.client.get(ROLLOUT)).json()["rollout"]["canary"] is None


async def never(trial: Trial) -> None:
    """A process that ends here."""


async def test_the_wall_clock_may_jump(
    start_gateway: StartGateway, server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year forward promotes nobody: watched time comes from a clock that does not jump."""
    patient = QUICK | {"promote_feedback": 0, "promote_after_seconds": 3600}
    gateway = await start_gateway(server, canary=patient, training=FOLLOWS)
    await begun(gateway)
    await save(gateway, *again(GOOD))
    later = datetime.now(UTC) + timedelta(days=365)
    for module in ("gateway.ports.moments", "gateway.rollouts.rules"):
        monkeypatch.setattr(f"{module}.now", lambda: later)
    assert microseconds_now() > time.time() * 1_000_000
    assert values.now() < later
    await step(gateway)
    shown = (await gateway.client.get(CANARY)).json()["trials"][0]
    assert shown["outcome"] == "running"
    assert shown["watched_seconds"] < 60
    assert any(text.startswith("watched for") for text in shown["missing"])


@pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed (apt-get install postgresql)")
async def test_while_the_database_is_away_nothing_is_decided_and_nothing_is_lost(
    start_gateway: StartGateway, server: FakeModelServer, tmp_path: Path
) -> None:
    """Predictions go on, evidence waits in the gateway, and the rollback follows when it is back."""
    postgresql = PostgreSQL(tmp_path / "postgresql", settled_port()).start()
    try:
        database = {"url": postgresql.url, "timeout_seconds": 1.0}
        gateway = await start_gateway(server, canary=QUICK, training=FOLLOWS, database=database)
        trial = await begun(gateway)
        postgresql.stop()
        server.refuse_version = 2
        while sum(version == 2 for _, version, _ in server.calls) < 15:
            answer = await gateway.predict(files={"images": picture()})
            assert (answer.status_code, answer.json()["version"]) == (200, 1)
        assert gateway.services.rollouts.model("shades").rollout.canary == 2
        server.refuse_version = None
        postgresql.start()
        ended = await outcome(gateway, trial, "rolled_back")
        assert ended["signals"][0]["canary_hits"] >= 5
    finally:
        postgresql.stop()


async def test_what_a_run_published_becomes_the_canary_once(
    start_gateway: StartGateway, server: FakeModelServer, store: Path
) -> None:
    """Where the settings say so; after a rollback it is not tried again; one from elsewhere waits."""
    gateway = await start_gateway(
        server, canary=QUICK | {"on_publish": "canary", "share": 0.2}, training=FOLLOWS
    )
    await gateway.becomes("/v1/predictions", lambda answer: answer.status_code == 200)
    await step(gateway)
    assert (await gateway.client.get(ROLLOUT)).json()["rollout"]["canary"] is None
    await succeeded(gateway, 2)
    await gateway.becomes(ROLLOUT, lambda answer: answer.json()["rollout"]["canary"] == 2)
    assert (await gateway.client.get(ROLLOUT)).json()["rollout"]["canary_share"] == 0.2
    found = await gateway.becomes(CANARY, lambda answer: answer.json()["trials"])
    await save(gateway, *again(BAD))
    await outcome(gateway, found.json()["trials"][0]["id"], "rolled_back")
    for _ in range(3):
        await step(gateway)
    assert (await gateway.client.get(ROLLOUT)).json()["rollout"]["canary"] is None


async def succeeded(gateway: RunningGateway, version: int) -> None:
    """A run that has published the version, as recovery leaves its row."""
    rows, at = gateway.services.training._runs, microseconds_now()
    spec = TrainingSpec(run_id="run-2", model="shades", data="data")
    await rows.insert(RunRow("run-2", "shades", RunState.QUEUED, "watch", spec, "somebody", at))
    await rows.ended("run-2", RunEnd(RunState.SUCCEEDED, at, at, version, 0.9))
