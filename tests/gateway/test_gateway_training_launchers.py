"""The launchers that a laptop does not use: Jobs in Kubernetes (its API faked over HTTP), and `watch`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_kubernetes import TEMPLATE, UID, FakeKubernetes
from gateway_fakes import FakeModelServer
from gateway_harness import RunningGateway, StartGateway
from training_harness import RUNS, make_data, start_run, state_is, training

from contract.layout import RunPaths, write_atomically
from contract.training import ProgressEvent, RunState, TrainingResult
from contract.values import now
from gateway.app import create_app
from gateway.errors import ConfigurationError
from gateway.settings import Settings, TrainingSettings
from gateway.wiring.training import launcher_of, run_folders

pytestmark = pytest.mark.anyio


@pytest.fixture
def folders(store: Path) -> dict[str, Path]:
    """The stores of a gateway that trains; `runs` among them."""
    make_data(store.parent / "data", "quick")
    return {"runs": store.parent / "runs"}


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubernetes]:
    """A cluster that only remembers, and the way to it in KUBECONFIG."""
    fake = FakeKubernetes()
    path = str(fake.kubeconfig(tmp_path))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    yield fake
    fake.stop()


@pytest.fixture
async def cluster(
    start_gateway: StartGateway,
    model_server: FakeModelServer,
    folders: dict[str, Path],
    kubernetes: FakeKubernetes,
) -> RunningGateway:
    """A gateway that makes Jobs."""
    settings = training(
        launcher="kubernetes",
        kubernetes_namespace="lab",
        data_at_trainer="/data",
        models_at_trainer="/models",
        runs_at_trainer="/runs",
    )
    return await start_gateway(model_server, stores=folders, training=settings)


def tell(paths: RunPaths) -> None:
    """What a trainer tells first."""
    with paths.progress.open("ab") as file:
        file.write(ProgressEvent(phase="load").model_dump_json().encode() + b"\n")


def succeed(paths: RunPaths) -> None:
    """What a trainer writes last."""
    state = RunState.SUCCEEDED
    result = TrainingResult(
        run_id=paths.run_id, model="shades", state=state, version=3, accuracy=0.5, started_at=now()
    )
    write_atomically(paths.result, result.to_json())


async def test_a_job_from_the_template(
    cluster: RunningGateway, kubernetes: FakeKubernetes, folders: dict[str, Path]
) -> None:
    """Run id, labels and arguments are added; all else is the chart's; the log outlives the pod."""
    run_id = await start_run(cluster, "quick")
    (name, job), *_ = kubernetes.jobs.items()
    assert name == f"trainer-{run_id}"
    added = {"rekindle-run": run_id, "rekindle-model": "shades", "app": "rekindle"}
    [owner] = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("CronJob", "trainer", UID)
    assert not owner.get("controller")
    assert job["metadata"]["labels"] == job["spec"]["template"]["metadata"]["labels"] == added
    template: Any = TEMPLATE
    assert job["spec"]["activeDeadlineSeconds"] == template["spec"]["activeDeadlineSeconds"]
    sidecar, trainer = job["spec"]["template"]["spec"]["containers"]
    assert sidecar == {"name": "sidecar", "image": "sidecar:1"}
    args = ["run", "--spec", f"/runs/{run_id}/spec.json"]
    assert trainer == {"name": "trainer", "image": "trainer:1", "args": args}
    paths = RunPaths(folders["runs"], run_id)
    tell(paths)
    run = await state_is(cluster, run_id, "running")
    assert (run["reference"], run["spec"]["data"], run["spec"]["models"]) == (
        f"job lab/{name}",
        "/data/quick",
        "/models",
    )
    kubernetes.logs[run_id] = b"one\ntwo\n"
    log = await cluster.client.get(f"{RUNS}/{run_id}/logs", params={"follow": "false"})
    assert log.text == "one\ntwo\n"
    succeed(paths)
    assert (await state_is(cluster, run_id, "succeeded"))["version"] == 3
    del kubernetes.logs[run_id]
    log = await cluster.client.get(f"{RUNS}/{run_id}/logs", params={"follow": "false"})
    assert log.text == "one\ntwo\n"


async def test_a_run_says_why_its_job_waits(cluster: RunningGateway, kubernetes: FakeKubernetes) -> None:
    """A quota lets no pod be made, then its image cannot be pulled; once it runs, the name stands alone."""
    event = {"metadata": {}, "involvedObject": {}, "reason": "FailedCreate", "message": "exceeded quota"}
    kubernetes.events = [event]
    run_id = await start_run(cluster, "quick")
    path, name = f"{RUNS}/{run_id}", f"job lab/trainer-{run_id}"
    waits = f"{name} waits: FailedCreate: exceeded quota"
    await cluster.becomes(path, lambda answer: answer.json()["reference"] == waits)
    kubernetes.waiting = {"reason": "ErrImagePull", "message": "no such image"}
    waits = f"{name} waits: ErrImagePull: no such image"
    await cluster.becomes(path, lambda answer: answer.json()["reference"] == waits)
    kubernetes.events, kubernetes.waiting = [], None
    await cluster.becomes(path, lambda answer: answer.json()["reference"] == name)


