"""Two versions at once: a share of traffic, a shadow, the same picture; runs side by side; the camera."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from load_tests.dashboard.browsing import Visit, executable, tab
from load_tests.dashboard.drawing import picture
from load_tests.dashboard.stack import MODEL, ROOT, RunningStack, draw_base, running_stack
from rekindle.client import Client

pytestmark = [pytest.mark.stack, pytest.mark.tensorflow, pytest.mark.timeout(600)]

LOADING_MS = 60_000
STABLE, OTHER = 1, 2


def until(holds: Callable[[], bool]) -> None:
    """Ask again until it is so; the test's own time limit ends it."""
    while not holds():
        time.sleep(0.1)


@pytest.fixture(scope="module")
def two(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack whose model has the bundled version twice; 1 is stable, nothing moves by itself."""
    given = tmp_path_factory.mktemp("given")
    for version in (STABLE, OTHER):
        shutil.copytree(ROOT / "models" / MODEL / "1", given / MODEL / str(version), copy_function=os.link)
    folder = tmp_path_factory.mktemp("two")
    draw_base(folder)
    with running_stack(folder, given / MODEL) as stack:
        with Client(stack.url) as client:
            client.change_rollout(MODEL, policy="gated", stable=STABLE)
            until(lambda: client.rollout(MODEL).rollout["stable"] == STABLE)
        yield stack


@pytest.fixture
def client(two: RunningStack) -> Iterator[Client]:
    """Of the stack with two versions."""
    with Client(two.url) as client:
        yield client


def role(page: Page, name: str) -> Locator:
    """What the page says of one role of the rollout."""
    return page.locator(".role").filter(has=page.get_by_role("heading", name=name, exact=True))


def ask_for(page: Page, *names: str) -> None:
    """Give drawn frogs to the page Predict."""
    files = [
        {"name": name, "mimeType": "image/png", "buffer": picture("frog", 900 + number)}
        for number, name in enumerate(names)
    ]
    page.locator("#files").set_input_files(files)  # type: ignore[arg-type]


def test_a_canary_gets_its_share_by_the_slider_and_goes(
    two: RunningStack, client: Client, open_tab: Callable[..., Visit]
) -> None:
    """A tenth at first; the slider's value counts once it is set, and is forgotten when it is left."""
    visit = open_tab(two.url)
    page = visit.page
    visit.open("versions")
    page.get_by_label("Canary").select_option(str(OTHER))
    expect(role(page, "Canary").locator(".figure")).to_have_text(f"Version {OTHER}")
    expect(role(page, "Canary")).to_contain_text("10 % of traffic")
    slider = page.get_by_label("Share of traffic")
    slider.fill("35")
    page.get_by_role("button", name="Leave it").click()
    expect(slider).to_have_value("10")
    slider.fill("30")
    page.get_by_role("button", name="Set the share").click()
    expect(page.get_by_text("The canary's share is 30 %.")).to_be_visible()
    expect(role(page, "Stable")).to_contain_text("70 % of traffic")
    assert client.rollout(MODEL).rollout["canary_share"] == pytest.approx(0.3)
    page.get_by_label("Canary").select_option("")
    expect(page.get_by_text("There is no canary any more.")).to_be_visible()
    assert client.rollout(MODEL).rollout["canary"] is None
    assert visit.complaints == []


def test_a_shadow_answers_copies_and_two_versions_the_same_picture(
    two: RunningStack, client: Client, open_tab: Callable[..., Visit]
) -> None:
    """The shadow's agreement is told; the page Predict shows the other version's answer beside the first."""
    visit = open_tab(two.url)
    page = visit.page
    visit.open("versions")
    page.get_by_label("Shadow").select_option(str(OTHER))
    expect(role(page, "Shadow").locator(".figure")).to_have_text(f"Version {OTHER}")
    client.change_rollout(MODEL, shadow_share=1.0)  # a tenth of two predictions may be none
    until(lambda: OTHER in client.rollout(MODEL).answering)
    visit.open("predict")
    expect(page.get_by_label("Compare with").locator("option")).to_have_count(3, timeout=LOADING_MS)
    page.get_by_label("Compare with").select_option(str(OTHER))
    ask_for(page, "one.png", "two.png")
    for name in ("one.png", "two.png"):
        beside = page.get_by_role("article", name=f"Prediction of {name}").locator(".comparison")
        expect(beside).to_contain_text(f"Version {OTHER} same answer", timeout=LOADING_MS)
    visit.open("versions")
    expect(page.get_by_text("They gave the same answer to 100.0 % of")).to_be_visible(timeout=LOADING_MS)
    page.get_by_label("Shadow").select_option("")
    expect(page.get_by_text("There is no shadow any more.")).to_be_visible()
    assert visit.complaints == []


def test_runs_stand_side_by_side(two: RunningStack, client: Client, open_tab: Callable[..., Visit]) -> None:
    """Two runs that are ticked: a curve of each, and their numbers in columns."""
    runs = []
    for seed in (1, 2):
        run = client.start_run(MODEL, preset="tiny", epochs=2, start="none", seed=seed)
        until(lambda name=run.id: client.run(name).is_final)
        runs.append(run)
    visit = open_tab(two.url)
    page = visit.page
    visit.open("training")
    for run in runs:
        page.get_by_label(f"Compare run {run.id[:12]}").check()
    numbers = page.get_by_role("table", name="The runs' numbers")
    for run in runs:
        expect(numbers.get_by_role("columnheader", name=f"tiny {run.id[:8]}")).to_be_visible()
    expect(numbers.get_by_role("row", name="Epochs told")).to_contain_text("22")
    expect(numbers.get_by_role("row", name="Seed")).to_contain_text("12")
    expect(page.get_by_text("is the most accurate of them")).to_be_visible()
    assert visit.complaints == []


def test_a_photograph_is_predicted(two: RunningStack, browser: Browser) -> None:
    """Chromium's drawn camera: one picture is taken, named, and answered."""
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    filming = browser.browser_type.launch(executable_path=executable(), args=flags)
    with closing(filming), tab(filming, two.url) as visit:
        page = visit.page
        visit.open("predict")
        page.get_by_role("button", name="Camera").click()
        page.get_by_role("button", name="Take the picture").click()
        card = page.get_by_role("article", name="Prediction of camera.jpg")
        expect(card).to_contain_text("in all: decode", timeout=LOADING_MS)
        assert visit.complaints == []


def test_a_camera_that_nobody_may_use_is_told(two: RunningStack, open_tab: Callable[..., Visit]) -> None:
    """Without a camera the dialog says what else can be done, and closes."""
    visit = open_tab(two.url)
    page = visit.page
    visit.open("predict")
    page.get_by_role("button", name="Camera").click()
    dialog = page.get_by_role("dialog", name="Camera")
    expect(dialog.locator(".notice")).to_contain_text("camera")
    expect(dialog.get_by_role("button", name="Take the picture")).to_be_disabled()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
