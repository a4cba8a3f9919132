"""Markup in names of files, classes and callers, and a class name without an end: text, everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from load_tests.dashboard.browsing import PAGES, PHONE, Visit
from load_tests.dashboard.drawing import picture

from .gateways import Gateway

pytestmark = [pytest.mark.stack, pytest.mark.tensorflow]

MARKUP = "<img src=x onerror=window.hacked=1>"
FILE = f"file {MARKUP}.png"
CALLER = f"caller {MARKUP}"
LABEL = f"class {MARKUP}"
LONG = "W" * 200


def hostile_labels(card: dict[str, Any]) -> None:
    """A class of markup and one of 200 letters."""
    card["labels"][0], card["labels"][1] = LABEL, LONG
    for split in ("validation", "test"):
        for row, label in zip(card[split]["per_class"], card["labels"], strict=True):
            row["label"] = label


def fill(url: str) -> None:
    """Predictions, a correction and labelled pictures with such names."""
    headers = {"X-Forwarded-User": CALLER}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
        for seed in range(3):
            files = {"images": (FILE, picture("ship", seed))}
            client.post("/v1/models/cifar10/predictions", files=files).raise_for_status()
        upload = [("images", (FILE, picture("cat", seed))) for seed in range(4)]
        upload.append(("images", (FILE, b"no picture")))
        client.post("/v1/datasets/mine/examples", files=upload, data={"label": LABEL}).raise_for_status()
        change = {"pinned": [1], "reason": f"reason {MARKUP}"}
        client.put("/v1/models/cifar10/rollout", json=change).raise_for_status()


def test_names_are_text_on_every_page(
    start_gateway: Callable[..., Gateway], open_tab: Callable[..., Visit]
) -> None:
    """No name becomes an element, each is seen as it was written, and none makes a page wider."""
    gateway = start_gateway(ACCESS__TRUSTED_PROXIES='["127.0.0.1"]', ACCESS__GROUP_ROLES='["*=operate"]')
    gateway.change_card(hostile_labels)
    gateway.start()
    fill(gateway.url)
    visit = open_tab(gateway.url, size=PHONE)
    visit.page.set_extra_http_headers({"X-Forwarded-User": CALLER})
    seen, wide = "", {}
    for name in PAGES:
        visit.open(name)
        seen += visit.page.inner_text("body")
        width = visit.page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE[0]:
            wide[name] = width
        assert visit.page.locator("[onerror]").count() == 0, name
    seen += detail_of_a_prediction(visit) + report_of_an_upload(visit)
    assert [word for word in (FILE, CALLER, LABEL, LONG, f"reason {MARKUP}") if word not in seen] == []
    assert visit.page.evaluate("window.hacked") is None
    assert wide == {}
    assert visit.complaints == []


def detail_of_a_prediction(visit: Visit) -> str:
    """The text of the detail panel, which names file and caller."""
    visit.open("history")
    visit.page.locator(".picture-grid button").first.click()
    panel = visit.page.get_by_role("complementary", name="The selected prediction")
    panel.get_by_text("file <img").wait_for()
    return panel.inner_text()


def report_of_an_upload(visit: Visit) -> str:
    """The report per file, with a file that is no picture."""
    visit.open("data")
    file = {"name": FILE, "mimeType": "image/png", "buffer": b"no picture"}
    visit.page.locator("#upload").set_input_files(file)  # type: ignore[arg-type]
    visit.page.get_by_label("Their class").fill(LABEL)
    visit.page.get_by_role("button", name="Upload", exact=True).click()
    visit.page.get_by_text("1 refused").wait_for()
    return visit.page.inner_text("main")


def test_a_filter_with_markup_in_the_address_is_text(open_tab: Callable[..., Visit]) -> None:
    """An address that somebody sent is no way in either."""
    visit = open_tab()
    visit.open(f"history?caller={quote(MARKUP)}&label={quote(MARKUP)}")
    visit.page.get_by_text("No prediction matches").wait_for()
    assert visit.page.evaluate("window.hacked") is None
    assert visit.complaints == []
