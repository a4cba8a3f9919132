"""Canary, labels, promotion, rollback and the audit log, over HTTP with servers that follow the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_fakes import FakeModelServer, eventually, picture, publish
from gateway_harness import RunningGateway, StartGateway

from contract import layout
from contract.rollout import Rollout

pytestmark = pytest.mark.anyio

ROLLOUT = "/v1/models/shades/rollout"
ROLLBACK = "/v1/models/shades/rollback"


@pytest.fixture
def servers(store: Path, start_model_server: Callable[..., FakeModelServer]) -> list[FakeModelServer]:
    """Two replicas that follow models.config; the store has versions 1 and 2, stable is 1."""
    publish(store, 2)
    rollout = Rollout(model="shades", policy="gated", stable=1)
    layout.write_atomically(layout.ModelPaths(store, "shades").rollout, rollout.to_json())
    config = layout.models_config(store)
    return [start_model_server(config=config) for _ in range(2)]


@pytest.fixture
async def gateway(start_gateway: StartGateway, servers: list[FakeModelServer]) -> RunningGateway:
    """A gateway before both replicas."""
    gateway = await start_gateway(*servers)
    await eventually(lambda: sum(gateway.services.replicas.states().values()) == 2)
    await gateway.becomes("/v1/predictions", lambda answer: answer.status_code == 200)
    return gateway


async def change(gateway: RunningGateway, **body: Any) -> httpx.Response:
    """PUT the rollout."""
    return await gateway.client.put(ROLLOUT, json=body)


async def answering(gateway: RunningGateway, version: int) -> None:
    """Wait until a version beside stable is AVAILABLE everywhere."""
    await gateway.becomes(ROLLOUT, lambda answer: version in answer.json()["answering"])


async def versions(gateway: RunningGateway, count: int, **options: Any) -> set[int]:
    """The versions that answer `count` requests."""
    answers = [await gateway.predict(files={"images": picture()}, **options) for _ in range(count)]
    assert all(answer.status_code == 200 for answer in answers)
    return {answer.json()["version"] for answer in answers}


async def test_a_canary_gets_its_share_once_it_is_available(gateway: RunningGateway) -> None:
    """Nothing before a share is given; everything at 1; the history says who answered as what."""
    told = (await change(gateway, canary=2)).json()
    assert (told["rollout"]["canary"], told["rollout"]["canary_share"]) == (2, 0.0)
    await answering(gateway, 2)
    assert await versions(gateway, 10) == {1}
    assert (await change(gateway, canary_share=1.0)).status_code == 200
    assert await versions(gateway, 10) == {2}
    await change(gateway, canary_share=0.5)
    assert await versions(gateway, 60) == {1, 2}  # fails by chance once in 10^18

    def knows_both(answer: httpx.Response) -> bool:
        return len(answer.json()["predictions"]) >= 80

    page = await gateway.becomes("/v1/predictions?limit=100", knows_both)
    roles = {(row["version"], row["role"]) for row in page.json()["predictions"]}
    assert roles == {(1, "stable"), (2, "canary")}


async def test_a_key_always_gets_the_same_side(gateway: RunningGateway) -> None:
    """And both sides exist among many keys; whoever is on the canary stays there when the share grows."""
    await change(gateway, canary=2, canary_share=0.5)
    await answering(gateway, 2)
    sides = {}
    for number in range(40):
        found = await versions(gateway, 3, headers={"X-Canary-Key": f"user-{number}"})
        assert len(found) == 1
        sides[number] = found.pop()
    assert set(sides.values()) == {1, 2}
    await change(gateway, canary_share=0.75)
    for number in (number for number, side in sides.items() if side == 2):
        assert await versions(gateway, 1, headers={"X-Canary-Key": f"user-{number}"}) == {2}


async def test_versions_and_labels_can_be_named(gateway: RunningGateway) -> None:
    """Those that are loaded; others are refused with what there is."""
    await change(gateway, canary=2)
    await answering(gateway, 2)
    assert await versions(gateway, 1, params={"version": 2}) == {2}
    assert await versions(gateway, 1, params={"label": "canary"}) == {2}
    assert await versions(gateway, 1, params={"label": "stable"}) == {1}
    assert await versions(gateway, 1, params={"version": 1}) == {1}
    for params, status in (
        ({"version": 7}, 404),
        ({"label": "shadow"}, 404),
        ({"label": "newest"}, 422),
        ({"label": "stable", "version": "1"}, 422),
        ({"version": "two"}, 422),
        ({"version": "-1"}, 422),
    ):
        answer = await gateway.predict(files={"images": picture()}, params=params)
        assert answer.status_code == status, (params, answer.text)


async def test_a_version_that_is_not_loaded_is_503(gateway: RunningGateway) -> None:
    """It is known, but nobody holds it; pinning it loads it."""
    answer = await gateway.predict(files={"images": picture()}, params={"version": 2})
    assert (answer.status_code, answer.json()["code"]) == (503, "no_version")
    await change(gateway, pinned=[2])
    await answering(gateway, 2)
    assert await versions(gateway, 1, params={"version": 2}) == {2}


async def test_promotion_waits_until_every_replica_has_it_and_rolls_back_at_once(
    gateway: RunningGateway, servers: list[FakeModelServer], store: Path
) -> None:
    """Stable moves; its predecessor stays; going back is one move; all of it is on record."""
    told = (await change(gateway, stable=2, reason="better on dogs")).json()
    assert (told["rollout"]["stable"], told["loading"]) == (1, 2)
    await gateway.becomes(ROLLOUT, lambda answer: answer.json()["rollout"]["stable"] == 2)
    assert all(2 in server.available["shades"] for server in servers)
    assert await versions(gateway, 5) == {2}
    back = (await gateway.client.post(ROLLBACK, json={"reason": "worse on cats"})).json()
    assert (back["rollout"]["stable"], back["rollout"]["previous_stable"]) == (1, 2)
    assert await versions(gateway, 5) == {1}
    on_disk = Rollout.model_validate_json(layout.ModelPaths(store, "shades").rollout.read_bytes())
    assert on_disk.stable == 1
    entries = (await gateway.client.get("/v1/audit?target=shades")).json()["entries"]
    assert [(entry["action"], entry["reason"], entry["caller"]) for entry in entries] == [
        ("rollout.rollback", "worse on cats", "anyone"),
        ("rollout.change", "better on dogs", "anyone"),
    ]


async def test_promoting_the_canary_is_one_move(gateway: RunningGateway) -> None:
    """It is loaded already, and is no canary any more."""
    await change(gateway, canary=2, canary_share=0.1)
    await answering(gateway, 2)
    after = (await change(gateway, stable=2)).json()["rollout"]
    assert (after["stable"], after["canary"], after["canary_share"], after["promoting"]) == (
        2,
        None,
        0.0,
        None,
    )
    assert await versions(gateway, 5) == {2}


async def test_rolling_back_stops_following_the_newest(
    gateway: RunningGateway, servers: list[FakeModelServer], store: Path
) -> None:
    """Else the next tick would undo it."""
    await change(gateway, policy="follow-latest")
    await gateway.becomes(ROLLOUT, lambda answer: answer.json()["rollout"]["stable"] == 2)
    await gateway.client.post(ROLLBACK)
    publish(store, 3)
    await eventually(lambda: 3 in gateway.services.rollouts.model("shades").versions)
    shown = (await gateway.client.get(ROLLOUT)).json()
    assert (shown["rollout"]["stable"], shown["rollout"]["policy"], shown["loading"]) == (1, "gated", None)


async def test_a_promotion_that_does_not_load_leaves_stable_and_says_why(
    gateway: RunningGateway, servers: list[FakeModelServer]
) -> None:
    """And can be asked for again."""
    for server in servers:
        server.broken[("shades", 2)] = "no such op"
    await change(gateway, stable=2)
    shown = await gateway.becomes(ROLLOUT, lambda answer: answer.json()["failed"])
    assert "no such op" in shown.json()["failed"]["2"]
    assert (shown.json()["rollout"]["stable"], shown.json()["rollout"]["promoting"]) == (1, None)
    for server in servers:
        server.broken.clear()
    await change(gateway, stable=2)
    await gateway.becomes(ROLLOUT, lambda answer: answer.json()["rollout"]["stable"] == 2)


async def test_a_canary_that_fails_costs_nobody_an_answer(
    gateway: RunningGateway, servers: list[FakeModelServer]
) -> None:
    """Stable answers instead, and it is counted."""
    await change(gateway, canary=2, canary_share=1.0)
    await answering(gateway, 2)
    for server in servers:
        server.broken[("shades", 2)] = "gone"
        server.available["shades"].discard(2)
    assert await versions(gateway, 5) <= {1, 2}
    await gateway.becomes(ROLLOUT, lambda answer: answer.json()["answering"] == [])
    assert await versions(gateway, 5) == {1}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"stable": 9}, 404),
        ({"canary": 9}, 404),
        ({"pinned": [1, 9]}, 404),
        ({"canary": 1}, 409),
        ({"shadow": 1}, 409),
        ({"canary_share": 0.5}, 409),
        ({"canary_share": 1.5}, 422),
        ({"canary": -1}, 422),
        ({"stable": "two"}, 422),
        ({"policy": "always"}, 422),
        ({"unknown": 1}, 422),
        ({"pinned": list(range(1, 19))}, 422),
        ([], 422),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused_and_changes_nothing(
    gateway: RunningGateway, body: Any, status: int
) -> None:
    """By its problem."""
    before = (await gateway.client.get(ROLLOUT)).json()
    answer = await gateway.client.put(ROLLOUT, json=body)
    assert answer.status_code == status, answer.text
    assert (await gateway.client.get(ROLLOUT)).json() == before


async def test_rollback_without_a_predecessor_is_a_conflict(gateway: RunningGateway) -> None:
    """And says what to do instead."""
    answer = await gateway.client.post(ROLLBACK)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert (await gateway.client.post("/v1/models/nobody/rollback")).status_code == 404
