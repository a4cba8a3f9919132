"""Versions over HTTP: what lists show of a card, plots, and the results of load tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from gateway_fakes import FakeModelServer, publish
from gateway_harness import RunningGateway, StartGateway

from contract import layout

pytestmark = pytest.mark.anyio

VERSIONS = "/v1/models/shades/versions"


async def test_a_list_shows_what_the_card_says(gateway: RunningGateway, store: Path) -> None:
    """Run, parent, data and accuracy; of a version without a card nothing of it, and why."""
    (publish(store, 2) / layout.CARD).write_text("{}")
    shown = await gateway.becomes(VERSIONS, lambda answer: len(answer.json()["versions"]) == 2)
    broken, good = shown.json()["versions"]
    assert (good["version"], good["role"], good["is_pinned"]) == (1, "stable", False)
    assert good["run_id"]
    assert 0 <= good["accuracy"] <= 1
    assert good["examples"] is not None
    assert (broken["version"], broken["accuracy"], broken["run_id"]) == (2, None, None)
    detail = (await gateway.client.get(f"{VERSIONS}/2")).json()
    assert detail["card"] is None
    assert "not valid" in detail["card_error"]


async def test_plots_are_listed_and_served(gateway: RunningGateway, store: Path) -> None:
    """As they are, to be kept for ever; other files of the version are not to be had."""
    folder = layout.ModelPaths(store, "shades").plots(1)
    folder.mkdir()
    (folder / "roc.png").write_bytes(b"a picture")
    (folder / "notes.txt").write_text("no picture")
    assert (await gateway.client.get(f"{VERSIONS}/1")).json()["plots"] == ["roc"]
    plot = await gateway.client.get(f"{VERSIONS}/1/plots/roc")
    assert (plot.content, plot.headers["content-type"]) == (b"a picture", "image/png")
    assert "immutable" in plot.headers["cache-control"]
    for name in ("none", "notes", "%2e%2e%2fmodel_card", "a%00b", "x" * 200):
        refused = await gateway.client.get(f"{VERSIONS}/1/plots/{name}")
        assert refused.status_code == 404, name
    assert (await gateway.client.get(f"{VERSIONS}/9/plots/roc")).json()["code"] == "unknown_version"


async def test_load_test_results(
    start_gateway: StartGateway, model_server: FakeModelServer, tmp_path: Path
) -> None:
    """The files of the folder; without one, none."""
    folder = tmp_path / "results"
    gateway = await start_gateway(model_server, stores={"load_tests": folder})
    assert (await gateway.client.get("/v1/load-tests")).json() == {"results": []}
    folder.mkdir()
    (folder / "swap.json").write_text('{"runs": []}')
    assert (await gateway.client.get("/v1/load-tests")).json() == {"results": ["swap"]}
    shown = await gateway.client.get("/v1/load-tests/swap")
    assert (shown.json(), shown.headers["content-type"]) == ({"runs": []}, "application/json")
    missing = await gateway.client.get("/v1/load-tests/none")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_name")
    assert "swap" in missing.json()["detail"]
