"""Pictures of every page: `python -m load_tests.dashboard.screenshots FOLDER`.

Light, dark and as wide as a phone, on a stack with drawn pictures, a training run, and a canary where the
run made a version. The few that the README shows are written again, small, with --readme FOLDER.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import Browser

from load_tests.dashboard.browsing import PAGES, PHONE, WIDE, Visit, chromium, tab
from load_tests.dashboard.drawing import LABELS, picture
from load_tests.dashboard.stack import MODEL, draw_base, fill, running_stack

FORMS = {"light": WIDE, "dark": WIDE, "phone": PHONE}
README = {
    ("overview", "light"),
    ("predict", "light"),
    ("training", "light"),
    ("versions", "dark"),
    ("insights", "light"),
}
RUN_SECONDS = 900
TRAFFIC = 12


def main() -> int:
    """Fill, open, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--url", help="a running gateway, already filled; default: a stack of its own")
    parser.add_argument("--readme", type=Path, help="where the README's pictures go")
    options = parser.parse_args()
    if options.url:
        take(options.url, options.folder, options.readme)
        return 0
    with tempfile.TemporaryDirectory(prefix="rekindle-") as name:
        draw_base(Path(name))
        with running_stack(Path(name)) as stack:
            prepare(stack.url)
            take(stack.url, options.folder, options.readme)
    return 0


def prepare(url: str) -> None:
    """Data, traffic over some minutes, a training run, and a canary."""
    fill(url, examples=24, predictions=150, looked_at=90)
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        rollout = f"/v1/models/{MODEL}/rollout"
        client.put(
            rollout, json={"policy": "gated", "reason": "look before each promotion"}
        ).raise_for_status()
        asked = {"model": MODEL, "preset": "tiny", "base": "dataset"}
        run = client.post("/v1/training-runs", json=asked).raise_for_status().json()["id"]
        version = _ended(client, url, run)
        if version:
            change = {"canary": version, "canary_share": 0.2, "reason": "a fifth of traffic for an hour"}
            client.put(rollout, json=change).raise_for_status()
    fill(url, examples=1, predictions=60, looked_at=20)


def _ended(client: httpx.Client, url: str, run: str) -> int | None:
    """Wait for the run, with some traffic meanwhile."""
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        found = client.get(f"/v1/training-runs/{run}").raise_for_status().json()
        if found["finished_at"]:
            return found["version"] or _published(client, run, found["state"])
        fill(url, examples=1, predictions=TRAFFIC, looked_at=2)
    raise RuntimeError(f"the run {run} did not end within {RUN_SECONDS} s")


def _published(client: httpx.Client, run: str, state: str) -> int | None:
    """What the gate refused, against its word."""
    if state != "rejected":
        return None
    answer = client.post(f"/v1/training-runs/{run}/publication", json={"reason": "to see it beside stable"})
    return int(answer.raise_for_status().json()["version"])


def take(url: str, folder: Path, readme: Path | None) -> None:
    """Every page in every form."""
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for form, size in FORMS.items():
            _take_form(browser, url, folder, form, size, readme)


def _take_form(
    browser: Browser, url: str, folder: Path, form: str, size: tuple[int, int], readme: Path | None
) -> None:
    with tab(browser, url, scheme=form, size=size) as visit:
        for name in PAGES:
            visit.open(name)
            if name == "predict":
                _predict_some(visit)
            _look_through(visit)
            visit.page.screenshot(path=folder / f"{name}-{form}.png", full_page=form != "phone")
            if readme and (name, form) in README:
                visit.page.screenshot(path=readme / f"{name}.jpg", type="jpeg", quality=80)


def _look_through(visit: Visit) -> None:
    """Down and up again: pictures are loaded when they come into sight."""
    height = visit.page.evaluate("document.documentElement.scrollHeight")
    for top in (*range(0, height, 600), 0):
        visit.page.evaluate("top => scrollTo(0, top)", top)
        visit.page.wait_for_timeout(100)
    while not visit.page.evaluate("[...document.images].every((image) => image.complete)"):
        visit.page.wait_for_timeout(50)  # the page's policy forbids wait_for_function, which evaluates text


def _predict_some(visit: Visit) -> None:
    """Four answers to look at, one of them corrected."""
    files = [
        {"name": f"{label}.png", "mimeType": "image/png", "buffer": picture(label, 900, 160)}
        for label in ("ship", "airplane", "frog", "dog")
    ]
    visit.page.locator("#files").set_input_files(files)  # type: ignore[arg-type]
    visit.page.get_by_text("4 pictures answered", exact=True).wait_for()
    visit.page.get_by_role("article", name="Prediction of dog.png").focus()
    visit.page.keyboard.press(str((LABELS.index("dog") + 1) % 10))
    visit.page.get_by_role("button", name="Take back").wait_for()


if __name__ == "__main__":
    sys.exit(main())
