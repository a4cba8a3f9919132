"""More than fits: ten thousand files go in parts, and what is too large is refused with words."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from load_tests.dashboard.browsing import Visit
from load_tests.dashboard.drawing import picture

from .gateways import Gateway

pytestmark = [pytest.mark.stack, pytest.mark.tensorflow]

OpenTab = Callable[..., Visit]
TAKEN_MS = 120_000
FILES = 10_000
DROP = """([encoded, count]) => {
  const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  const all = new DataTransfer();
  for (let number = 0; number < count; number++) {
    all.items.add(new File([bytes], `${number}.png`, { type: "image/png" }));
  }
  const input = document.getElementById("upload");
  input.files = all.files;
  input.dispatchEvent(new Event("change"));
}"""


def test_ten_thousand_files(open_tab: OpenTab) -> None:
    """Fifty requests, none of them large; the report counts all; one picture is there once."""
    visit = open_tab()
    visit.open("data")
    posts: list[int] = []
    visit.page.on(
        "request",
        lambda asked: (
            posts.append(int(asked.headers.get("content-length", 0))) if asked.method == "POST" else None
        ),
    )
    visit.page.evaluate(DROP, [base64.b64encode(picture("frog", 1, 8)).decode(), FILES])
    visit.page.get_by_role("combobox", name="Dataset").fill("heap")
    visit.page.get_by_label("Their class").fill("frog")
    expect(visit.page.get_by_text("10,000 files")).to_be_visible()
    visit.page.get_by_role("button", name="Upload", exact=True).click()
    expect(visit.page.get_by_text("1 added, 9,999 already there")).to_be_visible(timeout=TAKEN_MS)
    expect(visit.page.get_by_role("heading", name="heap")).to_be_visible()
    assert len(posts) == FILES / 200
    assert visit.complaints == []


def test_an_upload_that_is_too_large(
    start_gateway: Callable[..., Gateway], open_tab: OpenTab, tmp_path: Path
) -> None:
    """An archive beyond the limit (2 GB, here 2 MB) is refused in words; what was typed and chosen stays."""
    gateway = start_gateway(DATASETS__UPLOAD_BYTES="2000000")
    gateway.start()
    large = tmp_path / "large.zip"
    with zipfile.ZipFile(large, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("frog/1.png", picture("frog", 1))
        archive.writestr("frog/2.png", b"\0" * 6_000_000)
    visit = open_tab(gateway.url)
    visit.open("data")
    visit.page.locator("#upload").set_input_files(large)
    visit.page.get_by_role("combobox", name="Dataset").fill("mine")
    visit.page.get_by_role("button", name="Upload", exact=True).click()
    expect(visit.page.get_by_role("alert")).to_contain_text("2,000,000 bytes", timeout=TAKEN_MS)
    expect(visit.page.get_by_role("alert")).to_contain_text("Upload goes on with the rest")
    expect(visit.page.get_by_role("combobox", name="Dataset")).to_have_value("mine")
    expect(visit.page.get_by_text("1 file, 6.0")).to_be_visible()


def test_a_picture_that_is_too_large_to_predict(
    start_gateway: Callable[..., Gateway], open_tab: OpenTab
) -> None:
    """Its card says so, and the others are answered."""
    gateway = start_gateway(LIMITS__IMAGE_BYTES="20000")
    gateway.start()
    visit = open_tab(gateway.url)
    visit.open("predict")
    large = io.BytesIO(picture("ship", 1, 200)).getvalue()
    assert len(large) > 20_000
    files = [
        {"name": "large.png", "mimeType": "image/png", "buffer": large},
        {"name": "small.png", "mimeType": "image/png", "buffer": picture("ship", 2, 32)},
    ]
    visit.page.locator("#files").set_input_files(files)  # type: ignore[arg-type]
    expect(visit.page.get_by_text("2 pictures answered, 1 could not be")).to_be_visible(timeout=TAKEN_MS)
    card = visit.page.get_by_role("article", name="Prediction of large.png")
    expect(card.get_by_role("alert")).to_contain_text("20,000 bytes")
