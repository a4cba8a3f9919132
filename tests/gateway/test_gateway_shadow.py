"""Shadow: copies of what stable answered, compared and never returned."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gateway_fakes import FakeModelServer, eventually, picture, publish
from gateway_harness import RunningGateway, StartGateway

from contract import layout
from contract.rollout import Rollout
from gateway.serving.shadowing import WAITING_IMAGES
from gateway.statistics.intervals import sign_test

pytestmark = pytest.mark.anyio

ROLLOUT = "/v1/models/shades/rollout"
SHADOW = "/v1/models/shades/shadow"


@pytest.fixture
def server(store: Path, start_model_server: Callable[..., FakeModelServer]) -> FakeModelServer:
    """A model server that follows the store, which has versions 1 and 2; stable is 1."""
    publish(store, 2)
    rollout = Rollout(model="shades", policy="gated", stable=1)
    layout.write_atomically(layout.ModelPaths(store, "shades").rollout, rollout.to_json())
    return start_model_server(config=layout.models_config(store))


@pytest.fixture
async def gateway(
    start_gateway: StartGateway, server: FakeModelServer, database: dict[str, Any]
) -> RunningGateway:
    """A gateway whose shadow is version 2."""
    gateway = await start_gateway(server, database=database)
    await gateway.becomes("/v1/predictions", lambda answer: answer.status_code == 200)
    assert (await gateway.client.get(SHADOW)).json()["code"] == "unknown_version"
    assert (await gateway.client.put(ROLLOUT, json={"shadow": 2})).status_code == 200
    await gateway.becomes(ROLLOUT, lambda answer: 2 in answer.json()["answering"])
    return gateway


async def compared(gateway: RunningGateway, count: int) -> dict[str, Any]:
    """The comparison once so many pictures are in it."""

    async def flushed() -> dict[str, Any]:
        shadowing = gateway.services.prediction._shadowing
        await shadowing.flush()
        found: dict[str, Any] = (await gateway.client.get(SHADOW)).json()
        return found

    for _ in range(400):
        found = await flushed()
        if found["comparisons"] + found["failures"] >= count:
            return found
        await gateway.client.get("/healthz")
    raise AssertionError(found)


async def test_stable_answers_and_the_shadow_is_compared(
    gateway: RunningGateway, server: FakeModelServer
) -> None:
    """Callers see version 1 alone; every picture went to version 2 as well."""
    for value in (9, 70, 200):
        answer = await gateway.predict(files={"images": picture(value)})
        assert answer.json()["version"] == 1
    found = await compared(gateway, 3)
    assert (found["stable"], found["shadow"], found["comparisons"], found["failures"]) == (1, 2, 3, 0)
    assert found["agreement"]["share"] == 1.0
    assert found["mean_difference"] == 0
    assert found["stable_ms"] > 0
    assert found["pairs"] == found["disagreements"] == []
    assert {version for _, version, _ in server.calls} == {1, 2}


async def test_disagreements_are_kept_with_what_people_said(
    gateway: RunningGateway, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pairs, the predictions by id, and who was right on those that people corrected."""
    turned(gateway, monkeypatch)
    ids = []
    for value in (9, 200, 200):
        answer = await gateway.predict(files={"images": picture(value)})
        ids.append(answer.json()["predictions"][0]["id"])
    found = await compared(gateway, 3)
    assert found["agreement"]["share"] == 0
    assert {(pair["label"], pair["shadow_label"]): pair["count"] for pair in found["pairs"]} == {
        ("bright", "dark"): 2,
        ("dark", "bright"): 1,
    }
    assert {one["prediction_id"] for one in found["disagreements"]} == set(ids)
    for prediction, label in zip(ids, ("dark", "dark", "dim"), strict=True):
        await gateway.becomes(f"/v1/predictions/{prediction}", lambda shown: shown.status_code == 200)
        path = f"/v1/predictions/{prediction}/feedback"
        assert (await gateway.client.put(path, json={"label": label})).status_code == 200
    feedback = (await gateway.client.get(SHADOW)).json()["feedback"]
    assert feedback == {"stable_right": 1, "shadow_right": 1, "neither": 1, "p_value": 1.0}


def turned(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the shadow's labels stand in the opposite order, so that it says dark for bright."""
    shadow = gateway.services.rollouts.shadow_of("shades")
    assert shadow is not None
    card = shadow.card.model_copy(update={"labels": list(reversed(shadow.card.labels))})
    monkeypatch.setitem(shadow.__dict__, "card", card)


async def test_a_share_of_none(gateway: RunningGateway, server: FakeModelServer) -> None:
    """Nothing is compared, and named versions and canaries never are."""
    assert (await gateway.client.put(ROLLOUT, json={"shadow_share": 0.0})).status_code == 200
    for params in ({}, {"version": 2}):
        answer = await gateway.predict(files={"images": picture()}, params=params)
        assert answer.status_code == 200
    await gateway.services.prediction._shadowing.flush()
    assert (await gateway.client.get(SHADOW)).json()["comparisons"] == 0


async def test_beyond_the_bound_it_is_dropped_and_counted(
    gateway: RunningGateway, server: FakeModelServer
) -> None:
    """A shadow that does not keep up costs callers nothing."""
    metric = gateway.services.metrics.shadow_images.labels("shades", "dropped")
    shadowing = gateway.services.prediction._shadowing
    shadowing._waiting = WAITING_IMAGES
    answer = await gateway.predict(files={"images": picture()})
    assert answer.status_code == 200
    assert metric._value.get() == 1
    shadowing._waiting = 0


async def test_a_shadow_that_fails_is_counted(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And stable's answers are as good as ever."""
    shadow = gateway.services.rollouts.shadow_of("shades")
    assert shadow is not None
    monkeypatch.setitem(shadow.__dict__, "card", shadow.card.model_copy(update={"output_name": "nothing"}))
    answer = await gateway.predict(files={"images": picture()})
    assert answer.status_code == 200
    found = await compared(gateway, 1)
    assert (found["comparisons"], found["failures"]) == (0, 1)
    await eventually(lambda: gateway.services.prediction._shadowing._waiting == 0)


@pytest.mark.parametrize(("one", "other", "p"), [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 2 / 32), (1, 9, 22 / 1024)])
def test_the_sign_test(one: int, other: int, p: float) -> None:
    """By hand, and the same both ways."""
    assert math.isclose(sign_test(one, other), p)
    assert sign_test(one, other) == sign_test(other, one)
