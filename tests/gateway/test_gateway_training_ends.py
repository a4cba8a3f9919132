"""How training runs end beside well: cancelled, dead, killed, found again after a restart."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from gateway_fakes import FakeModelServer, eventually
from gateway_harness import RunningGateway, StartGateway, running_gateway
from training_harness import RUNS, gateway_settings, make_data, start_run, state_is, training

from contract.layout import RunPaths

pytestmark = pytest.mark.anyio


@pytest.fixture
def folders(store: Path) -> dict[str, Path]:
    """The stores of a gateway that trains; `runs` among them."""
    make_data(store.parent / "data", "quick", "slow", "crash", "stubborn", "refused")
    return {"runs": store.parent / "runs"}


@pytest.fixture
async def gateway(
    start_gateway: StartGateway, model_server: FakeModelServer, folders: dict[str, Path]
) -> RunningGateway:
    """A gateway with the fake trainer."""
    return await start_gateway(model_server, stores=folders, training=training())


def process_of(runs: Path, run_id: str) -> int:
    """The process of a run."""
    return int(json.loads((runs / run_id / "process.json").read_bytes())["pid"])


@pytest.mark.parametrize(("dataset", "times"), [("slow", 1), ("stubborn", 2)])
async def test_cancel(gateway: RunningGateway, dataset: str, times: int) -> None:
    """A first time politely, a second time by force; a run that has ended cannot be cancelled."""
    run_id = await start_run(gateway, dataset)
    await state_is(gateway, run_id, "running")
    for _ in range(times):
        assert (await gateway.client.delete(f"{RUNS}/{run_id}")).status_code == 202
    run = await state_is(gateway, run_id, "cancelled")
    assert run["error"]["code"] == "cancelled"
    again = await gateway.client.delete(f"{RUNS}/{run_id}")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_a_trainer_that_dies_is_a_failed_run(gateway: RunningGateway) -> None:
    """With the last lines of its output."""
    run = await state_is(gateway, await start_run(gateway, "crash"), "failed")
    assert run["error"]["code"] == "trainer_died"
    assert run["error"]["message"].endswith("epoch 1 of shades\ncannot go on")
    assert run["progress"]["done"] == 1


async def test_a_candidate_that_the_gate_refuses(gateway: RunningGateway) -> None:
    """The run is rejected, shows every check, and started from whom the caller said."""
    run = await state_is(gateway, await start_run(gateway, "refused", start="stable"), "rejected")
    assert run["error"]["code"] == "gate_refused"
    assert run["version"] is None
    assert run["spec"]["start"] == "stable"
    assert run["gate"]["compared_with"] == 1
    assert run["gate"]["checks"][0]["sentence"] == "it loses 3 %"


async def test_a_trainer_that_is_killed(gateway: RunningGateway, folders: dict[str, Path]) -> None:
    """kill -9: failed, and the model is free again."""
    run_id = await start_run(gateway, "slow")
    await state_is(gateway, run_id, "running")
    os.kill(process_of(folders["runs"], run_id), signal.SIGKILL)
    await state_is(gateway, run_id, "failed")
    await state_is(gateway, await start_run(gateway, "quick"), "succeeded")


async def test_a_trainer_that_cannot_be_started(
    start_gateway: StartGateway, model_server: FakeModelServer, folders: dict[str, Path]
) -> None:
    """503, a failed run that says why, and the model is free."""
    settings = training(process_command=("/no/such/python",))
    gateway = await start_gateway(model_server, stores=folders, training=settings)
    for _ in range(2):
        answer = await gateway.client.post(RUNS, json={"model": "shades", "dataset": "quick"})
        assert (answer.status_code, answer.json()["code"]) == (503, "launcher")
        assert "/no/such/python" in answer.json()["detail"]
    runs = (await gateway.client.get(RUNS)).json()["runs"]
    assert [(run["state"], run["error"]["code"]) for run in runs] == [("failed", "not_launched")] * 2


async def test_a_restarted_gateway_finds_the_runs_again(
    store: Path,
    model_server: FakeModelServer,
    folders: dict[str, Path],
    fresh_database: Callable[[Path], str],
) -> None:
    """Whether a trainer lives, was killed, or came to its end while no gateway ran."""
    settings = gateway_settings(store, model_server, fresh_database)
    ids = {}
    async with running_gateway(settings) as first:
        for model in ("lives", "dies", "ends"):
            ids[model] = await start_run(first, "slow", model=model)
            await state_is(first, ids[model], "running")
    os.kill(process_of(folders["runs"], ids["dies"]), signal.SIGKILL)
    (folders["runs"] / ids["ends"] / "go").touch()
    await eventually(RunPaths(folders["runs"], ids["ends"]).result.exists)
    async with running_gateway(settings) as second:
        await state_is(second, ids["dies"], "failed")
        await state_is(second, ids["ends"], "succeeded")
        assert (await second.client.get(f"{RUNS}/{ids['lives']}")).json()["state"] == "running"
        (folders["runs"] / ids["lives"] / "go").touch()
        await state_is(second, ids["lives"], "succeeded")


async def test_a_run_of_another_host_is_left_to_its_folder(
    gateway: RunningGateway, folders: dict[str, Path]
) -> None:
    """Its process cannot be seen from here; a cancelled one is nobody's any more."""
    run_id = await start_run(gateway, "slow")
    await state_is(gateway, run_id, "running")
    file = folders["runs"] / run_id / "process.json"
    pid = process_of(folders["runs"], run_id)
    file.write_text(json.dumps({"host": "elsewhere", "pid": pid, "start": 1}))
    os.kill(pid, signal.SIGKILL)
    other = await start_run(gateway, "quick", model="other")
    await state_is(gateway, other, "succeeded")
    assert (await gateway.client.get(f"{RUNS}/{run_id}")).json()["state"] == "running"
    await gateway.client.delete(f"{RUNS}/{run_id}")
    await state_is(gateway, run_id, "cancelled")


async def test_a_process_number_that_was_given_out_again_is_not_the_trainer(
    gateway: RunningGateway, folders: dict[str, Path]
) -> None:
    """It is not waited for, and never killed."""
    run_id = await start_run(gateway, "slow")
    await state_is(gateway, run_id, "running")
    file = folders["runs"] / run_id / "process.json"
    known = json.loads(file.read_bytes())
    os.kill(known["pid"], signal.SIGKILL)
    file.write_text(json.dumps(known | {"pid": os.getpid()}))
    await gateway.client.delete(f"{RUNS}/{run_id}")
    await state_is(gateway, run_id, "failed", "cancelled")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b'{"state": "running"}'])
async def test_a_result_that_cannot_be_read(
    gateway: RunningGateway, folders: dict[str, Path], content: bytes
) -> None:
    """Is waited for while the trainer lives, and a failure when it does not."""
    run_id = await start_run(gateway, "slow")
    await state_is(gateway, run_id, "running")
    (folders["runs"] / run_id / "result.json").write_bytes(content)
    os.kill(process_of(folders["runs"], run_id), signal.SIGKILL)
    run = await state_is(gateway, run_id, "failed")
    assert run["error"]["code"] == "result_unreadable"
