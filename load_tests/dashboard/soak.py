"""An overview that stays open for hours: `python -m load_tests.dashboard.soak --hours 2`.

The page's clock is wound forward step by step, so that its timers fire as often as they would, and each
still asks the real gateway. Once it has settled and after each quarter of the time garbage is collected and
counted: bytes of the heap, nodes, listeners, and requests under way. Prints them; 1 when they have grown.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import CDPSession, Page, Request

from load_tests.dashboard.browsing import Visit, chromium, tab
from load_tests.dashboard.stack import fill, running_stack

STEP_SECONDS = 5
SETTLED_SECONDS = 300
"""What is kept once (compiled code, caches) is there by then."""
QUARTERS = 4
GROWTH = 1.15


@dataclass(frozen=True)
class Reading:
    """The page's memory at one moment."""

    heap_bytes: int
    nodes: int
    listeners: int
    open_requests: int


class Traffic:
    """The requests of a page: how many there were, and which are under way."""

    def __init__(self, page: Page) -> None:
        self.asked = 0
        self.under_way: set[Request] = set()
        page.on("request", self._begin)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._end)

    def _begin(self, request: Request) -> None:
        self.asked += 1
        self.under_way.add(request)

    def _end(self, request: Request) -> None:
        self.under_way.discard(request)


def main() -> int:
    """Run, print; 1 when something grew."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--url", help="a running gateway; default: a stack of its own")
    options = parser.parse_args()
    with _served(options.url) as url, chromium() as browser, tab(browser, url) as visit:
        readings, asked = soak(visit, options.hours * 3600)
    print(f"{options.hours:g} hours of the page's time, {asked} requests; settled, then after each quarter")
    for name in ("heap_bytes", "nodes", "listeners", "open_requests"):
        print(f"{name:<14}" + "".join(f"{getattr(one, name):>12,}" for one in readings))
    return 0 if is_flat(readings[0], readings[-1]) else 1


@contextmanager
def _served(given: str | None) -> Iterator[str]:
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="rekindle-") as folder, running_stack(Path(folder)) as stack:
        fill(stack.url)
        yield stack.url


def is_flat(first: Reading, last: Reading) -> bool:
    """Nothing grew by more than what noise explains."""
    return (
        last.heap_bytes <= first.heap_bytes * GROWTH
        and last.nodes <= first.nodes * GROWTH
        and last.listeners <= first.listeners * GROWTH
        and last.open_requests <= first.open_requests + 2
    )


def soak(visit: Visit, seconds: float) -> tuple[list[Reading], int]:
    """The readings once it has settled and after each quarter, and how many requests the page made."""
    page = visit.page
    page.clock.install()
    traffic = Traffic(page)
    visit.page.goto(f"{visit.url}/#/overview")
    page.clock.run_for(1000)
    visit.settle("overview")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    moments = [
        min(SETTLED_SECONDS, seconds / 5),
        *(seconds * part / QUARTERS for part in range(1, QUARTERS + 1)),
    ]
    readings: list[Reading] = []
    for passed in range(STEP_SECONDS, int(seconds) + STEP_SECONDS, STEP_SECONDS):
        page.clock.run_for(STEP_SECONDS * 1000)
        _until_answered(page, traffic)
        if passed >= moments[len(readings)]:
            readings.append(_reading(devtools, traffic))
    return readings, traffic.asked


def _until_answered(page: Page, traffic: Traffic) -> None:
    for _ in range(200):
        page.wait_for_timeout(10)
        if not traffic.under_way:
            return


def _reading(devtools: CDPSession, traffic: Traffic) -> Reading:
    for _ in range(3):
        devtools.send("HeapProfiler.collectGarbage")
    metrics = {one["name"]: int(one["value"]) for one in devtools.send("Performance.getMetrics")["metrics"]}
    return Reading(
        metrics["JSHeapUsedSize"], metrics["Nodes"], metrics["JSEventListeners"], len(traffic.under_way)
    )


if __name__ == "__main__":
    sys.exit(main())
