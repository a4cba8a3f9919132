"""What each page weighs, and when it first shows something: `python -m load_tests.dashboard.weight`.

Opens every page in a browser without a cache and prints the bytes of its files, of the API's answers and of
pictures, and the milliseconds to the first and to the largest contentful paint. With `--rows 1000000` there
are a million made-up predictions of 90 days below the real ones.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from load_tests.dashboard.browsing import PAGES, chromium, tab
from load_tests.dashboard.stack import fill, running_stack
from load_tests.history import rows

HEADS = ("page", "files, kB", "api, kB", "pictures, kB", "total, kB", "first paint, ms", "largest, ms")
PAINTS = """() => new Promise((done) => {
  new PerformanceObserver((list) => {
    const first = performance.getEntriesByName("first-contentful-paint")[0];
    done([first?.startTime ?? null, list.getEntries().at(-1).startTime]);
  }).observe({ type: "largest-contentful-paint", buffered: true });
})"""


@dataclass
class Weight:
    """One page, opened once."""

    kinds: Counter[str] = field(default_factory=Counter)
    """Bytes on the wire by kind: files, api, pictures."""
    first_paint_ms: float = 0.0
    largest_paint_ms: float = 0.0

    @property
    def total(self) -> int:
        """All bytes."""
        return self.kinds.total()


def main() -> int:
    """Open, print; 1 when a page weighs more than the limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--rows", type=int, default=0, help="made-up predictions below the real ones")
    parser.add_argument("--url", help="a running gateway; default: a stack of its own")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit-kb", type=float, default=500)
    options = parser.parse_args()
    with _served(options.url, options.rows) as url, chromium() as browser:
        weights = {name: [_opened(browser, url, name) for _ in range(options.rounds)] for name in PAGES}
    print(_row(HEADS))
    for name, found in weights.items():
        print(_line(name, found))
    heaviest, name = max((one.total / 1000, name) for name, found in weights.items() for one in found)
    print(f"heaviest of all rounds: {name}, {heaviest:.0f} kB of {options.limit_kb:.0f}")
    return 0 if heaviest <= options.limit_kb else 1


def _line(name: str, found: list[Weight]) -> str:
    middle = sorted(found, key=lambda one: one.total)[len(found) // 2]
    sizes = [f"{middle.kinds[kind] / 1000:.1f}" for kind in ("files", "api", "pictures")]
    first = statistics.median(one.first_paint_ms for one in found)
    largest = statistics.median(one.largest_paint_ms for one in found)
    return _row((name, *sizes, f"{middle.total / 1000:.1f}", f"{first:.0f}", f"{largest:.0f}"))


def _row(cells: Sequence[str]) -> str:
    return f"{cells[0]:<12}" + "".join(f"{cell:>15}" for cell in cells[1:])


@contextmanager
def _served(given: str | None, row_count: int) -> Iterator[str]:
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="rekindle-") as name:
        folder = Path(name)
        if row_count:
            _make_up(folder / "data", row_count)
        with running_stack(folder) as stack:
            fill(stack.url, examples=24, predictions=120, looked_at=60)
            yield stack.url


def _make_up(data: Path, row_count: int) -> None:
    """Predictions in the database that the stack will find."""
    data.mkdir()
    url = f"sqlite:///{data}/gateway.sqlite3"
    environment = os.environ | {"GATEWAY_DATABASE__URL": url}
    subprocess.run([sys.executable, "-m", "gateway", "migrate"], check=True, env=environment)
    rows.fill(url, row_count)


def _opened(browser: Browser, url: str, name: str) -> Weight:
    """One visit with an empty cache."""
    weight = Weight()
    with tab(browser, url) as visit:
        network = visit.page.context.new_cdp_session(visit.page)
        network.send("Network.enable")
        addresses: dict[str, str] = {}
        network.on(
            "Network.requestWillBeSent",
            lambda sent: addresses.update({sent["requestId"]: sent["request"]["url"]}),
        )
        network.on("Network.loadingFinished", lambda done: _weigh(weight, addresses, done))
        visit.open(name)
        visit.page.wait_for_timeout(500)
        weight.first_paint_ms, weight.largest_paint_ms = visit.page.evaluate(PAINTS)
    return weight


def _weigh(weight: Weight, addresses: dict[str, str], done: dict[str, Any]) -> None:
    address = addresses.get(done["requestId"], "").partition("?")[0]
    if address.startswith("data:"):
        return
    kind = (
        "pictures"
        if address.endswith("/image") or "/plots/" in address
        else "api"
        if "/v1/" in address
        else "files"
    )
    weight.kinds[kind] += int(done["encodedDataLength"])


if __name__ == "__main__":
    sys.exit(main())
