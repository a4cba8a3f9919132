"""Two things side by side: versions on pictures that somebody brings, and two results of load tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from load_tests.dashboard.browsing import Visit
from load_tests.dashboard.drawing import picture

from .gateways import Gateway
from .test_browser_pages import violations

pytestmark = [pytest.mark.stack, pytest.mark.tensorflow]

ASKED_MS = 120_000


def test_a_version_is_evaluated_on_pictures_of_ones_own(
    open_tab: Callable[..., Visit], tmp_path: Path
) -> None:
    """Class folders in; accuracy with its interval, confusions, and what was refused, in words."""
    for label in ("ship", "frog"):
        (tmp_path / "mine" / label).mkdir(parents=True)
        for seed in range(4):
            (tmp_path / "mine" / label / f"{seed}.png").write_bytes(picture(label, 900 + seed))
    (tmp_path / "mine" / "ship" / "broken.png").write_bytes(b"no picture")
    visit = open_tab()
    page = visit.page
    visit.open("versions")
    page.locator("#evaluate-folder").set_input_files(tmp_path / "mine")
    expect(page.get_by_text("9 files")).to_be_visible()
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.get_by_text("of 8 pictures; with 95 % confidence")).to_be_visible(timeout=ASKED_MS)
    expect(page.get_by_role("table", name="The versions on these pictures")).to_contain_text("of 8")
    page.get_by_text("Which, and why").click()
    expect(page.get_by_text("broken.png: ")).to_be_visible()
    expect(page.get_by_role("table", name="By class, the worst first", exact=True)).to_contain_text("frog")
    assert violations(visit) == []
    assert visit.complaints == []
    page.get_by_role("button", name="Choose others").click()
    page.locator("#evaluate").set_input_files(
        {"name": "x.png", "mimeType": "image/png", "buffer": b"nothing"}
    )
    page.get_by_label("Their class").fill("frog")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Not one of 1 files could be used")
    expect(page.get_by_label("Their class")).to_have_value("frog")


def result(folder: Path, name: str, factor: float) -> None:
    """A result of a load test, with a nested value as the real ones have."""
    rows = [
        {"replicas": replicas, "users": users, "images_per_second": 100.0 * replicas * factor, "shares": [1]}
        for replicas in (1, 2)
        for users in (50, 100)
    ]
    (folder / f"{name}.json").write_text(json.dumps({"summary": rows}))


def test_two_results_are_compared_measurement_by_measurement(
    start_gateway: Callable[..., Gateway], open_tab: Callable[..., Visit], tmp_path: Path
) -> None:
    """The sentence says by how much the later one is higher, the table where."""
    folder = tmp_path / "results"
    folder.mkdir()
    result(folder, "before", 1.0)
    result(folder, "later", 1.25)
    gateway = start_gateway(STORES__LOAD_TESTS=str(folder))
    gateway.start()
    visit = open_tab(gateway.url)
    visit.open("loadtests?name=later&other=before")
    expect(visit.page.get_by_text("is 25.0 % higher in the middle")).to_be_visible()
    rows = visit.page.get_by_role("table", name="images per second in both").get_by_role("row")
    expect(rows).to_have_count(5)
    expect(rows.nth(1)).to_contain_text("+25.0")
    assert violations(visit) == []
    assert visit.complaints == []


def test_what_is_said_of_one_measurement_is_no_line_of_its_own(
    start_gateway: Callable[..., Gateway], open_tab: Callable[..., Visit], tmp_path: Path
) -> None:
    """What `make load-test` wrote is shown first; a remark on each row is in the table alone."""
    folder = tmp_path / "results"
    folder.mkdir()
    result(folder, "aside", 1.0)
    rows = [
        {"replicas": replicas, "images_per_second": 9.0 * replicas, "next_bottleneck": f"server {replicas}"}
        for replicas in (1, 2, 3)
    ]
    (folder / "replicas.json").write_text(json.dumps({"table": rows}))
    gateway = start_gateway(STORES__LOAD_TESTS=str(folder))
    gateway.start()
    visit = open_tab(gateway.url)
    visit.open("loadtests")
    page = visit.page
    expect(page.get_by_role("combobox", name="Result", exact=True)).to_have_value("replicas")
    expect(page.get_by_text("From 9 (1 replicas) to 27 (3 replicas) images per second.")).to_be_visible()
    page.get_by_text("All 3 measurements").click()
    expect(page.get_by_role("table", name="Measurements of table")).to_contain_text("server 2")
    assert page.get_by_label("next bottleneck").count() == 0
    assert visit.complaints == []


def test_a_result_in_sittings_is_drawn_sitting_by_sitting(
    start_gateway: Callable[..., Gateway], open_tab: Callable[..., Visit], tmp_path: Path
) -> None:
    """`make bench` adds to its file: each sitting has its own table."""
    folder = tmp_path / "results"
    folder.mkdir()
    rows = [
        {"contender": name, "connections": connections, "answered_per_second": 3.0 * connections}
        for name in ("ours", "theirs")
        for connections in (1, 64)
    ]
    (folder / "peers.json").write_text(json.dumps({"sittings": [{"summary": rows}, {"later": rows}]}))
    gateway = start_gateway(STORES__LOAD_TESTS=str(folder))
    gateway.start()
    visit = open_tab(gateway.url)
    visit.open("loadtests")
    page = visit.page
    measurements = page.get_by_text("All 4 measurements")
    expect(measurements).to_have_count(2)
    measurements.first.click()
    expect(page.get_by_role("table", name="Measurements of summary")).to_contain_text("theirs")
    assert visit.complaints == []
