"""The map of answers on Insights: by embeddings where there are some, else by scores, and it says which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from load_tests.dashboard.browsing import Visit
from load_tests.dashboard.drawing import picture
from load_tests.dashboard.stack import MODEL

from .gateways import Gateway

pytestmark = [pytest.mark.stack, pytest.mark.tensorflow]

OpenTab = Callable[..., Visit]
DRAWN_MS = 60_000
LABELS = ("frog", "ship", "truck")


def remember(url: str, count: int) -> None:
    """Predict as many drawn pictures, and wait until the history has them."""
    files = [("images", (f"{n}.png", picture(LABELS[n % 3], n, 32))) for n in range(count)]
    answer = httpx.post(f"{url}/v1/models/{MODEL}/predictions", files=files, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    while len(httpx.get(f"{url}/v1/predictions", trust_env=False).json()["predictions"]) < count:
        pass


def test_the_map_is_what_the_network_sees(open_tab: OpenTab) -> None:
    """The bundled version gives embeddings: the map says so, and has a dot for each picture."""
    visit = open_tab()
    visit.open("insights")
    expect(visit.page.get_by_text("as the network sees it: the 256 numbers")).to_be_visible(timeout=DRAWN_MS)
    expect(visit.page.get_by_text("strongest difference of what the network sees")).to_be_visible()
    label = "Latest answers by the two strongest differences of what the network sees"
    plot = visit.page.locator(".plot", has=visit.page.get_by_label(label))
    assert plot.locator(".point").count() >= 20
    assert visit.complaints == []


def test_without_embeddings_the_map_is_of_scores(
    start_gateway: Callable[..., Gateway], open_tab: OpenTab
) -> None:
    """A version that gives none is not asked; the map is there all the same, and says why."""

    def forget(card: dict[str, Any]) -> None:
        card["embedding"] = None

    gateway = start_gateway()
    gateway.change_card(forget)
    gateway.start()
    remember(gateway.url, 24)
    visit = open_tab(gateway.url)
    visit.open("insights")
    said = "by its scores, "
    expect(visit.page.get_by_text(said)).to_be_visible(timeout=DRAWN_MS)
    expect(visit.page.get_by_text("version 1 does not give what its network sees")).to_be_visible()
    assert visit.complaints == []
