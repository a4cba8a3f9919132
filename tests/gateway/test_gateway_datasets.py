"""Datasets from outside: uploads of every form, what is refused and why, finding, moving, deleting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dataset_uploads import EXAMPLES, counts, files_below, send, zipped
from gateway_fakes import FakeModelServer, picture
from gateway_harness import RunningGateway, StartGateway

from contract import layout

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stored(
    start_gateway: StartGateway, model_server: FakeModelServer, database: dict[str, Any]
) -> RunningGateway:
    """A gateway on each database, whose schema is there."""
    gateway = await start_gateway(model_server, database=database)
    await gateway.becomes("/v1/datasets", lambda answer: answer.status_code == 200)
    return gateway


@pytest.fixture
def data(store: Path) -> Path:
    """The dataset store of the gateways of this test."""
    return store.parent / "data"


async def test_pictures_with_one_label(stored: RunningGateway, data: Path) -> None:
    """They lie under their hash, split and label, and are found as they were sent."""
    gateway = stored
    sent = [picture(10), picture(20, form="JPEG")]
    form = [("images", ("a.png", sent[0])), ("images", ("b.txt", sent[1]))]
    answer = await gateway.client.post(EXAMPLES, files=form, data={"label": "cat"})
    assert answer.status_code == 201, answer.text
    report = answer.json()
    assert counts(report) == (2, 0, 0, 0)
    assert [file["name"] for file in report["files"]] == ["a.png", "b.txt"]
    for file, content, extension in zip(report["files"], sent, ("png", "jpg"), strict=True):
        digest = layout.sha256_of(content)
        split = layout.split_of(digest, layout.SplitShares())
        assert (file["id"], file["split"], file["label"]) == (digest, split, "cat")
        assert (data / "animals" / split / "cat" / f"{digest}.{extension}").read_bytes() == content
        image = await gateway.client.get(f"{EXAMPLES}/{digest}/image")
        assert image.content == content
        shown = (await gateway.client.get(f"{EXAMPLES}/{digest}")).json()
        assert (shown["source"], shown["caller"], shown["bytes"]) == ("upload", "anyone", len(content))
    [dataset] = (await gateway.client.get("/v1/datasets")).json()["datasets"]
    assert (dataset["name"], dataset["examples"]) == ("animals", 2)
    assert not list((data / ".spool").iterdir())


async def test_a_label_for_each_picture_and_labels_before_pictures(gateway: RunningGateway) -> None:
    """In their order, wherever in the form they stand."""
    form = [
        ("labels", (None, "cat")),
        ("labels", (None, "Straße 7")),
        ("images", ("a", picture(1))),
        ("images", ("b", picture(2))),
    ]
    answer = await gateway.client.post(EXAMPLES, files=form)
    assert [file["label"] for file in answer.json()["files"]] == ["cat", "Straße 7"]


@pytest.mark.parametrize(
    ("files", "fields", "said"),
    [
        ([("images", ("a", b"x"))], {}, "one `label` for all"),
        ([("images", ("a", b"x"))], {"label": "cat", "labels": "cat"}, "one `label` for all"),
        ([("images", ("a", b"x"))], {"labels": ["cat", "dog"]}, "1 pictures with 0"),
        ([("images", ("a", b"x"))], {"label": "../etc"}, "no label"),
        ([("images", ("a", b"x"))], {"label": "x" * 3000}, "1024 bytes"),
        ([("images", ("a", b"x"))], {"colour": "red"}, "unexpected field 'colour'"),
        ([("label", ("a", b"cat"))], {}, "must be text"),
        ([("images", (None, "cat"))], {"label": "cat"}, "must be a file"),
        ([("archive", ("a.zip", b"x"))], {"label": "cat"}, "stands alone"),
        ([("archive", ("a.zip", b"x"))], {}, "no tar"),
        ([("label", (None, "cat"))], {}, "holds no file"),
    ],
)
async def test_forms_that_are_refused(
    start_gateway: StartGateway, model_server: FakeModelServer, data: Path, files: Any, fields: Any, said: str
) -> None:
    """422 with the reason, and nothing is left."""
    gateway = await start_gateway(model_server)
    answer = await gateway.client.post(EXAMPLES, files=files, data=fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed_body"), answer.text
    assert said in answer.json()["detail"]
    assert not list((data / ".spool").iterdir())
    assert not (data / "animals").exists()


async def test_limits_of_the_body(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """Announced or not, the body ends where the setting says; other types are 415."""
    gateway = await start_gateway(model_server, datasets={"upload_bytes": 2000})

    async def chunks() -> Any:
        for _ in range(40):
            yield bytes(100)

    for content in (bytes(3000), chunks()):
        answer = await gateway.client.post(
            EXAMPLES, content=content, headers={"Content-Type": "application/zip"}
        )
        assert answer.status_code == 413
        assert "UPLOAD_BYTES" in answer.json()["detail"]
    assert (await send(gateway, b"x", "image/png")).status_code == 415
    assert (await send(gateway, b"x", "multipart/form-data")).status_code == 422


async def test_duplicates_and_conflicts(stored: RunningGateway, data: Path) -> None:
    """Within an upload and against the dataset; a conflict moves nothing."""
    gateway = stored
    files = {"cat/1.png": picture(1), "cat/again.png": picture(1), "dog/1.png": picture(1)}
    report = (await send(gateway, zipped(files))).json()
    assert [file["outcome"] for file in report["files"]] == ["added", "duplicate", "conflict"]
    report = (await send(gateway, zipped(files))).json()
    assert counts(report) == (0, 2, 1, 0)
    assert "'cat', not 'dog'" in report["files"][2]["reason"]
    assert len(files_below(data)) == 1


async def test_a_file_that_was_lost_comes_back(stored: RunningGateway, data: Path) -> None:
    """The index is not the truth: a picture whose file is gone is added again, also elsewhere."""
    gateway = stored
    await send(gateway, zipped({"cat/1.png": picture(1)}))
    [lost] = files_below(data)
    (data / "animals" / lost).unlink()
    image = await gateway.client.get(f"{EXAMPLES}/{layout.sha256_of(picture(1))}/image")
    assert (image.status_code, "reindex" in image.json()["detail"]) == (404, True)
    report = (await send(gateway, zipped({"dog/1.png": picture(1)}))).json()
    assert counts(report) == (1, 0, 0, 0)
    assert [path.split("/")[1] for path in files_below(data)] == ["dog"]


async def test_pages_and_filters(stored: RunningGateway) -> None:
    """By id, without gap or repetition; filters are exact."""
    gateway = stored
    files = {f"{label}/{value}.png": picture(value) for value, label in enumerate("aabbb" * 5)}
    await send(gateway, zipped(files))
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "7"} | ({"cursor": cursor} if cursor else {})
        page = (await gateway.client.get(EXAMPLES, params=query)).json()
        seen += [example["id"] for example in page["examples"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(set(seen))
    assert len(seen) == 25
    for query, count in (({"label": "a"}, 10), ({"label": "%"}, 0), ({"label": "a", "split": "test"}, None)):
        page = (await gateway.client.get(EXAMPLES, params=query)).json()["examples"]
        assert count is None or len(page) == count
    counted = (await gateway.client.get("/v1/datasets")).json()["datasets"][0]["splits"]
    assert sum(split["a"] for split in counted.values() if "a" in split) == 10
    for path in (EXAMPLES + "?cursor=x", EXAMPLES + "?split=all", EXAMPLES + "?label=.."):
        assert (await gateway.client.get(path)).status_code == 422
    assert (await gateway.client.get("/v1/datasets/nobody/examples")).status_code == 404
    assert (await gateway.client.get("/v1/datasets/..%2f..%2fetc/examples")).status_code in (404, 422)


async def test_another_label_and_deletion(stored: RunningGateway, data: Path) -> None:
    """The file is renamed, the split stays; then it is gone from files and index."""
    gateway = stored
    await send(gateway, zipped({"cat/1.png": picture(1)}))
    path = f"{EXAMPLES}/{layout.sha256_of(picture(1))}"
    [before] = files_below(data)
    moved = await gateway.client.put(path, json={"label": "dog"})
    assert moved.json()["label"] == "dog"
    assert files_below(data) == {before.replace("/cat/", "/dog/")}
    for label in ("../up", "", ".hidden", "a/b", "x" * 121, "nul\0"):
        assert (await gateway.client.put(path, json={"label": label})).status_code == 422
    assert (await gateway.client.get(path)).json()["label"] == "dog"
    assert (await gateway.client.delete(path)).status_code == 200
    assert (await gateway.client.get(path)).status_code == 404
    assert not files_below(data)


async def test_deleting_a_dataset_must_be_meant(stored: RunningGateway, data: Path) -> None:
    """Its name again, as `confirm`."""
    gateway = stored
    await send(gateway, zipped({"cat/1.png": picture(1), "dog/2.png": picture(2)}))
    for query in ({}, {"confirm": "yes"}):
        refused = await gateway.client.delete("/v1/datasets/animals", params=query)
        assert refused.status_code == 422
    answer = await gateway.client.delete("/v1/datasets/animals", params={"confirm": "animals"})
    assert answer.json() == {"dataset": "animals", "examples": 2}
    assert (await gateway.client.get("/v1/datasets")).json() == {"datasets": []}
    assert not (data / "animals").exists()
    again = await gateway.client.delete("/v1/datasets/animals", params={"confirm": "animals"})
    assert again.status_code == 404
    entries = (await gateway.client.get("/v1/audit")).json()["entries"]
    assert {entry["action"] for entry in entries} == {"dataset.delete", "examples.add"}
    assert json.dumps(entries)


async def test_the_database_is_away(
    start_gateway: StartGateway, model_server: FakeModelServer, data: Path
) -> None:
    """503, the spool is removed, and the same upload works later."""
    gateway = await start_gateway(model_server, database={"url": "postgresql://x@127.0.0.1:1/x"})
    answer = await send(gateway, zipped({"cat/1.png": picture(1)}))
    assert (answer.status_code, answer.json()["code"]) == (503, "database")
    assert not list((data / ".spool").iterdir())


async def test_a_disk_that_cannot_be_written(
    start_gateway: StartGateway, model_server: FakeModelServer, data: Path
) -> None:
    """503 with the reason, instead of a 500."""
    gateway = await start_gateway(model_server)
    (data / "animals").write_text("in the way")
    answer = await send(gateway, zipped({"cat/1.png": picture(1)}))
    assert (answer.status_code, answer.json()["code"]) == (503, "dataset_store"), answer.text
