"""Fixtures of the browser's tests: Chromium, one stack with real data, and small gateways beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from load_tests.dashboard.browsing import Visit, chromium, executable, tab
from load_tests.dashboard.stack import RunningStack, draw_base, fill, running_stack

from .gateways import Gateway

REQUIRED = os.environ.get("REKINDLE_REQUIRE_ALL_TESTS") == "1"


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; without it these tests are skipped, and fail where all tests are required."""
    if executable() is None and not REQUIRED:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    with chromium() as found:
        yield found


@pytest.fixture(scope="package")
def stack(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Model server and gateway on the bundled model, with pictures, predictions and corrections."""
    folder = tmp_path_factory.mktemp("stack")
    draw_base(folder)
    with running_stack(folder) as running:
        fill(running.url)
        yield running


@pytest.fixture
def open_tab(browser: Browser, stack: RunningStack) -> Iterator[Callable[..., Visit]]:
    """Opens tabs on the stack, or on another address, and closes them after the test."""
    with ExitStack() as tabs:

        def opened(url: str = stack.url, **options: Any) -> Visit:
            return tabs.enter_context(tab(browser, url, **options))

        yield opened


@pytest.fixture
def start_gateway(stack: RunningStack, tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Starts gateways with a history of their own before the stack's model server."""
    with ExitStack() as gateways:

        def started(**variables: str) -> Gateway:
            return gateways.enter_context(Gateway(tmp_path, stack, variables))

        yield started
