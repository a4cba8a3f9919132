"""Which answers travel packed: what is read, for whoever takes it so."""

from __future__ import annotations

from typing import Any

import pytest
from gateway_fakes import FakeModelServer, picture
from gateway_harness import RunningGateway, StartGateway

pytestmark = pytest.mark.anyio


@pytest.fixture
async def gateway(
    start_gateway: StartGateway, model_server: FakeModelServer, tmp_path: Any
) -> RunningGateway:
    """A gateway with forty remembered predictions."""
    database = {"url": f"sqlite:///{tmp_path / 'history.sqlite3'}"}
    gateway = await start_gateway(model_server, database=database)
    await gateway.becomes("/v1/predictions", lambda answer: answer.status_code == 200)
    await gateway.predict(files=[("images", picture(value)) for value in range(40)])
    await gateway.becomes("/v1/predictions", lambda answer: len(answer.json()["predictions"]) == 40)
    return gateway


async def test_a_page_of_history_is_packed_for_who_takes_it(gateway: RunningGateway) -> None:
    """The same rows in a fraction of the bytes; whoever does not take gzip gets them plain."""
    packed = await gateway.client.get("/v1/predictions")
    plain = await gateway.client.get("/v1/predictions", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert "Accept-Encoding" in packed.headers["vary"]
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) * 4 < int(plain.headers["content-length"])


async def test_what_is_small_urgent_streamed_or_packed_already_is_not(gateway: RunningGateway) -> None:
    """Predictions, short answers, CSV, pictures."""
    many = [("images", picture(value)) for value in range(40)]
    [first, *_] = (await gateway.client.get("/v1/predictions")).json()["predictions"]
    answers = [
        await gateway.predict(files=many, params={"top_k": 4}),
        await gateway.client.get("/v1/session"),
        await gateway.client.get("/v1/predictions.csv"),
        await gateway.client.get(f"/v1/predictions/{first['id']}/image"),
    ]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert [answer.headers.get("content-encoding") for answer in answers] == [None] * 4
