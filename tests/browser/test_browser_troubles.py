"""What goes wrong while a page is open: it says so, keeps what was typed, and recovers by itself."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Route, expect

from gateway.access.callers import Role
from gateway.access.tokens import create
from load_tests.dashboard.browsing import Visit
from load_tests.dashboard.drawing import picture

from .gateways import Gateway

pytestmark = [pytest.mark.stack, pytest.mark.tensorflow]

OpenTab = Callable[..., Visit]
RECOVERED_MS = 60_000


def test_a_gateway_that_goes_and_comes_back(start_gateway: Callable[..., Gateway], open_tab: OpenTab) -> None:
    """A banner, the typed word stays, and without a click everything is there again."""
    gateway = start_gateway()
    gateway.start()
    visit = open_tab(gateway.url)
    visit.open("history")
    caller = visit.page.get_by_label("Caller")
    caller.type("some")
    gateway.stop()
    banner = visit.page.get_by_text("The gateway does not answer.")
    expect(banner).to_be_visible(timeout=RECOVERED_MS)
    expect(caller).to_have_value("some")
    gateway.start()
    expect(banner).to_be_hidden(timeout=RECOVERED_MS)
    expect(caller).to_have_value("some")


def test_tokens_roles_and_a_session_that_ends(
    start_gateway: Callable[..., Gateway], open_tab: OpenTab, tmp_path: Path
) -> None:
    """Sign in; what the role may not do is not offered; a revoked token asks again over the open page."""
    reader, operator = create("reader", Role.PREDICT), create("boss", Role.OPERATE)
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{reader.line}\n{operator.line}\n")
    gateway = start_gateway(ACCESS__TOKENS_FILE=str(tokens))
    gateway.start()
    visit = open_tab(gateway.url)
    page = visit.page
    page.goto(f"{gateway.url}/#/training")
    sign_in(visit, "wrong")
    expect(page.get_by_role("alert")).to_be_visible()
    sign_in(visit, reader.secret)
    visit.settle("training")
    expect(page.get_by_text("reader · predict")).to_be_visible()
    expect(page.get_by_role("button", name="Retrain")).to_be_hidden()
    expect(page.get_by_role("link", name="Labelling")).to_be_hidden()
    visit.open("history")
    page.get_by_label("Caller").type("kept")
    tokens.write_text(f"{operator.line}\n")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=RECOVERED_MS)
    sign_in(visit, operator.secret)
    expect(page.get_by_text("boss · operate")).to_be_visible(timeout=RECOVERED_MS)
    expect(page.get_by_label("Caller")).to_have_value("kept")
    assert "rekindle_session" not in page.evaluate("document.cookie")
    visit.open("access")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def sign_in(visit: Visit, secret: str) -> None:
    """Hand in a token."""
    visit.page.get_by_label("Token").fill(secret)
    visit.page.get_by_role("button", name="Sign in").click()


def test_half_an_answer_is_asked_for_again(open_tab: OpenTab) -> None:
    """The page says that the answer broke off, and goes on once it comes whole."""
    visit = open_tab()

    def cut(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.body()[: len(answer.body()) // 2])

    visit.page.route("**/v1/stats?*", cut)
    visit.page.goto(f"{visit.url}/#/overview")
    expect(visit.page.get_by_text("Only half of the gateway's answer came.").first).to_be_visible()
    visit.page.unroute("**/v1/stats?*")
    visit.settle("overview")
    expect(visit.page.get_by_role("heading", name="Availability")).to_be_visible()


def test_a_version_that_is_not_there(open_tab: OpenTab) -> None:
    """The page says so, and shows the versions that there are."""
    visit = open_tab()
    visit.open("versions?version=99")
    expect(visit.page.get_by_text("Version 99 is no longer there")).to_be_visible()
    visit.page.get_by_role("button", name="Version 1").click()
    expect(visit.page.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    assert visit.complaints == []


def test_a_version_that_vanishes_while_its_page_is_open(
    start_gateway: Callable[..., Gateway], open_tab: OpenTab
) -> None:
    """Deleted from the store: the page says so within seconds, without a click."""
    gateway = start_gateway()
    gateway.start()
    gated = {"policy": "gated", "reason": "nothing becomes stable here"}
    httpx.put(f"{gateway.url}/v1/models/cifar10/rollout", json=gated, trust_env=False).raise_for_status()
    second = gateway.models / "cifar10" / "2"
    shutil.copytree(gateway.models / "cifar10" / "1", second)
    visit = open_tab(gateway.url)
    visit.open("versions?version=2")
    expect(visit.page.get_by_role("heading", name="Version 2", exact=True)).to_be_visible()
    shutil.rmtree(second)
    expect(visit.page.get_by_text("Version 2 is no longer there")).to_be_visible(timeout=RECOVERED_MS)
    expect(visit.page.get_by_role("button", name="Version 1")).to_be_visible()


def test_a_clock_that_is_off_is_told(open_tab: OpenTab) -> None:
    """An hour ahead: a banner says it, and ages are counted by the gateway's clock."""
    visit = open_tab()
    visit.page.clock.set_system_time(time.time() + 3600)
    visit.open("history")
    expect(visit.page.get_by_text("clock is 1 h ahead of the gateway's")).to_be_visible()
    expect(visit.page.locator(".cell-detail").filter(has_text="h ago")).to_have_count(0)


def test_many_files_go_in_parts(open_tab: OpenTab) -> None:
    """Four hundred and one files are three requests, and each file is reported on."""
    visit = open_tab()
    visit.open("data")
    content = [picture("truck", seed, 8) for seed in range(400)] + [b"no picture"]
    files = [
        {"name": f"{number}.png", "mimeType": "image/png", "buffer": one}
        for number, one in enumerate(content)
    ]
    posts: list[str] = []
    visit.page.on("request", lambda asked: posts.append(asked.url) if asked.method == "POST" else None)
    visit.page.locator("#upload").set_input_files(files)  # type: ignore[arg-type]
    visit.page.get_by_role("combobox", name="Dataset").fill("many")
    visit.page.get_by_label("Their class").fill("truck")
    visit.page.get_by_role("button", name="Upload", exact=True).click()
    expect(visit.page.get_by_text("400 added, 1 refused")).to_be_visible(timeout=RECOVERED_MS)
    assert len(posts) == 3
    expect(visit.page.get_by_role("cell", name="400.png")).to_be_visible()
