"""The scenes of the demo: the whole loop as a person clicks through it, each with a sentence that says why.

Every scene waits for what it shows, so a scene that does not find it fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from load_tests.dashboard.browsing import Visit
from load_tests.dashboard.drawing import LABELS, picture
from load_tests.dashboard.film import Film

LOADING_MS = 60_000
TRAINING_MS = 900_000
SEVERAL = ("airplane", "truck", "frog", "dog", "horse", "ship")
BULK = 25
"""Pictures of each of two classes that the bulk upload brings."""


@dataclass
class Demo:
    """The page, its film, and how long a person needs to read."""

    visit: Visit
    film: Film
    folder: Path
    """Where pictures to upload are drawn."""
    reading_seconds: float

    @property
    def page(self) -> Page:
        """The tab."""
        return self.visit.page

    def show(self, name: str) -> None:
        """Keep a picture, and leave it on the screen for a while."""
        self.page.wait_for_timeout(300)  # lazy pictures
        self.film.picture(name)
        self.page.wait_for_timeout(1000 * self.reading_seconds)

    def choose(self, field: str, labels: tuple[str, ...], seed: int) -> None:
        """Drawn pictures into a file field, named after what they show."""
        files = [
            {"name": f"{label}.png", "mimeType": "image/png", "buffer": picture(label, seed, 160)}
            for label in labels
        ]
        self.page.locator(field).set_input_files(files)  # type: ignore[arg-type]


def overview(demo: Demo) -> None:
    """Where a person lands."""
    demo.visit.open("overview")
    demo.film.caption("The overview: what needs attention, uptime, latency, versions")
    demo.show("overview")


def predict_one(demo: Demo) -> None:
    """One picture."""
    demo.visit.open("predict")
    demo.film.caption("A picture is dropped; ranked labels come back, with the version that answered")
    demo.choose("#files", ("ship",), 900)
    demo.page.get_by_text("1 picture answered", exact=True).wait_for(timeout=LOADING_MS)
    demo.show("predict-one")


def predict_several(demo: Demo) -> None:
    """Many pictures, and a correction by one key."""
    demo.film.caption("Several at once. One key says what is right, and the picture becomes an example")
    demo.choose("#files", SEVERAL, 901)
    last = demo.page.get_by_role("article", name="Prediction of airplane.png")
    last.wait_for(timeout=LOADING_MS)
    for label in ("dog", "horse"):
        card = demo.page.get_by_role("article", name=f"Prediction of {label}.png")
        card.focus()
        demo.page.keyboard.press(str((LABELS.index(label) + 1) % 10))
        expect(card.get_by_role("button", name="Take back")).to_be_visible(timeout=LOADING_MS)
    demo.show("predict-several")


def history(demo: Demo) -> None:
    """What was answered."""
    demo.visit.open("history")
    demo.film.caption("The history: every answer, searched by label, version and confidence")
    demo.show("history")


def insights(demo: Demo) -> None:
    """Plots that say what they mean."""
    demo.visit.open("insights")
    demo.film.caption("Pictures of data and model, each with a sentence computed from it")
    demo.show("insights")
    panels = demo.page.locator("main .panel")
    for number in range(2, panels.count(), 3):
        _scroll_to(panels.nth(number))
        demo.page.wait_for_timeout(500 * demo.reading_seconds)
    demo.film.picture("insights-further")


def _scroll_to(place: Locator) -> None:
    place.evaluate("each => each.scrollIntoView({block: 'start'})")


def bulk_upload(demo: Demo) -> None:
    """A folder of class folders."""
    for label in ("frog", "ship"):
        (demo.folder / "mine" / label).mkdir(parents=True)
        for seed in range(BULK):
            (demo.folder / "mine" / label / f"{seed}.png").write_bytes(picture(label, 5000 + seed))
    demo.visit.open("data")
    demo.film.caption("Bulk upload: a folder of class folders, or an archive; a report for each file")
    demo.page.locator("#upload-folder").set_input_files(demo.folder / "mine")
    expect(demo.page.get_by_text(f"{2 * BULK} files")).to_be_visible()
    demo.page.get_by_role("button", name="Upload", exact=True).click()
    expect(demo.page.get_by_text(f"{2 * BULK} added")).to_be_visible(timeout=LOADING_MS)
    demo.show("bulk-upload")


def retrain(demo: Demo) -> None:
    """The curves grow while it trains."""
    page = demo.page
    demo.visit.open("training")
    demo.film.caption("Retraining on data, uploads and corrections; progress and curves are live")
    page.get_by_role("radio", name="Tiny").check()
    page.get_by_label("Learn from").select_option("dataset")
    page.get_by_role("button", name="Retrain").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible(timeout=LOADING_MS)
    line = page.locator(".curves .line").first
    line.wait_for(state="attached", timeout=TRAINING_MS)
    for _ in range(3):  # epochs
        expect(line).not_to_have_attribute("d", line.get_attribute("d") or "", timeout=TRAINING_MS)
    demo.film.picture("training")
    expect(_made(page).or_(_refused(page))).to_be_visible(timeout=TRAINING_MS)
    demo.show("trained")


def _made(page: Page) -> Locator:
    return page.get_by_text(re.compile(r"It made version \d+"))


def _refused(page: Page) -> Locator:
    return page.get_by_text("and the gate refused to publish it")


def verdict(demo: Demo) -> None:
    """What the gate says; against a refusal a person may publish, with a reason."""
    demo.film.caption("The gate compares it with the version in service, picture by picture, and says why")
    _scroll_to(demo.page.get_by_role("table", name="Checks of the gate"))
    demo.show("verdict")
    if _refused(demo.page).is_visible():
        demo.page.get_by_role("button", name="Publish it all the same").click()
        demo.page.get_by_role("textbox", name=re.compile("Reason")).fill("to see it beside stable")
        demo.page.get_by_role("button", name="Publish", exact=True).click()
        demo.visit.settle("versions")


def promote(demo: Demo) -> None:
    """The new version answers."""
    page = demo.page
    demo.visit.open("versions")
    demo.film.caption("The new version is promoted, with a reason that the audit log keeps")
    page.get_by_label("Promote").select_option("2")
    page.get_by_role("textbox", name=re.compile("Reason")).fill("tried on the pictures of the demo")
    page.get_by_role("button", name="Promote", exact=True).click()
    stable = page.locator(".role").filter(has_text="Stable").locator(".figure")
    expect(stable).to_have_text("Version 2", timeout=LOADING_MS)
    demo.show("versions")


def predict_again(demo: Demo) -> None:
    """Without a restart."""
    demo.visit.open("predict")
    demo.film.caption("The next picture is answered by it; nothing was restarted, no request lost")
    demo.choose("#files", ("frog",), 902)
    expect(demo.page.get_by_text("Version 2 ·")).to_be_visible(timeout=LOADING_MS)
    demo.show("predict-new-version")


def roll_back(demo: Demo) -> None:
    """One move."""
    page = demo.page
    demo.visit.open("versions")
    demo.film.caption("And back again in one move: both versions stay loaded")
    page.get_by_role("button", name="Roll back to version 1").click()
    page.get_by_role("button", name="Roll back", exact=True).click()
    stable = page.locator(".role").filter(has_text="Stable").locator(".figure")
    expect(stable).to_have_text("Version 1", timeout=LOADING_MS)
    demo.show("rolled-back")


def load_tests(demo: Demo) -> None:
    """What was measured."""
    demo.visit.open("loadtests?name=replicas")
    demo.film.caption("Load tests: 50, 100 and 200 users on one, two and three replicas")
    demo.page.locator("main .panel").nth(1).wait_for(timeout=LOADING_MS)
    demo.visit.settle("loadtests")
    demo.show("load-tests")


def overview_again(demo: Demo) -> None:
    """What is left of all that."""
    demo.visit.open("overview")
    demo.film.caption("All of it in numbers: traffic, both versions, the latest runs and changes")
    demo.show("overview-again")


Scene = Callable[[Demo], None]
LOOKING: tuple[Scene, ...] = (overview, predict_one, predict_several, history, insights, bulk_upload)
LEARNING: tuple[Scene, ...] = (retrain, verdict, promote, predict_again, roll_back)
SCENES: tuple[Scene, ...] = (*LOOKING, *LEARNING, load_tests, overview_again)
