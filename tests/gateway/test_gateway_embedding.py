"""Predictions with embeddings: batched apart, from versions that give some, and refused by the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from gateway_fakes import EMBEDDING, FakeModelServer, eventually, make_card, picture, publish
from gateway_harness import RunningGateway, StartGateway

from contract import layout
from contract.card import Embedding
from contract.rollout import Rollout
from gateway.api.schemas import PredictionsSchema

pytestmark = pytest.mark.anyio

WANTED = {"embedding": "true"}


def files(*values: int) -> list[tuple[str, tuple[str, bytes]]]:
    """A form of grey pictures; a negative value is no picture."""
    contents = [picture(value) if value >= 0 else b"no picture" for value in values]
    return [("images", (f"{place}.png", content)) for place, content in enumerate(contents)]


def embeddings(response: httpx.Response) -> list[list[float] | None]:
    """Of every picture; None where there is none."""
    assert response.status_code == 200, response.text
    PredictionsSchema.model_validate(response.json())
    return [one.get("embedding") for one in response.json()["predictions"]]


def roll_out(store: Path, **roles: Any) -> None:
    """Write the rollout of `shades`."""
    rollout = Rollout(model="shades", policy="gated", **roles)
    layout.write_atomically(layout.ModelPaths(store, "shades").rollout, rollout.to_json())


@pytest.fixture
def server(store: Path, start_model_server: Callable[..., FakeModelServer]) -> FakeModelServer:
    """Versions 1 and 3 give no embedding, 2 does."""
    publish(store, 2, card=make_card(embedding=EMBEDDING))
    publish(store, 3)
    roll_out(store, stable=2, previous_stable=1)
    return start_model_server(config=layout.models_config(store))


@pytest.fixture
async def gateway(start_gateway: StartGateway, server: FakeModelServer) -> RunningGateway:
    """Stable is 2; 1 is loaded, too."""
    gateway = await start_gateway(server)
    await eventually(lambda: 1 in gateway.services.rollouts.model("shades").answering)
    return gateway


async def test_each_picture_has_its_embedding(gateway: RunningGateway, server: FakeModelServer) -> None:
    """In a form, and as the whole body; a picture that fails has none; nobody else's answer has one."""
    answer = await gateway.predict(files=files(10, -1, 200), params=WANTED)
    assert embeddings(answer) == [[10.0, 1.0], None, [200.0, 1.0]]
    labels = [
        one["classifications"][0]["label"] for one in answer.json()["predictions"] if "error" not in one
    ]
    assert labels == ["dark", "bright"]
    headers = {"Content-Type": "image/png"}
    raw = await gateway.predict(content=picture(70), headers=headers, params={"embedding": "1"})
    assert embeddings(raw) == [[70.0, 1.0]]
    for params in ({}, {"embedding": "false"}):
        answer = await gateway.predict(files=files(10), params=params)
        assert "embedding" not in answer.json()["predictions"][0]
    assert [name for name, _ in server.signatures] == [
        *["serving_embedding"] * 2,
        *["serving_default"] * 2,
    ]


async def test_mixed_requests_at_once_get_what_each_asked_for(
    start_gateway: StartGateway, server: FakeModelServer, start_model_server: Callable[..., FakeModelServer]
) -> None:
    """On two replicas, in batches that are cut: every answer has its own picture's values."""
    second = start_model_server(config=server.config)
    gateway = await start_gateway(server, second, predictor={"max_batch_images": 4})
    values = list(range(0, 240, 2))

    async def ask(value: int) -> None:
        wants = value % 4 == 0
        response = await gateway.predict(
            files=files(value, value + 1, value + 2), params=WANTED if wants else {}
        )
        expected = [[float(each), 1.0] for each in (value, value + 1, value + 2)]
        assert embeddings(response) == (expected if wants else [None] * 3)

    await asyncio.gather(*(ask(value) for value in values))
    told = server.signatures + second.signatures
    assert sum(count for name, count in told if name == "serving_embedding") == 3 * len(values) / 2
    assert sum(count for name, count in told if name == "serving_default") == 3 * len(values) / 2


async def test_a_lost_replica_costs_no_embedding(
    start_gateway: StartGateway, server: FakeModelServer, start_model_server: Callable[..., FakeModelServer]
) -> None:
    """The batch is repeated on the other one."""
    second = start_model_server(config=server.config)
    gateway = await start_gateway(server, second)
    server.refuse_with = grpc.StatusCode.UNAVAILABLE
    answers = await asyncio.gather(*(gateway.predict(files=files(v), params=WANTED) for v in range(20)))
    assert [embeddings(answer) for answer in answers] == [[[float(v), 1.0]] for v in range(20)]


