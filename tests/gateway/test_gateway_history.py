"""The prediction history from outside: what is remembered, how it is found, feedback, CSV, outages."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_fakes import LABELS, TOP_SCORE, FakeModelServer, eventually, picture
from gateway_harness import RunningGateway, StartGateway
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from contract.layout import sha256_of
from gateway.history.preparing import INLINE_BYTES
from gateway.ids import new_id
from load_tests.processes.postgresql import PostgreSQL

pytestmark = pytest.mark.anyio


@pytest.fixture
async def gateway(
    start_gateway: StartGateway, model_server: FakeModelServer, database: dict[str, Any]
) -> RunningGateway:
    """A gateway on the database whose schema is there."""
    gateway = await start_gateway(model_server, database=database)
    await gateway.becomes("/v1/predictions", lambda answer: answer.status_code == 200)
    return gateway


async def predictions(
    gateway: RunningGateway, count: int, path: str = "/v1/predictions", **query: Any
) -> list[dict[str, Any]]:
    """The page, once it has `count` predictions."""

    def has_all(answer: httpx.Response) -> bool:
        return answer.status_code == 200 and len(answer.json()["predictions"]) == count

    address = str(httpx.URL("/v1/predictions", params=query))
    page: list[dict[str, Any]] = (await gateway.becomes(address, has_all)).json()["predictions"]
    return page


def metric(gateway: RunningGateway, name: str) -> float:
    """The sum over all label values."""
    text = gateway.services.metrics.exposition().decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name == name)


async def test_a_prediction_is_remembered_with_all_that_it_said(gateway: RunningGateway) -> None:
    """Ids, version, ranking, uncertainty, request id; and the picture under its hash."""
    files = {"images": ("a.png", picture(200))}
    answer = await gateway.predict(files=files, headers={"X-Request-Id": "mine"})
    told = answer.json()["predictions"][0]
    [row] = await predictions(gateway, 1)
    assert row["id"] == told["id"]
    assert row["classifications"] == told["classifications"]
    assert (row["model"], row["version"], row["role"]) == ("shades", 1, "stable")
    assert (row["filename"], row["request_id"], row["caller"]) == ("a.png", "mine", "anyone")
    assert row["margin"] == pytest.approx(TOP_SCORE - 0.1, abs=1e-5)
    assert row["entropy"] == pytest.approx(0.9404, abs=1e-3)  # −0.7·ln 0.7 − 3·0.1·ln 0.1
    shown = await gateway.client.get(f"/v1/predictions/{row['id']}")
    assert shown.json() == row
    kept = await gateway.client.get(f"/v1/predictions/{row['id']}/image")
    assert (kept.status_code, kept.headers["content-type"], kept.content) == (200, "image/png", picture(200))


async def test_a_picture_that_cannot_be_written_costs_no_prediction(gateway: RunningGateway) -> None:
    """Its row stays, without picture, and it is counted; the other pictures of the batch are kept."""
    lost, kept = picture(200), picture(201)
    root = gateway.services.settings.stores.pictures
    root.mkdir(parents=True, exist_ok=True)
    (root / sha256_of(lost)[:2]).write_text("a file where a folder should be")
    answer = await gateway.predict(files=[("images", content) for content in (lost, kept, lost)])
    ids = [told["id"] for told in answer.json()["predictions"]]
    await predictions(gateway, 3)
    found = [await gateway.client.get(f"/v1/predictions/{each}/image") for each in ids]
    assert [image.status_code for image in found] == [404, 200, 404]
    assert metric(gateway, "gateway_history_pictures_dropped_total") == 2


async def test_large_pictures_and_metadata_are_prepared_alike(gateway: RunningGateway) -> None:
    """What is too long for the event loop: a picture beyond its bytes, and one with a comment in it."""
    noise = Image.frombytes("RGB", (200, 200), os.urandom(200 * 200 * 3))
    large, commented = io.BytesIO(), io.BytesIO()
    noise.save(large, "PNG")
    noise.resize((16, 16)).save(commented, "JPEG", comment=b"taken at home")
    assert len(large.getvalue()) > INLINE_BYTES > len(commented.getvalue())
    answer = await gateway.predict(files=[("images", file.getvalue()) for file in (large, commented)])
    first, second = (told["id"] for told in answer.json()["predictions"])
    assert (await gateway.client.get(f"/v1/predictions/{first}/image")).content == large.getvalue()
    shown = (await gateway.client.get(f"/v1/predictions/{second}/image")).content
    assert shown.startswith(b"\xff\xd8")
    assert b"taken at home" not in shown


async def test_who_was_just_given_an_id_may_use_it(gateway: RunningGateway) -> None:
    """The history is written behind the answer; feedback and reads wait for that. What is unknown is told."""
    for number in range(3):
        answer = await gateway.predict(files={"images": ("a.png", picture(200 + number))})
        made = answer.json()["predictions"][0]["id"]
        given = await gateway.client.put(f"/v1/predictions/{made}/feedback", json={"label": LABELS[1]})
        assert (given.status_code, given.json()["feedback"]) == (200, LABELS[1])
    answer = await gateway.predict(files={"images": ("a.png", picture(204))})
    made = answer.json()["predictions"][0]["id"]
    assert (await gateway.client.get(f"/v1/predictions/{made}/image")).status_code == 200
    for unknown in (new_id(), "0" * 32):
        assert (await gateway.client.get(f"/v1/predictions/{unknown}")).status_code == 404


async def test_pages_follow_each_other_without_gap_or_repetition(gateway: RunningGateway) -> None:
    """Newest first, by cursor, while new predictions arrive."""
    await gateway.predict(files=[("images", picture(value)) for value in range(0, 250, 10)])
    await predictions(gateway, 25, limit=25)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await gateway.client.get("/v1/predictions", params={"limit": 7, "cursor": cursor})).json()
        assert len(page["predictions"]) <= 7
        seen += [row["id"] for row in page["predictions"]]
        cursor = page["next_cursor"]
        await gateway.predict(files={"images": picture(1)})
    assert len(seen) == len(set(seen)) == 25


async def test_filters(gateway: RunningGateway) -> None:
    """Each narrows; together they all hold."""
    await gateway.predict(files=[("images", picture(value)) for value in (10, 70, 200, 201)])
    rows = await predictions(gateway, 4)
    bright = [row for row in rows if row["classifications"][0]["label"] == "bright"]
    assert await predictions(gateway, 2, label="bright") == bright
    wrong = next(row for row in rows if row["classifications"][0]["label"] == "dark")
    await gateway.client.put(f"/v1/predictions/{wrong['id']}/feedback", json={"label": "dim"})
    for query, count in (
        ({"model": "shades", "version": 1}, 4),
        ({"model": "nobody"}, 0),
        ({"version": 2}, 0),
        ({"min_score": 0.5}, 4),
        ({"max_score": 0.5}, 0),
        ({"since": rows[0]["at"]}, 1 if rows[0]["at"] != rows[1]["at"] else 2),
        ({"until": rows[-1]["at"]}, 0),
        ({"feedback": "wrong"}, 1),
        ({"feedback": "right"}, 0),
        ({"feedback": "missing", "label": "bright"}, 2),
        ({"caller": "anyone"}, 4),
        ({"label": "bri%"}, 0),
        ({"label": "' OR 1=1 --"}, 0),
    ):
        assert (
            len((await gateway.client.get("/v1/predictions", params=query)).json()["predictions"]) == count
        ), query


async def test_feedback_is_set_replaced_and_taken_back(gateway: RunningGateway) -> None:
    """With who and when; the metric knows right from wrong."""
    await gateway.predict(files={"images": picture(200)})
    [row] = await predictions(gateway, 1)
    url = f"/v1/predictions/{row['id']}/feedback"
    first = (await gateway.client.put(url, json={"label": "dim"})).json()
    assert (first["feedback"], first["feedback_by"]) == ("dim", "anyone")
    assert first["feedback_at"] is not None
    assert (await gateway.client.put(url, json={"label": "bright"})).json()["feedback"] == "bright"
    back = (await gateway.client.delete(url)).json()
    assert (back["feedback"], back["feedback_at"], back["feedback_by"]) == (None, None, None)
    assert metric(gateway, "gateway_feedback_total") == 2


async def test_a_label_must_be_able_to_name_a_class(gateway: RunningGateway) -> None:
    """A label becomes a folder's name one day."""
    url = f"/v1/predictions/{'0' * 32}/feedback"
    labels: list[Any] = ["", ".", "..", "a/b", "a\\b", "a\nb", "\0", "x" * 121, 5, None]
    for label in labels:
        answer = await gateway.client.put(url, json={"label": label})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter"), label


