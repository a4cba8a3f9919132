"""Feedback that becomes an example, moves with it and goes with it; and deleting a picture everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gateway_fakes import FakeModelServer, picture
from gateway_harness import RunningGateway, StartGateway

from contract import layout
from gateway.adapters.datasets import FileDatasets
from gateway.errors import DatasetStoreError

pytestmark = pytest.mark.anyio

EXAMPLES = "/v1/datasets/shades/examples"
CONTENT = picture(200)
DIGEST = layout.sha256_of(CONTENT)


@pytest.fixture
async def gateway(
    start_gateway: StartGateway, model_server: FakeModelServer, database: dict[str, Any]
) -> RunningGateway:
    """A gateway on each database, whose schema is there."""
    gateway = await start_gateway(model_server, database=database)
    await gateway.becomes("/v1/datasets", lambda answer: answer.status_code == 200)
    return gateway


async def predicted(gateway: RunningGateway) -> str:
    """The path of a remembered prediction with a picture."""
    answer = await gateway.predict(files={"images": CONTENT})
    path = f"/v1/predictions/{answer.json()['predictions'][0]['id']}"
    await gateway.becomes(path, lambda shown: shown.status_code == 200)
    return path


async def labels(gateway: RunningGateway) -> list[str]:
    """Of the examples in the dataset that carries the model's name."""
    answer = await gateway.client.get(EXAMPLES)
    return [example["label"] for example in answer.json().get("examples", [])]


async def test_feedback_becomes_an_example_and_moves_and_goes(gateway: RunningGateway, store: Path) -> None:
    """With source `feedback`, in the split of its hash."""
    path = await predicted(gateway)
    for label in ("dim", "dark"):
        assert (await gateway.client.put(f"{path}/feedback", json={"label": label})).status_code == 200
        assert await labels(gateway) == [label]
        split = layout.split_of(DIGEST, layout.SplitShares())
        assert layout.example_path(store.parent / "data", "shades", split, label, DIGEST, "png").is_file()
    [example] = (await gateway.client.get(EXAMPLES)).json()["examples"]
    assert (example["source"], example["caller"]) == ("feedback", "anyone")
    assert (await gateway.client.delete(f"{path}/feedback")).status_code == 200
    assert await labels(gateway) == []


async def test_an_uploaded_example_stays_what_its_uploader_said(gateway: RunningGateway) -> None:
    """Feedback neither moves nor removes it."""
    path = await predicted(gateway)
    await gateway.client.post(EXAMPLES, files={"images": CONTENT}, data={"label": "bright"})
    await gateway.client.put(f"{path}/feedback", json={"label": "dim"})
    assert await labels(gateway) == ["bright"]
    await gateway.client.delete(f"{path}/feedback")
    assert await labels(gateway) == ["bright"]


async def test_feedback_is_never_lost_with_the_dataset(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full, or a mistake of ours: the feedback stands."""
    path = await predicted(gateway)
    for error in (DatasetStoreError("the disk is full"), RuntimeError("a mistake")):

        def broken(*_: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(FileDatasets, "put", broken)
        answer = await gateway.client.put(f"{path}/feedback", json={"label": "dim"})
        assert (answer.status_code, answer.json()["feedback"]) == (200, "dim")
        assert await labels(gateway) == []


async def test_a_prediction_without_a_picture_becomes_none(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """There is nothing to learn from."""
    gateway = await start_gateway(model_server, history={"pictures": "none", "flush_seconds": 0.01})
    path = await predicted(gateway)
    assert (await gateway.client.put(f"{path}/feedback", json={"label": "dim"})).status_code == 200
    assert await labels(gateway) == []


async def test_a_picture_is_deleted_everywhere(gateway: RunningGateway, store: Path) -> None:
    """History file and reference, and every dataset; the prediction and its feedback stay."""
    path = await predicted(gateway)
    await gateway.client.put(f"{path}/feedback", json={"label": "dim"})
    other = "/v1/datasets/other/examples"
    await gateway.client.post(other, files={"images": CONTENT}, data={"label": "x"})
    answer = await gateway.client.delete(f"/v1/pictures/{DIGEST}")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["sha256"], told["history"]) == (DIGEST, True)
    assert [example["dataset"] for example in told["examples"]] == ["other", "shades"]
    assert not list((store.parent / "data").rglob(f"{DIGEST}*"))
    row = (await gateway.client.get(path)).json()
    assert (row["picture"], row["feedback"]) == (None, "dim")
    again = await gateway.client.delete(f"/v1/pictures/{DIGEST}")
    assert (again.status_code, again.json()["code"]) == (404, "unknown_name")
    assert (await gateway.client.delete("/v1/pictures/..%2fx")).status_code in (404, 422)
