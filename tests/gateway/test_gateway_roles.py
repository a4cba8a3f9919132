"""Roles of the process, several gateways on one store, and the limit on requests at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from gateway_fakes import FakeModelServer, eventually, picture, publish
from gateway_harness import RunningGateway, StartGateway
from sqlalchemy import text

from contract import layout
from contract.rollout import Rollout
from gateway.adapters.database.connection import make_engine
from gateway.rollouts.state import ModelState
from gateway.settings import DatabaseSettings

pytestmark = pytest.mark.anyio

ROLLOUT = "/v1/models/shades/rollout"
PREDICT = {"server": {"role": "predict"}}
CONTROL = {"server": {"role": "control"}}


def on_disk(store: Path) -> Rollout:
    """The rollout as the file has it."""
    return Rollout.model_validate_json(layout.ModelPaths(store, "shades").rollout.read_bytes())


async def becomes_stable(gateway: RunningGateway, version: int) -> None:
    """Wait until predictions are answered by the version."""

    async with asyncio.timeout(20):
        while True:
            answer = await gateway.predict(files={"images": picture()})
            assert answer.status_code == 200
            if answer.json()["version"] == version:
                return
            await asyncio.sleep(0.02)


async def test_a_predicting_gateway_predicts_and_nothing_else(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """Other routes say where they are; the history is written, and the rollout is not."""
    control = await start_gateway(model_server, is_ready=False, **CONTROL)
    gateway = await start_gateway(model_server, **PREDICT)
    answer = await gateway.predict(files={"images": picture(200)})
    assert answer.status_code == 200
    for path in ("/v1/predictions", "/v1/datasets", ROLLOUT):
        refused = await gateway.client.get(path)
        assert (refused.status_code, refused.json()["code"]) == (404, "other_role")
        assert "role control" in refused.json()["detail"]
    assert (await gateway.client.get("/v1/models")).status_code == 200
    [prediction] = answer.json()["predictions"]
    await control.becomes(f"/v1/predictions/{prediction['id']}", lambda shown: shown.status_code == 200)


async def test_a_controlling_gateway_does_not_predict(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """A prediction is refused before its body is read; the schema does not offer it."""
    gateway = await start_gateway(model_server, **CONTROL)
    refused = await gateway.predict(files={"images": picture()})
    assert (refused.status_code, refused.json()["code"]) == (404, "other_role")
    paths = (await gateway.client.get("/openapi.json")).json()["paths"]
    assert "/v1/datasets" in paths
    assert "/v1/models/{model}/predictions" not in paths


async def test_a_predicting_gateway_alone_writes_nothing(
    start_gateway: StartGateway, model_server: FakeModelServer, store: Path
) -> None:
    """A store without a rollout stays so: naming versions is the control role's."""
    gateway = await start_gateway(model_server, is_ready=False, **PREDICT)
    not_ready = await gateway.client.get("/readyz")
    assert not_ready.status_code == 503
    assert not layout.ModelPaths(store, "shades").rollout.exists()
    assert not layout.models_config(store).exists()


async def test_predicting_gateways_follow_a_promotion(
    start_gateway: StartGateway, start_model_server: Any, store: Path
) -> None:
    """The control role moves stable, the others read it."""
    server = start_model_server(config=layout.models_config(store))
    control = await start_gateway(server, is_ready=False, **CONTROL)
    gateway = await start_gateway(server, **PREDICT)
    await becomes_stable(gateway, 1)
    publish(store, 2)
    await becomes_stable(gateway, 2)
    rolled_back = await control.client.post(f"{ROLLOUT.removesuffix('rollout')}rollback")
    assert rolled_back.status_code == 200
    await becomes_stable(gateway, 1)


async def test_of_two_gateways_one_follows_and_the_other_takes_over(
    start_gateway: StartGateway, model_server: FakeModelServer, database: dict[str, Any]
) -> None:
    """One row says who; when it is gone, the other one follows, without waiting for the lease to expire."""
    settings = DatabaseSettings(**database) if database else None
    gateways = [
        await start_gateway(model_server, database=database, training={"lease_seconds": 2}) for _ in range(2)
    ]
    writing = [gateway.services.rollouts.writing for gateway in gateways]

    async with asyncio.timeout(20):
        first = await first_to_follow(writing)
        assert [await one.follows() for one in writing].count(True) == 1
        await writing[first].aclose()
        assert await first_to_follow(writing) == 1 - first
    if settings is not None:
        engine = make_engine(settings)
        with engine.begin() as connection:
            held = connection.execute(text("SELECT count(*) FROM leases WHERE name = 'rollouts'"))
            assert held.scalar_one() == 1
        engine.dispose()


async def first_to_follow(writing: list[Any]) -> int:
    """Wait until a gateway follows the store; which one."""
    while True:
        for number, one in enumerate(writing):
            if await one.follows():
                return number
        await asyncio.sleep(0.02)


async def test_of_changes_at_once_none_is_lost(
    start_gateway: StartGateway, model_server: FakeModelServer, database: dict[str, Any], store: Path
) -> None:
    """Two gateways each add eight pins, all at the same time."""
    gateways = [await start_gateway(model_server, database=database) for _ in range(2)]
    await gateways[0].becomes("/v1/predictions", lambda answer: answer.status_code == 200)

    async def pin(gateway: RunningGateway, number: int) -> None:
        def decide(state: ModelState) -> Rollout:
            return state.rollout.model_copy(update={"pinned": [*state.rollout.pinned, number]})

        await gateway.services.rollouts.change("shades", decide)

    await asyncio.gather(*(pin(gateways[number % 2], number) for number in range(1, 17)))
    assert sorted(on_disk(store).pinned) == list(range(1, 17))


async def test_beyond_the_places_requests_are_refused_at_once(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """503 with Retry-After while the only place is taken; probes and metrics go on; then it is free again."""
    gateway = await start_gateway(model_server, limits={"requests_at_once": 1})
    model_server.flowing.clear()
    held = asyncio.create_task(gateway.predict(files={"images": picture()}))
    await eventually(lambda: bool(model_server.calls))
    refused = await gateway.predict(files={"images": picture()})
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["retry-after"] == "1"
    assert (await gateway.client.get("/healthz")).status_code == 200
    assert (await gateway.client.get("/metrics")).status_code == 200
    model_server.flowing.set()
    assert (await held).status_code == 200
    assert (await gateway.predict(files={"images": picture()})).status_code == 200