async def test_a_version_without_embeddings_says_so(gateway: RunningGateway, server: FakeModelServer) -> None:
    """409 before anything is computed or remembered; the same request without them is answered."""
    for params in ({"version": 1}, {"label": "previous_stable"}):
        refused = await gateway.predict(files=files(10), params={**params, **WANTED})
        assert (refused.status_code, refused.json()["code"]) == (409, "no_embedding")
        assert "version 1 of the model 'shades' gives no embedding" in refused.json()["detail"]
        assert not server.calls
        assert (await gateway.predict(files=files(10), params=params)).status_code == 200
        server.calls.clear()
    answer = await gateway.predict(files=files(10), params={"version": 2, **WANTED})
    assert embeddings(answer) == [[10.0, 1.0]]
    wrong = await gateway.predict(files=files(10), params={"embedding": "perhaps"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_parameter")


async def test_a_canary_without_embeddings_has_no_part(gateway: RunningGateway, store: Path) -> None:
    """All of its share goes to stable; other requests go on to the canary, and shadows compare as ever."""
    roll_out(store, stable=2, canary=3, canary_share=1.0, shadow=1)
    await eventually(lambda: 3 in gateway.services.rollouts.model("shades").answering)
    plain = await gateway.predict(files=files(10))
    assert plain.json()["version"] == 3
    answer = await gateway.predict(files=files(10), params=WANTED)
    assert (answer.json()["version"], embeddings(answer)) == (2, [[10.0, 1.0]])
    path = "/v1/models/shades/shadow"
    told = await gateway.becomes(path, lambda response: bool(response.json().get("comparisons")))
    assert told.json()["comparisons"] == 1
    roll_out(store, stable=1, canary=2, canary_share=1.0)
    await eventually(lambda: 2 in gateway.services.rollouts.model("shades").answering)
    answer = await gateway.predict(files=files(10), params=WANTED)
    assert (answer.json()["version"], embeddings(answer)) == (2, [[10.0, 1.0]])


async def test_the_same_key_gets_the_same_embedding(gateway: RunningGateway) -> None:
    """And asking without it under that key is another request."""
    headers = {"Idempotency-Key": "one"}
    first = await gateway.predict(files=files(10), params=WANTED, headers=headers)
    again = await gateway.predict(files=files(10), params=WANTED, headers=headers)
    assert embeddings(first) == [[10.0, 1.0]]
    assert again.content == first.content
    other = await gateway.predict(files=files(10), headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")


async def test_an_answer_that_is_not_as_the_card_says_is_refused(
    store: Path, start_gateway: StartGateway, start_model_server: Callable[..., FakeModelServer]
) -> None:
    """A vector of another length, or a model server that has loaded a version without the signature."""
    three = Embedding(signature="serving_embedding", dimensions=3)
    publish(store, 2, card=make_card(embedding=three))
    publish(store, 3, card=make_card(embedding=Embedding(signature="another", dimensions=2)))
    roll_out(store, stable=2, pinned=[3])
    gateway = await start_gateway(start_model_server(config=layout.models_config(store)))
    await eventually(lambda: 3 in gateway.services.rollouts.model("shades").answering)
    refused = await gateway.predict(files=files(10), params=WANTED)
    assert (refused.status_code, refused.json()["code"]) == (502, "replica_rejected")
    assert "embedding of shape [1, 2] instead of [1, 3]" in refused.json()["detail"]
    refused = await gateway.predict(files=files(10), params={"version": 3, **WANTED})
    assert (refused.status_code, refused.json()["code"]) == (502, "replica_rejected")
    assert "no output 'embedding'" in refused.json()["detail"]
    assert (await gateway.predict(files=files(10))).status_code == 200


EMBEDDINGS = "/v1/models/shades/embeddings"


async def test_the_latest_pictures_as_a_version_sees_them(
    gateway: RunningGateway, server: FakeModelServer
) -> None:
    """Newest first, whoever answered them; a picture that came twice is computed once, nothing is written."""
    await gateway.predict(files=files(10, 200, 10), params={"version": 1})
    await gateway.predict(files=files(70))
    page = await gateway.becomes("/v1/predictions", lambda got: len(got.json()["predictions"]) == 4)
    remembered = page.json()["predictions"]
    server.signatures.clear()
    answer = await gateway.client.get(EMBEDDINGS)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["model"], told["version"]) == ("shades", 2)
    assert [one["id"] for one in told["predictions"]] == [one["id"] for one in remembered]
    assert sorted(one["embedding"][0] for one in told["predictions"]) == [10, 10, 70, 200]
    assert server.signatures == [("serving_embedding", 3)]
    await gateway.client.delete(f"/v1/pictures/{remembered[0]['picture']}")
    fewer = (await gateway.client.get(EMBEDDINGS, params={"limit": 2})).json()["predictions"]
    assert len(fewer) == 1
    after = (await gateway.client.get("/v1/predictions")).json()["predictions"]
    assert [one["id"] for one in after] == [one["id"] for one in remembered]


async def test_without_embeddings_there_are_none_of_the_latest(gateway: RunningGateway) -> None:
    """409 from such a version, 404 from one that is not there, 503 while another caller asks."""
    for version, status, code in ((1, 409, "no_embedding"), (9, 404, "unknown_version")):
        refused = await gateway.client.get(EMBEDDINGS, params={"version": version})
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert (await gateway.client.get(EMBEDDINGS, params={"limit": 9999})).status_code == 422
    async with gateway.services.embeddings._place():
        busy = await gateway.client.get(EMBEDDINGS)
        assert (busy.status_code, busy.json()["code"]) == (503, "overloaded")
    empty = await gateway.client.get(EMBEDDINGS)
    assert (empty.status_code, empty.json()["predictions"]) == (200, [])


async def test_long_embeddings_are_of_fewer_pictures(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer stays within its bound."""
    await gateway.predict(files=files(*range(0, 200, 10)))
    await gateway.becomes("/v1/predictions", lambda got: len(got.json()["predictions"]) == 20)
    monkeypatch.setattr("gateway.evaluation.embeddings.MOST_VALUES", 12)
    assert len((await gateway.client.get(EMBEDDINGS)).json()["predictions"]) == 6