BAD_QUESTIONS = [
    (f"/v1/predictions/{'0' * 32}", 404),
    (f"/v1/predictions/{'0' * 32}/image", 404),
    ("/v1/predictions/..%2f..%2fetc", 404),
    ("/v1/predictions/nonsense", 422),
    ("/v1/predictions?cursor=nonsense", 422),
    ("/v1/predictions?cursor=" + "A" * 200, 422),
    ("/v1/predictions?cursor=" + "A" * 201, 422),
    ("/v1/predictions?limit=0", 422),
    ("/v1/predictions?limit=501", 422),
    ("/v1/predictions?since=yesterday", 422),
    ("/v1/predictions?since=2026-01-01T00:00:00", 422),
    ("/v1/predictions?model=%00", 422),
    ("/v1/predictions?version=99999999999999999999", 422),
    ("/v1/predictions?min_score=nan", 422),
]


async def test_bad_questions_are_problems(gateway: RunningGateway) -> None:
    """Each is answered by its problem, and nothing breaks."""
    for path, status in BAD_QUESTIONS:
        answer = await gateway.client.get(path)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json"


async def test_csv_has_every_row_and_no_formula(gateway: RunningGateway) -> None:
    """A file name that begins like a formula is text in a spreadsheet."""
    names = ["=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\tx", 'a"b,c', "ünï"]
    await gateway.predict(files=[("images", (name, picture(9))) for name in names])
    await predictions(gateway, len(names))
    answer = await gateway.client.get("/v1/predictions.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == len(names)
    assert all(row["label"] == "dark" for row in rows)
    shown = {row["filename"] for row in rows}
    assert "'=cmd|'/c calc'!A1" in shown
    assert not any(name.startswith(("=", "+", "-", "@", "\t")) for name in shown)


async def test_store_false_leaves_no_trace(gateway: RunningGateway) -> None:
    """The caller's word holds."""
    answer = await gateway.predict(files={"images": picture(9)}, params={"store": "false"})
    assert answer.status_code == 200
    await gateway.predict(files={"images": picture(200)})
    [row] = await predictions(gateway, 1)
    assert row["id"] != answer.json()["predictions"][0]["id"]


async def test_exif_and_gps_are_not_kept(gateway: RunningGateway) -> None:
    """The orientation is applied, the rest is gone."""
    image = Image.new("RGB", (8, 6), (200, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90°
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 0.0)}
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif)
    await gateway.predict(files={"images": file.getvalue()})
    [row] = await predictions(gateway, 1)
    kept = (await gateway.client.get(f"/v1/predictions/{row['id']}/image")).content
    shown = Image.open(io.BytesIO(kept))
    assert not shown.getexif()
    assert shown.size == (6, 8)


