"""The prediction route over a real socket and a real gRPC server: what a caller gets."""

from __future__ import annotations

import asyncio

import pytest
from gateway_fakes import LABELS, TOP_SCORE, FakeModelServer, eventually, picture
from gateway_harness import RunningGateway, StartGateway

from gateway.api.schemas import PredictionsSchema

pytestmark = pytest.mark.anyio


async def test_one_part_is_classified_and_the_answer_fits_its_schema(gateway: RunningGateway) -> None:
    """One `images` part gives one prediction, best class first, in the documented shape."""
    response = await gateway.predict(files={"images": ("photo.png", picture(200), "image/png")})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    answer = PredictionsSchema.model_validate(response.json())
    assert (answer.model, answer.version) == ("shades", 1)
    [prediction] = answer.predictions
    assert prediction.filename == "photo.png"
    assert (prediction.classifications[0].label, prediction.classifications[0].score) == ("bright", TOP_SCORE)
    assert {classification.label for classification in prediction.classifications} == set(LABELS)
    assert answer.timing_ms.total >= answer.timing_ms.predict > 0


async def test_a_raw_body_is_one_picture(gateway: RunningGateway) -> None:
    """image/* and application/octet-stream bodies are the picture itself."""
    for content_type in ("image/png", "image/jpeg", "application/octet-stream"):
        response = await gateway.predict(content=picture(10), headers={"Content-Type": content_type})
        assert response.status_code == 200
        assert response.json()["predictions"][0]["classifications"][0]["label"] == "dark"
        assert response.json()["predictions"][0]["filename"] is None


async def test_many_parts_are_answered_in_their_order(gateway: RunningGateway) -> None:
    """Fifty pictures come back as fifty predictions in the order they were sent."""
    values = [(number * 37) % 256 for number in range(50)]
    files = [("images", (f"{value}.png", picture(value), "image/png")) for value in values]
    response = await gateway.predict(files=files, params={"top_k": 1})
    answered = [
        (prediction["filename"], prediction["classifications"][0]["label"])
        for prediction in response.json()["predictions"]
    ]
    assert answered == [(f"{value}.png", LABELS[value // 64]) for value in values]


async def test_a_request_larger_than_a_batch_is_spread_over_several(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """Ten images with batches of four make three calls, and still one answer in order."""
    gateway = await start_gateway(model_server, predictor={"max_batch_images": 4})
    values = list(range(0, 250, 25))
    files = [("images", (str(value), picture(value), "image/png")) for value in values]
    response = await gateway.predict(files=files)
    assert [count for _, _, count in model_server.calls] == [4, 4, 2]
    labels = [prediction["classifications"][0]["label"] for prediction in response.json()["predictions"]]
    assert labels == [LABELS[value // 64] for value in values]


async def test_large_pictures_take_the_thread_pool_and_give_the_same_answer(gateway: RunningGateway) -> None:
    """A picture above the inline limit is decoded in the pool, and classified alike."""
    response = await gateway.predict(
        content=picture(100, 600, 400, "JPEG"), headers={"Content-Type": "image/jpeg"}
    )
    assert response.json()["predictions"][0]["classifications"][0]["label"] == "dim"


async def test_a_bad_item_carries_its_own_problem_and_the_others_are_answered(
    gateway: RunningGateway,
) -> None:
    """One undecodable picture among three fails alone; the answer still fits its schema."""
    good = ("good.png", picture(200), "image/png")
    bad = ("bad.png", b"no picture", "image/png")
    response = await gateway.predict(files=[("images", good), ("images", bad), ("images", good)])
    assert response.status_code == 200
    first, second, third = PredictionsSchema.model_validate(response.json()).predictions
    assert first.error is None
    assert third.error is None
    assert third.classifications[0].label == "bright"
    assert second.error is not None
    assert (second.error.status, second.error.code, second.classifications) == (400, "not_a_picture", [])
    assert "error" not in response.json()["predictions"][0]


async def test_all_items_bad_fails_the_call(gateway: RunningGateway) -> None:
    """When not one picture can be decoded the call itself is the problem."""
    bad = ("images", ("bad.png", b"no picture", "image/png"))
    response = await gateway.predict(files=[bad, bad])
    assert (response.status_code, response.json()["code"]) == (400, "not_a_picture")


@pytest.mark.parametrize(("asked", "given"), [(1, 1), (3, 3), (1000, len(LABELS))])
async def test_top_k_is_clipped_to_the_number_of_classes(
    gateway: RunningGateway, asked: int, given: int
) -> None:
    """top_k says how many classifications come back, at most all."""
    response = await gateway.predict(files={"images": picture()}, params={"top_k": asked})
    assert len(response.json()["predictions"][0]["classifications"]) == given


@pytest.mark.parametrize(
    "query", ["top_k=0", "top_k=1001", "top_k=-1", "top_k=x", "top_k=", "topk=3", "top_k=²"]
)
async def test_parameters_out_of_range_or_misspelt_are_refused(gateway: RunningGateway, query: str) -> None:
    """A wrong or unknown query parameter is 422, never silently ignored."""
    response = await gateway.client.post(
        f"/v1/models/shades/predictions?{query}", files={"images": picture()}
    )
    assert (response.status_code, response.json()["code"]) == (422, "invalid_parameter")


async def test_what_arrives_during_a_call_forms_the_next_batch(
    gateway: RunningGateway, model_server: FakeModelServer
) -> None:
    """While one call is held, fifteen requests queue up; they go out as one batch."""
    model_server.flowing.clear()
    first = asyncio.create_task(gateway.predict(files={"images": picture()}))
    await eventually(lambda: bool(model_server.calls))
    others = [asyncio.create_task(gateway.predict(files={"images": picture()})) for _ in range(15)]
    await gateway.becomes("/metrics", lambda response: "gateway_images_queued 15.0" in response.text)
    model_server.flowing.set()
    responses = await asyncio.gather(first, *others)
    assert {response.status_code for response in responses} == {200}
    assert [count for _, _, count in model_server.calls] == [1, 15]


async def test_request_ids_are_echoed_if_harmless_and_made_otherwise(gateway: RunningGateway) -> None:
    """X-Request-ID comes back, also in a problem; one that could forge a log line is replaced."""
    given = await gateway.client.get("/healthz", headers={"X-Request-ID": "abc-123"})
    assert given.headers["x-request-id"] == "abc-123"
    replaced = await gateway.client.get("/healthz", headers={"X-Request-ID": "a b\tc"})
    assert replaced.headers["x-request-id"] != "a b\tc"
    problem = await gateway.predict("nobody", headers={"X-Request-ID": "abc-124"}, files={"images": b"x"})
    assert problem.json()["request_id"] == problem.headers["x-request-id"] == "abc-124"
