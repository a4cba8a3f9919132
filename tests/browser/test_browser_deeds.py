"""Putting right by hand: labels one key each with undo, and what a dataset holds under the wrong class."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from load_tests.dashboard.browsing import Visit
from load_tests.dashboard.drawing import LABELS, picture
from load_tests.dashboard.stack import MODEL

from .gateways import Gateway

pytestmark = [pytest.mark.stack, pytest.mark.tensorflow]

DATASET = f"/v1/datasets/{MODEL}/examples"


@pytest.fixture
def gateway(start_gateway: Callable[..., Gateway]) -> Gateway:
    """A gateway with six answers that nobody looked at, and three labelled pictures."""
    gateway = start_gateway()
    gateway.start()
    with httpx.Client(base_url=gateway.url, trust_env=False, timeout=60) as client:
        asked = [("images", (f"{seed}.png", picture("ship", seed))) for seed in range(6)]
        client.post(f"/v1/models/{MODEL}/predictions", files=asked).raise_for_status()
        queue = "/v1/labelling-queue?model=" + MODEL
        while client.get(queue).raise_for_status().json()["waiting"] < len(asked):
            time.sleep(0.05)  # written beside
        given = [("images", (f"{seed}.png", picture("frog", seed))) for seed in range(3)]
        client.post(DATASET, files=given, data={"label": "frog"}).raise_for_status()
    return gateway


def counter(page: Page) -> Locator:
    """How many labels the next version learns from."""
    return page.locator(".counter .figure")


def labels(gateway: Gateway) -> list[str]:
    """Of all labelled pictures."""
    page = httpx.get(gateway.url + DATASET, trust_env=False).json()
    return sorted(example["label"] for example in page["examples"])


def test_labelling_by_the_keyboard_with_undo(gateway: Gateway, open_tab: Callable[..., Visit]) -> None:
    """A digit labels and brings the next picture, the counter counts it, U takes it back, S skips."""
    visit = open_tab(gateway.url)
    page = visit.page
    visit.open("labelling")
    card = page.get_by_role("region", name="The picture to label")
    first = card.get_by_role("img").get_attribute("src")
    page.keyboard.press(str(LABELS.index("truck") + 1)[-1])
    expect(page.get_by_text("Now: 1 label, of which")).to_be_visible()
    expect(counter(page)).to_have_text("1")
    expect(card.get_by_role("img")).not_to_have_attribute("src", first or "")
    page.keyboard.press("s")
    expect(page.get_by_text("skipped")).to_be_visible()
    page.keyboard.press("u")
    page.keyboard.press("u")
    expect(page.get_by_text("None in this sitting yet.")).to_be_visible()
    expect(card.get_by_role("img")).to_have_attribute("src", first or "")
    expect(counter(page)).to_have_text("0")
    expect(page.get_by_text("6 pictures still wait")).to_be_visible()
    assert visit.complaints == []


def test_a_label_taken_back_while_the_queue_is_read_is_not_counted(
    gateway: Gateway, open_tab: Callable[..., Visit]
) -> None:
    """The answer that is on its way still knows of the label; the numbers are read again."""
    visit = open_tab(gateway.url)
    page = visit.page
    visit.open("labelling")
    expect(page.get_by_text("6 pictures still wait")).to_be_visible()
    held: list[tuple[Route, APIResponse]] = []

    def hold_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    page.route("**/v1/labelling-queue?*", hold_first)
    page.keyboard.press(str(LABELS.index("truck") + 1)[-1])
    while not held:
        page.wait_for_timeout(20)
    with page.expect_response("**/feedback"):
        page.keyboard.press("u")
    expect(page.get_by_text("None in this sitting yet.")).to_be_visible()
    [(route, answer)] = held
    route.fulfill(response=answer)
    expect(counter(page)).to_have_text("0")
    expect(page.get_by_text("6 pictures still wait")).to_be_visible()


def test_pictures_get_another_class_or_go(gateway: Gateway, open_tab: Callable[..., Visit]) -> None:
    """Select one, give it another class; select another one, delete it; the same picture again is known."""
    visit = open_tab(gateway.url)
    page = visit.page
    visit.open("data")
    pictures = page.locator(".picture-grid button")
    expect(pictures).to_have_count(3)
    pictures.nth(0).click()
    page.get_by_label("Give them the class").select_option("deer")
    expect(page.get_by_text("1 picture now of the class deer.")).to_be_visible()
    assert labels(gateway) == ["deer", "frog", "frog"]
    pictures.nth(1).click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("1 picture deleted.")).to_be_visible()
    expect(pictures).to_have_count(2)
    files = [
        {"name": f"again-{seed}.png", "mimeType": "image/png", "buffer": picture("frog", seed)}
        for seed in range(3)
    ]
    page.locator("#upload").set_input_files(files)  # type: ignore[arg-type]
    page.get_by_label("Their class").fill("frog")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("1 added, 1 already there, 1 there under another class")).to_be_visible()
    assert visit.complaints == []
