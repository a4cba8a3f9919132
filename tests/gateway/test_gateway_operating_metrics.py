"""The metrics that alerts look at: who holds the stable version, what failed, how full the stores are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from gateway_fakes import FakeModelServer, picture
from gateway_harness import RunningGateway, StartGateway
from training_harness import make_data, start_run, state_is, training

from gateway.errors import DatabaseError
from gateway.metrics import Metrics
from gateway.rollouts.availability import Availability
from gateway.training.control import Control

pytestmark = pytest.mark.anyio


async def value(gateway: RunningGateway, series: str) -> float | None:
    """The value of one series of /metrics; None when it is not there."""
    text = (await gateway.client.get("/metrics")).text
    found = [line.removeprefix(series) for line in text.splitlines() if line.startswith(series + " ")]
    return float(found[0]) if found else None


async def test_replicas_that_hold_the_stable_version_are_counted(
    start_gateway: StartGateway, start_model_server: Callable[..., FakeModelServer]
) -> None:
    """Two of two, then one that lost the version, then none: without a prediction in between."""
    servers = [start_model_server(), start_model_server()]
    gateway = await start_gateway(*servers)
    services = gateway.services
    await gateway.becomes("/readyz", lambda answer: sum(answer.json()["replicas"].values()) == 2)
    availability = Availability(services.rollouts, services.metrics)
    for count in (2, 1, 0):
        await availability.step()
        assert await value(gateway, 'gateway_available_replicas{model="shades"}') == count
        if count:
            servers[count - 1].available = {}


async def test_a_model_that_left_the_store_has_no_present_state(gateway: RunningGateway, store: Path) -> None:
    """Its gauges go with it, so that no alert stays for a model that somebody removed."""
    await Availability(gateway.services.rollouts, gateway.services.metrics).step()
    assert await value(gateway, 'gateway_available_replicas{model="shades"}') == 1
    (store / "shades").rename(store.parent / "elsewhere")
    await gateway.becomes("/v1/models", lambda answer: answer.json()["models"] == [])
    for name in ("gateway_available_replicas", "gateway_stable_version", "gateway_canary_share"):
        assert await value(gateway, f'{name}{{model="shades"}}') is None


async def test_what_a_version_did_not_answer_is_counted_by_version(
    gateway: RunningGateway, model_server: FakeModelServer
) -> None:
    """Rejected pictures count under the version and the reason; those answered do not."""
    await gateway.predict(files={"images": picture()})
    model_server.refuse_with = grpc.StatusCode.INVALID_ARGUMENT
    answer = await gateway.predict(files=[("images", picture()), ("images", picture())])
    assert answer.status_code == 502
    series = 'gateway_images_failed_total{model="shades",reason="rejected",version="1"}'
    assert await value(gateway, series) == 2
    assert await value(gateway, 'gateway_images_predicted_total{model="shades",version="1"}') == 1


async def test_pictures_that_cannot_be_decoded_are_counted_also_when_they_come_alone(
    gateway: RunningGateway,
) -> None:
    """One beside a good one, and two without any: three refused, one that arrived."""
    files = [("images", picture()), ("images", b"no picture")]
    assert (await gateway.predict(files=files)).status_code == 200
    alone = [("images", b"no picture"), ("images", b"neither")]
    assert (await gateway.predict(files=alone)).status_code == 400
    assert await value(gateway, 'gateway_images_refused_total{model="shades"}') == 3
    assert await value(gateway, 'gateway_images_arrived_total{model="shades"}') == 1


async def test_limits_and_stores_are_told(gateway: RunningGateway) -> None:
    """The bounds of queue and backlog, and the space of each store, one that nobody wrote to included."""
    assert await value(gateway, "gateway_images_queued_limit") == 2048
    assert await value(gateway, "gateway_history_backlog_limit") == 20_000
    for store in ("models", "data", "runs", "pictures"):
        series = f'gateway_store_free_bytes{{store="{store}"}}'
        await gateway.becomes("/metrics", lambda answer, series=series: series in answer.text)
        free, size = await value(gateway, series), await value(gateway, series.replace("free_", ""))
        assert free is not None
        assert size is not None
        assert 0 < free <= size


async def test_runs_are_counted_from_zero_while_they_last_and_by_their_seconds(
    start_gateway: StartGateway, model_server: FakeModelServer, store: Path
) -> None:
    """A failure is seen by a rate because the series was there before; a running one is in a gauge."""
    make_data(store.parent / "data", "quick", "slow")
    gateway = await start_gateway(model_server, training=training())
    assert await value(gateway, 'gateway_training_runs_total{state="failed"}') == 0
    await state_is(gateway, await start_run(gateway, "quick"), "succeeded")
    assert await value(gateway, 'gateway_training_run_seconds_count{state="succeeded"}') == 1
    run_id = await start_run(gateway, "slow")
    await gateway.becomes(
        "/metrics", lambda answer: 'gateway_training_runs_unfinished{state="running"} 1.0' in answer.text
    )
    await gateway.client.delete(f"/v1/training-runs/{run_id}")
    await state_is(gateway, run_id, "cancelled")
    await gateway.becomes(
        "/metrics", lambda answer: 'gateway_training_runs_unfinished{state="running"} 0.0' in answer.text
    )


async def test_who_cannot_renew_the_lease_does_not_say_that_it_holds_it() -> None:
    """With the database away nobody follows the runs, and the metric says so, until it is back."""
    metrics = Metrics()

    class Leases:
        is_away = False

        async def acquire(self, *_: object) -> bool:
            if self.is_away:
                raise DatabaseError("away")
            return True

        async def release(self, *_: object) -> None:
            return None

    class Idle:
        async def step(self) -> None:
            return None

        def rest(self) -> None:
            return None

    leases = Leases()
    control = Control(leases, "me", 15.0, Idle(), Idle(), metrics)  # type: ignore[arg-type]
    for leases.is_away, held in ((False, 1), (True, 0), (False, 1)):
        with contextlib.suppress(DatabaseError):
            await control.step()
        assert metrics.control_lease._value.get() == held
