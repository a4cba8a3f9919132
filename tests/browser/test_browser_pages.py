"""Every page on a stack with real data: without complaints, without foreign requests, accessible."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error

from load_tests.dashboard.browsing import PAGES, PHONE, Visit

pytestmark = [pytest.mark.stack, pytest.mark.tensorflow]

OpenTab = Callable[..., Visit]


def violations(visit: Visit) -> list[str]:
    """What axe-core finds, each with the element."""
    found = Axe().run(visit.page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in found
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_quiet_and_accessible(open_tab: OpenTab, scheme: str) -> None:
    """No console error, no request to another origin, and axe-core has nothing to say."""
    visit = open_tab(scheme=scheme)
    found = {}
    for name in PAGES:
        visit.open(name)
        if problems := violations(visit):
            found[name] = problems
    assert found == {}
    assert visit.complaints == []


def test_no_page_is_wider_than_a_phone(open_tab: OpenTab) -> None:
    """Nothing hangs over the side, and the navigation opens by its button."""
    visit = open_tab(size=PHONE)
    wide = {}
    for name in PAGES:
        visit.open(name)
        width = visit.page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE[0]:
            wide[name] = width
    assert wide == {}
    visit.page.get_by_role("button", name="Menu").click()
    visit.page.get_by_role("link", name="History").click()
    visit.settle("history")
    assert visit.complaints == []


def test_the_policy_lets_no_text_become_markup(open_tab: OpenTab) -> None:
    """Whoever wrote innerHTML into a page would see the browser refuse it, as it refuses inline scripts."""
    visit = open_tab()
    visit.open("access")
    with pytest.raises(Error, match="TrustedHTML"):
        visit.page.evaluate("document.body.innerHTML = '<p>text</p>'")
    with pytest.raises(Error, match="TrustedScript"):
        visit.page.evaluate("document.querySelector('h1').setAttribute('onclick', 'window.hacked = 1')")
    visit.page.evaluate("document.body.append(Object.assign(document.createElement('p'), {id: 'mark'}))")
    assert visit.page.locator("#mark").count() == 1


def test_pages_can_be_used_by_the_keyboard_alone(open_tab: OpenTab) -> None:
    """Tab reaches the skip link, then the navigation; Enter follows it; the focus shows."""
    visit = open_tab()
    visit.open("overview")
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.textContent") == "Skip to content"
    for _ in range(20):
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate("document.activeElement.textContent") == "Labelling":
            break
    outline = visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    visit.page.keyboard.press("Enter")
    visit.settle("labelling")
