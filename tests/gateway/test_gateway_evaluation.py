"""Evaluation of versions on uploaded pictures: measures against scikit-learn's, and over HTTP."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gateway_fakes import LABELS, FakeModelServer, make_card, picture, publish
from gateway_harness import RunningGateway, StartGateway

from contract import layout
from contract.rollout import Rollout
from gateway.evaluation.measures import difference_of, measures_of

pytestmark = pytest.mark.anyio

ROLLOUT = "/v1/models/shades/rollout"
EVALUATION = "/v1/models/shades/versions/{}/evaluation"


def test_measures_are_those_of_scikit_learn() -> None:
    """Precision, recall, F1, their mean, and the confusion, of random answers."""
    metrics = pytest.importorskip("sklearn.metrics")
    chance = random.Random(1)
    true, said = chance.choices(LABELS[:3], k=400), chance.choices(LABELS, k=400)
    found = measures_of(true, said, LABELS)
    assert found.accuracy == metrics.accuracy_score(true, said)
    confusion = metrics.confusion_matrix(true, said, labels=LABELS)
    assert [list(row) for row in found.confusion] == confusion.tolist()
    precision, recall, f1, shown = metrics.precision_recall_fscore_support(
        true, said, labels=LABELS, zero_division=0
    )
    for place, each in enumerate(found.classes):
        assert each.pictures == shown[place]
        assert (each.precision or 0) == pytest.approx(precision[place])
        assert (each.recall or 0) == pytest.approx(recall[place])
        assert (each.f1 or 0) == pytest.approx(f1[place])
    assert found.macro_f1 == pytest.approx(sum(f1[:3]) / 3)
    assert found.classes[3].recall is None  # nothing shows it


def test_a_paired_difference_covers_the_truth() -> None:
    """In 95 of 100 drawn pairs, about; equal versions differ by nothing."""
    chance, covered = random.Random(2), 0
    for _ in range(300):
        first = [chance.random() < 0.9 for _ in range(200)]
        second = [right if chance.random() < 0.8 else chance.random() < 0.6 for right in first]
        low, high = difference_of(first, second).interval
        covered += low <= 0.2 * (0.9 - 0.6) <= high
    assert 0.92 <= covered / 300 <= 0.985
    same = difference_of([True, False], [True, False])
    assert (same.difference, same.p_value) == (0, 1)


@pytest.fixture
def server(store: Path, start_model_server: Callable[..., FakeModelServer]) -> FakeModelServer:
    """A model server that follows the store; version 2 calls the shades by other names, 3 knows two more."""
    publish(store, 2, card=make_card(labels=["dark", "light", "dim", "bright"]))
    publish(store, 3)
    rollout = Rollout(model="shades", policy="gated", stable=1)
    layout.write_atomically(layout.ModelPaths(store, "shades").rollout, rollout.to_json())
    return start_model_server(config=layout.models_config(store))


@pytest.fixture
async def gateway(start_gateway: StartGateway, server: FakeModelServer) -> RunningGateway:
    """A gateway whose stable is 1."""
    return await start_gateway(server)


def archive(**more: bytes) -> bytes:
    """Twelve pictures of each shade, of which version 1 knows all and version 2 half; and other files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for place, label in enumerate(LABELS):
            for number in range(12):
                written.writestr(f"{label}/{number}.png", picture(place * 64 + number))
        for name, content in more.items():
            written.writestr(name.replace("__", "/"), content)
    return file.getvalue()


async def evaluate(gateway: RunningGateway, version: int, content: bytes, **params: Any) -> Any:
    """POST an archive."""
    headers = {"Content-Type": "application/zip"}
    return await gateway.client.post(
        EVALUATION.format(version), content=content, headers=headers, params=params
    )


async def test_two_versions_side_by_side_and_the_one_that_is_not_loaded_is_loaded_meanwhile(
    gateway: RunningGateway,
) -> None:
    """Every measure, the paired difference, what was refused; afterwards the rollout is as before."""
    before = (await gateway.client.get(ROLLOUT)).json()["rollout"]
    files = {"night__1.png": picture(3), "dark__broken.png": b"no picture"}
    answer = await evaluate(gateway, 1, archive(**files), against=2)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    first, second = told["versions"]
    assert (first["version"], first["accuracy"], first["pictures"]) == (1, 1.0, 48)
    assert (second["version"], second["accuracy"]) == (2, 0.5)
    assert second["confusion_matrix"][1][2] == 12
    assert {each["label"]: each["recall"] for each in second["classes"]} == {
        "dark": 1.0,
        "light": 0.0,
        "dim": 0.0,
        "bright": 1.0,
    }
    difference = told["difference"]
    assert (difference["against"], difference["difference"]) == (2, 0.5)
    assert 0.3 < difference["low"] < 0.5 < difference["high"] < 0.7
    assert difference["p_value"] < 0.001
    assert {each["name"] for each in told["refusals"]} == {"night/1.png", "dark/broken.png"}
    assert "the label 'night' is unknown" in " ".join(each["reason"] for each in told["refusals"])
    after = (await gateway.client.get(ROLLOUT)).json()["rollout"]
    assert after["pinned"] == before["pinned"] == []
    entries = (await gateway.client.get("/v1/audit?target=shades")).json()["entries"]
    assert entries[0]["detail"] == {"versions": [1, 2], "accuracy": [1.0, 0.5]}


async def test_single_pictures_with_their_labels(gateway: RunningGateway) -> None:
    """As a form; one version alone has no difference."""
    files = [("images", ("a.png", picture(10))), ("images", ("b.png", picture(200)))]
    data = {"labels": ["dark", "dim"]}
    answer = await gateway.client.post(EVALUATION.format(1), files=files, data=data)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["versions"][0]["right"], told["versions"][0]["pictures"]) == (1, 2)
    assert told["difference"] is None


async def test_what_cannot_be_evaluated_is_refused(gateway: RunningGateway) -> None:
    """With what is wrong; nothing of it stays on disk."""
    assert (await evaluate(gateway, 9, archive())).status_code == 404
    assert (await evaluate(gateway, 1, archive(), against=9)).status_code == 404
    assert (await evaluate(gateway, 1, archive(), against=1)).status_code == 422
    assert (await evaluate(gateway, 1, b"PK\x03\x04 no zip")).status_code == 422
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as written:
        written.writestr("night/1.png", picture(3))
    refused = await evaluate(gateway, 1, empty.getvalue())
    assert (refused.status_code, refused.json()["code"]) == (422, "malformed_body")
    assert "not one of 1 files could be used: night/1.png" in refused.json()["detail"]


async def test_too_many_pictures_and_a_second_evaluation_are_refused(
    start_gateway: StartGateway, server: FakeModelServer
) -> None:
    """Within the bounds of the settings; a version that does not load says so."""
    gateway = await start_gateway(server, evaluation={"max_pictures": 40, "load_seconds": 0.5})
    refused = await evaluate(gateway, 1, archive())
    assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
    async with gateway.services.evaluation.place():
        busy = await evaluate(gateway, 1, archive())
        assert (busy.status_code, busy.json()["code"]) == (503, "overloaded")
    server.broken[("shades", 3)] = "no such op"
    failed = await evaluate(gateway, 3, archive())
    assert (failed.status_code, failed.json()["code"]) == (503, "no_version")
    assert (await gateway.client.get(ROLLOUT)).json()["rollout"]["pinned"] == []
