"""What the promotion gate refused: nothing brings it to answer but a person who says why."""

from __future__ import annotations

from pathlib import Path

import pytest
from gateway_fakes import FakeModelServer, make_card
from gateway_harness import RunningGateway, StartGateway
from training_harness import RUNS, make_data, start_run, state_is, training

from contract import layout
from contract.card import Lineage, ModelCard
from contract.gate import GateCheck, GateDecision, GateRule
from contract.training import TrainingSpec
from gateway.rollouts.rules import reason_to_wait

pytestmark = pytest.mark.anyio

REFUSED = GateDecision(
    passed=False,
    rule=GateRule(),
    compared_with=1,
    checks=[
        GateCheck(name="accuracy", passed=False, sentence="it loses 3 %"),
        GateCheck(name="size", passed=True, sentence="it is as large"),
    ],
)


def refused_card(run_id: str) -> ModelCard:
    """Of a candidate that the gate did not let pass."""
    return make_card().model_copy(update={"run_id": run_id, "gate": REFUSED})


def leave_candidate(runs: Path, run_id: str) -> Path:
    """What the trainer leaves in the run's folder."""
    candidate = layout.RunPaths(runs, run_id).candidate
    candidate.mkdir(parents=True)
    (candidate / layout.SAVED_MODEL).write_bytes(b"not a real graph")
    (candidate / layout.CARD).write_bytes(refused_card(run_id).to_json())
    return candidate


@pytest.fixture
async def gateway(start_gateway: StartGateway, store: Path) -> RunningGateway:
    """A gateway with the fake trainer and a model server that follows its configuration."""
    make_data(store.parent / "data", "quick", "refused")
    server = FakeModelServer(config=layout.models_config(store))
    server.start()
    try:
        yield await start_gateway(server, stores={"runs": store.parent / "runs"}, training=training())
    finally:
        server.stop()


async def test_a_refused_candidate_is_published_by_a_person_and_promoted_with_a_reason(
    gateway: RunningGateway, store: Path
) -> None:
    """It becomes a version once, does not answer although the model follows the newest, and then does."""
    run_id = await start_run(gateway, "refused")
    await state_is(gateway, run_id, "rejected")
    leave_candidate(store.parent / "runs", run_id)
    for _ in range(2):  # the second time nothing new
        answer = await gateway.client.post(f"{RUNS}/{run_id}/publication", json={"reason": "a demo"})
        assert (answer.status_code, answer.json()["version"]) == (201, 2)
    assert answer.headers["location"] == "/v1/models/shades/versions/2"
    assert answer.json()["refused_by"] == ["accuracy"]
    rollout = "/v1/models/shades/rollout"
    waits = await gateway.becomes(rollout, lambda found: bool(found.json()["waiting"]))
    assert waits.json()["waiting"] == {"2": "the promotion gate refused it (accuracy)"}
    assert waits.json()["rollout"]["stable"] == 1
    silent = await gateway.client.put(rollout, json={"stable": 2})
    assert (silent.status_code, "give a `reason`" in silent.json()["detail"]) == (422, True)
    told = await gateway.client.put(rollout, json={"stable": 2, "reason": "we know better"})
    assert told.status_code == 200
    await gateway.becomes(rollout, lambda found: found.json()["rollout"]["stable"] == 2)
    audit = (await gateway.client.get("/v1/audit")).json()["entries"]
    assert [(entry["action"], entry["reason"]) for entry in audit[:2]] == [
        ("rollout.change", "we know better"),
        ("run.publish", "a demo"),
    ]


async def test_what_cannot_be_published(gateway: RunningGateway) -> None:
    """A run that went well, one whose candidate is gone, one that nobody knows, and no reason."""
    good = await start_run(gateway, "quick")
    await state_is(gateway, good, "succeeded")
    refused = await start_run(gateway, "refused", model="others")
    await state_is(gateway, refused, "rejected")
    found = {}
    for run_id, body in ((good, {"reason": "x"}), (refused, {"reason": "x"}), ("0" * 32, {"reason": "x"})):
        answer = await gateway.client.post(f"{RUNS}/{run_id}/publication", json=body)
        found[run_id] = (answer.status_code, answer.json()["detail"])
    assert found[good][0] == found[refused][0] == 409
    assert "is succeeded" in found[good][1]
    assert "is gone" in found[refused][1]
    assert found["0" * 32][0] == 404
    assert (await gateway.client.post(f"{RUNS}/{refused}/publication", json={})).status_code == 422


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (make_card(), ""),
        (refused_card("run-2"), "the promotion gate refused it (accuracy)"),
        (make_card().model_copy(update={"gate": REFUSED.model_copy(update={"passed": True})}), ""),
    ],
)
def test_the_reason_to_wait(card: ModelCard, expected: str) -> None:
    """Only the gate's no holds a version back, or data that was uploaded alone."""
    assert reason_to_wait(card) == expected


def test_a_version_without_base_data_waits() -> None:
    """It was judged on uploads only, which is not enough to answer by itself."""
    spec = TrainingSpec(run_id="run-2", model="shades", data="data/shades", base="none")
    lineage = Lineage(spec=spec, method="full", reason="no base")
    card = make_card().model_copy(update={"lineage": lineage})
    assert "without base data" in reason_to_wait(card)
