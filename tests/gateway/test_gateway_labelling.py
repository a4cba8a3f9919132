"""The labelling queue: what is offered first, what is not, putting aside, and what it has brought."""

from __future__ import annotations

from typing import Any

import pytest
from gateway_fakes import FakeModelServer, picture
from gateway_harness import RunningGateway, StartGateway

from gateway.adapters.database.history import microseconds_now
from gateway.labelling.diversity import RELEVANCE, diverse, ranked, similarity
from gateway.ports.history import PictureFile, PredictionRow

pytestmark = pytest.mark.anyio

QUEUE = "/v1/labelling-queue?model=shades"


def row(number: int, scores: dict[str, float], **changes: Any) -> PredictionRow:
    """A remembered prediction with a picture of its own."""
    best = sorted(scores.items(), key=lambda pair: -pair[1])
    values = {
        "id": f"{number:032x}",
        "at": microseconds_now(),
        "model": "shades",
        "version": 1,
        "role": "stable",
        "label": best[0][0],
        "score": best[0][1],
        "margin": best[0][1] - best[1][1],
        "entropy": 1 - best[0][1],
        "classifications": best,
        "filename": None,
        "caller": "anyone",
        "request_id": "test",
        "milliseconds": 1.0,
        "picture": f"{number:064x}",
    }
    return PredictionRow(**(values | changes))


SURE = {"dark": 0.98, "dim": 0.01, "bright": 0.01}
TORN = {"dark": 0.5, "dim": 0.49, "bright": 0.01}
OTHERWISE_TORN = {"bright": 0.51, "dim": 0.48, "dark": 0.01}


@pytest.fixture
async def gateway(
    start_gateway: StartGateway, model_server: FakeModelServer, database: dict[str, Any]
) -> RunningGateway:
    """A gateway on the database whose schema is there."""
    gateway = await start_gateway(model_server, database=database)
    await gateway.becomes("/v1/predictions", lambda answer: answer.status_code == 200)
    return gateway


async def keep(gateway: RunningGateway, *rows: PredictionRow) -> None:
    """Write them into the history, each with its picture."""
    history = gateway.services.recorder._history
    files = [PictureFile(one.picture, "png", b"") for one in rows if one.picture]
    await history.append(rows, files)


async def offered(gateway: RunningGateway, query: str = "") -> list[int]:
    """The numbers of the predictions in the queue's order."""
    answer = await gateway.client.get(QUEUE + query)
    assert answer.status_code == 200
    return [int(one["id"], 16) for one in answer.json()["predictions"]]


async def test_uncertain_ones_come_first_and_not_all_of_a_kind(gateway: RunningGateway) -> None:
    """After the most uncertain comes one that is torn between other classes, before its likes."""
    likes = [row(number, TORN) for number in range(1, 6)]
    await keep(gateway, *likes, row(6, OTHERWISE_TORN), row(7, SURE))
    order = await offered(gateway)
    assert len(order) == 7
    assert order[0] in range(1, 6)
    assert order[1] == 6
    assert order.index(7) > 1
    assert (await offered(gateway, "&by=margin"))[1] == 6
    assert len(await offered(gateway, "&limit=2")) == 2


async def test_what_is_not_offered(gateway: RunningGateway) -> None:
    """Without a picture, of another model, with feedback, put aside, too old, or the same picture twice."""
    old = microseconds_now() - 40 * 86_400_000_000
    await keep(
        gateway,
        row(1, TORN, picture=None),
        row(2, TORN, model="others"),
        row(3, TORN, feedback="dim", feedback_at=microseconds_now(), feedback_by="x"),
        row(4, TORN),
        row(5, TORN, at=old),
        row(6, TORN),
        row(7, TORN, picture=f"{6:064x}"),
    )
    assert (await gateway.client.post(f"/v1/labelling-queue/{4:032x}/skip")).status_code == 204
    assert await offered(gateway) in ([6], [7])
    assert (await gateway.client.delete(f"/v1/labelling-queue/{4:032x}/skip")).status_code == 204
    assert 4 in await offered(gateway)


async def test_labelling_takes_it_out_and_counts(gateway: RunningGateway) -> None:
    """The queue says how many wait, and how many corrections the next training run can learn from."""
    await keep(gateway, row(1, TORN), row(2, OTHERWISE_TORN))
    answer = (await gateway.client.get(QUEUE)).json()
    assert (answer["waiting"], answer["corrections"]) == (2, 0)
    assert all(0 <= one["uncertainty"] <= 1 for one in answer["predictions"])
    given = await gateway.client.put(f"/v1/predictions/{1:032x}/feedback", json={"label": "dim"})
    assert given.status_code == 200
    answer = (await gateway.client.get(QUEUE)).json()
    assert (answer["waiting"], answer["corrections"]) == (1, 1)
    assert [int(one["id"], 16) for one in answer["predictions"]] == [2]


async def test_bad_questions(gateway: RunningGateway) -> None:
    """An unknown model, no model, an unknown measure, a prediction that is not there."""
    for path, status, code in (
        ("/v1/labelling-queue?model=nobody", 404, "unknown_model"),
        ("/v1/labelling-queue", 422, "invalid_parameter"),
        (QUEUE + "&by=chance", 422, "invalid_parameter"),
        (QUEUE + "&limit=51", 422, "invalid_parameter"),
    ):
        refused = await gateway.client.get(path)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    missing = await gateway.client.post(f"/v1/labelling-queue/{9:032x}/skip")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_name")


async def test_a_real_prediction_is_offered(gateway: RunningGateway) -> None:
    """As soon as it is written."""
    answer = await gateway.predict(files={"images": picture(200)})
    [told] = answer.json()["predictions"]
    await gateway.becomes(QUEUE, lambda shown: told["id"] in [p["id"] for p in shown.json()["predictions"]])


def test_similarity_and_the_choice() -> None:
    """1 for the same answer, 0 for disjoint ones; the choice is that of the formula."""
    assert similarity(SURE, SURE) == 1
    assert similarity({"a": 1.0}, {"b": 1.0}) == 0
    rows = [row(1, TORN), row(2, {**TORN, "dark": 0.51, "dim": 0.48}), row(3, SURE)]
    first, second, third = diverse(ranked(rows, "margin"), 3)
    assert [one.row.id for one in (first, second, third)] == [rows[0].id, rows[1].id, rows[2].id]
    candidates = ranked(rows, "margin")
    worth = [
        RELEVANCE * one.uncertainty
        - (1 - RELEVANCE) * similarity(dict(rows[0].classifications), dict(one.row.classifications))
        for one in candidates[1:]
    ]
    assert worth[0] > worth[1]
    same = [rows[0], rows[1]._replace(picture=rows[0].picture)]
    assert len(diverse(ranked(same, "entropy"), 5)) == 1
    assert diverse([], 5) == []