async def test_the_same_picture_is_kept_once(gateway: RunningGateway, store: Path) -> None:
    """By its hash."""
    await gateway.predict(files=[("images", picture(200))] * 3)
    rows = await predictions(gateway, 3)
    assert len({row["picture"] for row in rows}) == 1
    files = [path for path in (store.parent / "data" / ".history").rglob("*") if path.is_file()]
    assert [path.stem for path in files] == [rows[0]["picture"]]


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ({"pictures": "none"}, False),
        ({"pictures": "uncertain", "uncertain_below": 0.71}, True),
        ({"pictures": "uncertain", "uncertain_below": 0.69}, False),
        ({"pictures": "sampled", "sample_share": 1.0}, True),
        ({"pictures": "sampled", "sample_share": 0.0}, False),
    ],
)
async def test_the_policy_decides_which_pictures_are_kept(
    start_gateway: StartGateway, model_server: FakeModelServer, policy: dict[str, Any], kept: bool
) -> None:
    """The prediction is remembered either way."""
    gateway = await start_gateway(model_server, history=policy)
    await gateway.predict(files={"images": picture(200)})
    [row] = await predictions(gateway, 1)
    assert (row["picture"] is not None) == kept
    image = await gateway.client.get(f"/v1/predictions/{row['id']}/image")
    assert image.status_code == (200 if kept else 404)


async def test_predictions_go_on_while_postgresql_is_away(
    start_gateway: StartGateway, model_server: FakeModelServer, postgresql: PostgreSQL
) -> None:
    """None fails; what fits the backlog is written afterwards, the rest is counted exactly."""
    gateway = await start_gateway(
        model_server,
        database={"url": postgresql.url, "timeout_seconds": 2.0},
        history={"backlog_predictions": 30, "flush_seconds": 0.05},
    )
    await gateway.becomes("/v1/predictions", lambda answer: answer.status_code == 200)
    before = metric(gateway, "gateway_history_written_total")
    postgresql.stop()
    try:
        for _ in range(5):
            answer = await gateway.predict(files=[("images", picture(200))] * 10)
            assert answer.status_code == 200
        listed = await gateway.client.get("/v1/predictions")
        assert (listed.status_code, listed.json()["code"]) == (503, "database")
        assert "retry-after" in listed.headers
    finally:
        postgresql.start()
    await eventually(lambda: gateway.services.recorder.backlog == 0)
    written = metric(gateway, "gateway_history_written_total") - before
    dropped = metric(gateway, "gateway_history_dropped_total")
    assert (written, dropped) == (30, 20)


async def test_a_gateway_starts_and_predicts_without_its_database(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """And says 503 to whoever asks for the history."""
    gateway = await start_gateway(
        model_server, database={"url": "postgresql://nobody@127.0.0.1:1/none", "timeout_seconds": 1.0}
    )
    assert (await gateway.predict(files={"images": picture(200)})).status_code == 200
    assert (await gateway.client.get("/v1/predictions")).status_code == 503


async def test_labels_of_the_fake_are_what_the_tests_assume() -> None:
    """The values above stand for these classes."""
    assert [LABELS[value // 64] for value in (9, 70, 200)] == ["dark", "dim", "bright"]
