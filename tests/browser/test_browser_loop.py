"""The whole loop by clicks: upload, correct, retrain, watch, promote, predict, roll back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from load_tests.dashboard.browsing import Visit
from load_tests.dashboard.drawing import LABELS, picture

pytestmark = [pytest.mark.stack, pytest.mark.tensorflow, pytest.mark.timeout(900)]

TRAINING_MS = 600_000
LOADING_MS = 60_000


def test_the_whole_loop_without_a_terminal(open_tab: Callable[..., Visit], tmp_path: Path) -> None:
    """Twenty pictures, five corrections, one run, and the version it made answers until it is rolled back."""
    visit = open_tab()
    page = visit.page
    wait_for_promotions(visit)
    upload_twenty(visit, tmp_path)
    correct_five(visit)
    version = retrain(visit)
    promote(visit, version)
    predicts_with(visit, version)
    roll_back(visit)
    assert visit.complaints == []
    expect(page.get_by_text("rollout.rollback")).to_be_visible()


def wait_for_promotions(visit: Visit) -> None:
    """From now on a published version waits for a person."""
    visit.open("versions")
    box = visit.page.get_by_role("checkbox", name="Let each published version become stable by itself")
    if box.is_checked():
        box.click()
    expect(visit.page.get_by_text("waits until somebody promotes it")).to_be_visible()


def upload_twenty(visit: Visit, folder: Path) -> None:
    """A folder of two class folders; the report counts them."""
    for label in ("ship", "frog"):
        (folder / "mine" / label).mkdir(parents=True)
        for seed in range(10):
            (folder / "mine" / label / f"{seed}.png").write_bytes(picture(label, 500 + seed))
    visit.open("data")
    visit.page.locator("#upload-folder").set_input_files(folder / "mine")
    expect(visit.page.get_by_text("20 files")).to_be_visible()
    visit.page.get_by_role("button", name="Upload", exact=True).click()
    expect(visit.page.get_by_text("20 added")).to_be_visible(timeout=LOADING_MS)


def correct_five(visit: Visit) -> None:
    """One key each: the digit of the class that the picture shows."""
    visit.open("predict")
    shown = ["cat", "dog", "deer", "bird", "horse"]
    files = [
        {"name": f"{label}.png", "mimeType": "image/png", "buffer": picture(label, 700)} for label in shown
    ]
    visit.page.locator("#files").set_input_files(files)  # type: ignore[arg-type]
    expect(visit.page.get_by_text("5 pictures answered", exact=True)).to_be_visible(timeout=LOADING_MS)
    for label in shown:
        card = visit.page.get_by_role("article", name=f"Prediction of {label}.png")
        card.focus()
        visit.page.keyboard.press(str((LABELS.index(label) + 1) % 10))
        expect(card.get_by_role("button", name="Take back")).to_be_visible()


def retrain(visit: Visit) -> int:
    """The tiny preset; the curve grows, and the end says what became of it."""
    page = visit.page
    visit.open("training")
    page.get_by_role("radio", name="Tiny").check()
    page.get_by_label("Learn from").select_option("dataset")
    page.get_by_role("button", name="Retrain").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    first = curve(page)
    expect(page.locator(".curves .line").first).not_to_have_attribute("d", first, timeout=TRAINING_MS)
    made = page.get_by_text(re.compile(r"It made version \d+"))
    refused = page.get_by_text("and the gate refused to publish it")
    expect(made.or_(refused)).to_be_visible(timeout=TRAINING_MS)
    expect(page.get_by_role("table", name="Checks of the gate")).to_be_visible()
    if refused.is_visible():
        page.get_by_role("button", name="Publish it all the same").click()
        page.get_by_role("textbox", name=re.compile("Reason")).fill("to try it")
        page.get_by_role("button", name="Publish", exact=True).click()
        visit.settle("versions")
        return int(page.url.rpartition("=")[2])
    found = re.search(r"version (\d+)", made.inner_text())
    assert found is not None
    return int(found[1])


def curve(page: Page) -> str:
    """The drawn path after the first epochs."""
    line = page.locator(".curves .line").first
    line.wait_for(state="attached", timeout=TRAINING_MS)
    return line.get_attribute("d") or ""


def promote(visit: Visit, version: int) -> None:
    """With a reason, which the audit log shows."""
    page = visit.page
    visit.open("versions")
    page.get_by_label("Promote").select_option(str(version))
    page.get_by_role("textbox", name=re.compile("Reason")).fill("tried on five pictures")
    page.get_by_role("button", name="Promote", exact=True).click()
    stable = page.locator(".role").filter(has_text="Stable").locator(".figure")
    expect(stable).to_have_text(f"Version {version}", timeout=LOADING_MS)
    expect(page.get_by_text("“tried on five pictures”")).to_be_visible()


def predicts_with(visit: Visit, version: int) -> None:
    """The next answer names the version."""
    visit.open("predict")
    file = {"name": "frog.png", "mimeType": "image/png", "buffer": picture("frog", 800)}
    visit.page.locator("#files").set_input_files(file)  # type: ignore[arg-type]
    expect(visit.page.get_by_text(f"Version {version} ·")).to_be_visible(timeout=LOADING_MS)


def roll_back(visit: Visit) -> None:
    """One move, asked for once."""
    page = visit.page
    visit.open("versions")
    page.get_by_role("button", name="Roll back to version 1").click()
    page.get_by_role("button", name="Roll back", exact=True).click()
    stable = page.locator(".role").filter(has_text="Stable").locator(".figure")
    expect(stable).to_have_text("Version 1", timeout=LOADING_MS)