async def test_a_job_that_fails(
    cluster: RunningGateway, kubernetes: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the condition's reason and the pod's last lines."""
    from gateway.adapters.launchers.kubernetes import KubernetesLauncher

    monkeypatch.setattr(KubernetesLauncher, "settle_seconds", 0.0)
    run_id = await start_run(cluster, "quick")
    kubernetes.logs[run_id] = b"out of memory\n"
    kubernetes.ended(f"trainer-{run_id}", "Failed", "DeadlineExceeded")
    run = await state_is(cluster, run_id, "failed")
    assert "DeadlineExceeded: so it is" in run["error"]["message"]
    assert run["error"]["message"].endswith("out of memory")


async def test_a_result_may_be_seen_later_than_the_end_of_its_job(
    cluster: RunningGateway, kubernetes: FakeKubernetes, folders: dict[str, Path]
) -> None:
    """A network file system hides new files for a while."""
    run_id = await start_run(cluster, "quick")
    tell(RunPaths(folders["runs"], run_id))
    kubernetes.ended(f"trainer-{run_id}", "Complete", "")
    await state_is(cluster, run_id, "running")
    succeed(RunPaths(folders["runs"], run_id))
    await state_is(cluster, run_id, "succeeded")


async def test_cancelling_deletes_the_job(cluster: RunningGateway, kubernetes: FakeKubernetes) -> None:
    """In the background; its pods get SIGTERM."""
    run_id = await start_run(cluster, "quick")
    assert (await cluster.client.delete(f"{RUNS}/{run_id}")).status_code == 202
    assert [(name, query["propagationPolicy"]) for name, query in kubernetes.deleted] == [
        (f"trainer-{run_id}", ["Background"])
    ]
    await state_is(cluster, run_id, "cancelled")


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_an_api_that_refuses(cluster: RunningGateway, kubernetes: FakeKubernetes, status: int) -> None:
    """503 with what it said, and a failed run."""
    kubernetes.fault = status
    answer = await cluster.client.post(RUNS, json={"model": "shades", "dataset": "quick"})
    assert (answer.status_code, answer.json()["code"]) == (503, "launcher")
    assert str(status) in answer.json()["detail"]
    assert "CronJob 'trainer'" in answer.json()["detail"]
    runs = (await cluster.client.get(RUNS)).json()["runs"]
    assert [run["error"]["code"] for run in runs] == ["not_launched"]


async def test_an_api_that_is_away_loses_no_run(
    cluster: RunningGateway, kubernetes: FakeKubernetes, folders: dict[str, Path]
) -> None:
    """A run is judged by its folder and its Job, never by an outage."""
    run_id = await start_run(cluster, "quick")
    kubernetes.fault = 503
    assert (await cluster.client.get(f"{RUNS}/{run_id}/logs?follow=false")).status_code == 503
    assert (await cluster.client.get(f"{RUNS}/{run_id}")).json()["state"] == "queued"
    tell(RunPaths(folders["runs"], run_id))
    succeed(RunPaths(folders["runs"], run_id))
    kubernetes.fault = None
    await state_is(cluster, run_id, "succeeded")


def test_no_cluster_keeps_the_gateway_from_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the setting's name."""
    nowhere = str(tmp_path / "none")
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", nowhere)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    settings = Settings(training=TrainingSettings(launcher="kubernetes"))
    assert create_app(settings)
    with pytest.raises(ConfigurationError, match="GATEWAY_TRAINING__LAUNCHER"):
        launcher_of(settings, run_folders(settings))


@pytest.fixture
async def watched(
    start_gateway: StartGateway, model_server: FakeModelServer, folders: dict[str, Path]
) -> RunningGateway:
    """A gateway that leaves runs to a watcher."""
    return await start_gateway(model_server, stores=folders, training=training(launcher="watch"))


async def test_a_run_for_a_watcher(watched: RunningGateway, folders: dict[str, Path]) -> None:
    """It waits with its spec, runs once somebody tells of it, and ends by its result."""
    run_id = await start_run(watched, "quick")
    paths = RunPaths(folders["runs"], run_id)
    assert paths.spec.exists()
    assert (await watched.client.get(f"{RUNS}/{run_id}")).json()["state"] == "queued"
    paths.claim.touch()
    paths.log.write_text("hello\n")
    tell(paths)
    await state_is(watched, run_id, "running")
    assert (await watched.client.get(f"{RUNS}/{run_id}/logs?follow=false")).text == "hello\n"
    succeed(paths)
    await state_is(watched, run_id, "succeeded")


async def test_a_run_that_no_watcher_has_claimed_is_cancelled_at_once(
    watched: RunningGateway, folders: dict[str, Path]
) -> None:
    """And none can claim it any more; a claimed one is asked to stop."""
    run_id = await start_run(watched, "quick")
    await watched.client.delete(f"{RUNS}/{run_id}")
    run = await state_is(watched, run_id, "cancelled")
    assert run["error"]["message"] == "the run was cancelled before it started"
    assert RunPaths(folders["runs"], run_id).claim.exists()
    claimed = await start_run(watched, "quick")
    RunPaths(folders["runs"], claimed).claim.touch()
    await watched.client.delete(f"{RUNS}/{claimed}")
    assert RunPaths(folders["runs"], claimed).cancel.exists()
    assert not RunPaths(folders["runs"], claimed).result.exists()
