"""Training runs from outside: start, guard, idempotency, missing data, pages, two gateways."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from gateway_fakes import FakeModelServer, eventually
from gateway_harness import RunningGateway, StartGateway
from training_harness import RUNS, make_data, start_run, state_is, training

from contract.layout import RunPaths
from contract.training import TrainingSpec

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


async def test_a_run_from_start_to_end(gateway: RunningGateway, folders: dict[str, Path]) -> None:
    """202 with a Location, the spec in its folder, curves, the published version, the metric."""
    run_id = await start_run(gateway, "quick", epochs=2, seed=7)
    spec = TrainingSpec.model_validate_json(RunPaths(folders["runs"], run_id).spec.read_bytes())
    assert (spec.epochs, spec.seed, spec.preset, Path(spec.data).name) == (2, 7, "tiny", "quick")
    assert Path(spec.models).is_absolute()
    run = await state_is(gateway, run_id, "succeeded")
    assert (run["version"], run["accuracy"], run["error"]) == (2, 0.75, None)
    assert run["created_at"] <= run["started_at"] <= run["finished_at"]
    progress = run["progress"]
    assert (progress["phase"], progress["done"], progress["total"]) == ("fit", 2, 2)
    assert progress["curves"]["loss"] == [{"epoch": 1, "value": 1.0}, {"epoch": 2, "value": 0.5}]
    metrics = (await gateway.client.get("/metrics")).text
    assert 'gateway_training_runs_total{state="succeeded"} 1.0' in metrics
    audit = (await gateway.client.get("/v1/audit")).json()["entries"]
    assert [(entry["action"], entry["detail"]["run"]) for entry in audit] == [("run.start", run_id)]


async def test_one_active_run_a_model(gateway: RunningGateway, folders: dict[str, Path]) -> None:
    """Ten at once: one starts, nine are told which; another model may train beside it."""
    body = {"model": "shades", "dataset": "slow"}
    answers = await asyncio.gather(*(gateway.client.post(RUNS, json=body) for _ in range(10)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [202] + [409] * 9
    run_id = next(answer.json()["id"] for answer in answers if answer.status_code == 202)
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert refused["code"] == "run_active"
    assert run_id in refused["detail"]
    await start_run(gateway, "quick", model="other")
    running = await state_is(gateway, run_id, "running")
    assert running["progress"]["done"] == 1
    (folders["runs"] / run_id / "go").touch()
    await state_is(gateway, run_id, "succeeded")
    await start_run(gateway, "quick")


async def test_the_same_key_is_the_same_run(gateway: RunningGateway) -> None:
    """At once or later; another body under the key is a conflict."""
    body = {"model": "shades", "dataset": "slow"}
    headers = {"Idempotency-Key": "press once"}
    post = [gateway.client.post(RUNS, json=body, headers=headers) for _ in range(4)]
    answers = await asyncio.gather(*post)
    assert [answer.status_code for answer in answers] == [202] * 4
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await gateway.client.post(RUNS, json=body | {"seed": 1}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    await gateway.client.delete(f"{RUNS}/{answers[0].json()['id']}")


@pytest.mark.parametrize(
    ("dataset", "base", "way_out"),
    [
        ("cifar10", "dataset", "python -m trainer fetch cifar10"),
        ("cifar10", "none", "python -m trainer fetch cifar10"),
        ("absent", "dataset", "POST /v1/datasets/absent/examples"),
        ("lonely", "dataset", "POST /v1/datasets/lonely/examples"),
    ],
)
async def test_data_that_is_not_there(
    gateway: RunningGateway, store: Path, dataset: str, base: str, way_out: str
) -> None:
    """409 with the command that brings it; no run is left."""
    make_data(store.parent / "data", "lonely", classes=1)
    body = {"model": "shades", "dataset": dataset, "base": base}
    answer = await gateway.client.post(RUNS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "base_data_missing")
    assert way_out in answer.json()["detail"]
    assert (await gateway.client.get(RUNS)).json()["runs"] == []


async def test_uploads_alone_are_no_base_unless_told_so(gateway: RunningGateway, store: Path) -> None:
    """Two uploaded pictures are not CIFAR-10."""
    for number in range(2):
        folder = store.parent / "data" / "cifar10" / "train" / f"class-{number}"
        folder.mkdir(parents=True)
        (folder / f"{str(number) * 64}.png").touch()
    refused = await gateway.client.post(RUNS, json={"model": "cifar10"})
    assert (refused.status_code, refused.json()["code"]) == (409, "base_data_missing")
    assert "base none" in refused.json()["detail"]
    run_id = await start_run(gateway, "cifar10", base="none")
    await gateway.client.delete(f"{RUNS}/{run_id}")
    await state_is(gateway, run_id, "cancelled")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model": "a/b"},
        {"model": "config"},
        {"model": "shades", "dataset": "../etc"},
        {"model": "shades", "dataset": "quick", "epochs": 0},
        {"model": "shades", "dataset": "quick", "seed": -1},
        {"model": "shades", "dataset": "quick", "preset": "huge"},
        {"model": "shades", "dataset": "quick", "base": "moon"},
        {"model": "shades", "dataset": "quick", "color": "red"},
    ],
)
async def test_requests_that_cannot_be(gateway: RunningGateway, body: dict[str, Any]) -> None:
    """422, and nothing starts."""
    answer = await gateway.client.post(RUNS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
    assert (await gateway.client.get(RUNS)).json()["runs"] == []


@pytest.mark.parametrize("path", [f"{RUNS}/{'0' * 32}", f"{RUNS}/{'0' * 32}/logs", f"{RUNS}/no-such"])
async def test_unknown_runs(gateway: RunningGateway, path: str) -> None:
    """404; ids that cannot be are 422."""
    assert (await gateway.client.get(path)).json()["code"] == "unknown_name"
    assert (await gateway.client.get(f"{RUNS}/..%2f..%2fetc")).status_code in (404, 422)
    assert (await gateway.client.delete(f"{RUNS}/{'0' * 32}")).status_code == 404


async def test_pages_and_filters(gateway: RunningGateway) -> None:
    """Newest first, by cursor, by model and by state."""
    ids = []
    for number in range(3):
        ids.append(await start_run(gateway, "quick", model=f"m{number}"))
        await state_is(gateway, ids[-1], "succeeded")
    first = (await gateway.client.get(RUNS, params={"limit": 2})).json()
    rest = (await gateway.client.get(RUNS, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [run["id"] for run in first["runs"] + rest["runs"]] == ids[::-1]
    assert rest["next_cursor"] is None
    found = (await gateway.client.get(RUNS, params={"model": "m1", "state": "succeeded"})).json()["runs"]
    assert [run["id"] for run in found] == [ids[1]]
    assert (await gateway.client.get(RUNS, params={"state": "failed"})).json()["runs"] == []
    assert (await gateway.client.get(RUNS, params={"state": "odd"})).status_code == 422


async def test_two_gateways_on_one_database(
    start_gateway: StartGateway, model_server: FakeModelServer, folders: dict[str, Path]
) -> None:
    """One holds the lease and follows every run; a model has one active run wherever it was asked for."""
    gateways = [
        await start_gateway(model_server, stores=folders, training=training(lease_seconds=1))
        for _ in range(2)
    ]

    def holders() -> int:
        return sum(gateway.services.metrics.control_lease._value.get() for gateway in gateways)

    await eventually(lambda: holders() == 1)
    body = {"model": "shades", "dataset": "slow"}
    posts = [gateway.client.post(RUNS, json=body) for gateway in gateways for _ in range(3)]
    answers = await asyncio.gather(*posts)
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 5
    run_id = next(answer.json()["id"] for answer in answers if answer.status_code == 202)
    others = [await start_run(gateway, "quick", model=f"m{n}") for n, gateway in enumerate(gateways)]
    for other in others:
        await state_is(gateways[0], other, "succeeded")
    await state_is(gateways[0], run_id, "running")
    assert (await gateways[1].client.delete(f"{RUNS}/{run_id}")).status_code == 202
    await state_is(gateways[1], run_id, "cancelled")
    assert holders() == 1
