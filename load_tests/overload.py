"""Three times what one replica can do: `make overload` (Linux, as root).

Measures the capacity of one limited replica by a closed load, then sends three times as many calls a second
whatever is answered, then half the capacity at once. Prints the goodput as a share of the capacity, how the
rest was refused and how fast, and how long after the overload the answers were as quick as before.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from load_tests.callers import generator, samples
from load_tests.callers.generator import Load, Outcome
from load_tests.callers.samples import Sample, latencies
from load_tests.processes.fleet import Gateway, QuietConsole, fleet

REFUSALS = (429, 503)
GOAL_GOODPUT = 0.9
GOAL_REFUSAL_MS = 100.0
GOAL_RECOVERY_SECONDS = 5.0
SOURCES = 20
LIGHT = 0.5
"""Of the capacity: the load before and after, by whose p99 the recovery is judged."""


def judged(outcome: Outcome, capacity: float) -> dict[str, Any]:
    """The figures of an overload."""
    right = [one for one in outcome.samples if not one.problem]
    refused = [one for one in outcome.samples if one.status in REFUSALS]
    waits = sorted(one.milliseconds for one in refused)
    return {
        "calls/s": round(len(outcome.samples) / outcome.seconds, 1),
        "goodput/s": round(len(right) / outcome.seconds, 1),
        "goodput of capacity": round(len(right) / outcome.seconds / capacity, 3),
        "p99 of the answered, ms": round(latencies(right).p99, 1),
        "statuses": dict(Counter(one.status for one in outcome.samples)),
        "refused without Retry-After": sum(not one.retry_after for one in refused),
        "refused, p50 ms": round(samples.percentile(waits, 0.5), 1) if waits else None,
        "refused, p99 ms": round(samples.percentile(waits, 0.99), 1) if waits else None,
        "CPUs": {name: round(used, 2) for name, used in outcome.cpus.items()},
    }


def recovery_seconds(found: Sequence[Sample], begin: float, usual_p99_ms: float) -> float:
    """Seconds after `begin` of the last answer that was wrong or took more than twice the usual p99.

    Stragglers, one in a hundred at most, are what a p99 allows.
    """
    late = [one for one in found if one.problem or one.milliseconds > 2 * usual_p99_ms]
    allowed = len(found) // 100
    kept = sorted(late, key=lambda one: one.ended_at)
    last = kept[: len(kept) - allowed] if allowed else kept
    return max((one.ended_at - begin for one in last), default=0.0)


def measure(gateway: Gateway, model: str, seconds: float, times: float) -> dict[str, Any]:
    """Capacity, the usual wait, the overload, and what comes after it."""
    full = generator.run(Load(200, seconds=seconds), gateway.url, model, gateway.pids)
    capacity = full.images_per_second
    light = Load(SOURCES, LIGHT * capacity, seconds=seconds)
    usual = latencies(generator.run(light, gateway.url, model, {}).samples).p99
    heavy = Load(SOURCES, times * capacity, seconds=seconds, warm_up_seconds=5)
    outcome, after, ended = _one_after_the_other(gateway, model, heavy, light)
    recovered = recovery_seconds(after.samples, ended, usual)
    return {
        "capacity, images/s": round(capacity, 1),
        **judged(outcome, capacity),
        "p99 at half the capacity, ms": round(usual, 1),
        "seconds until as quick again": round(recovered, 2),
    }


def _one_after_the_other(
    gateway: Gateway, model: str, heavy: Load, light: Load
) -> tuple[Outcome, Outcome, float]:
    """The light load runs all the while, so that nothing lies between the overload and what follows it."""
    found: list[Outcome] = []
    whole = Load(light.users, light.arrivals, seconds=heavy.seconds + 30, warm_up_seconds=0)
    background = threading.Thread(
        target=lambda: found.append(generator.run(whole, gateway.url, model, {})), name="light load"
    )
    background.start()
    rest = Load(heavy.users, heavy.arrivals - light.arrivals, seconds=heavy.seconds)
    outcome = generator.run(rest, gateway.url, model, gateway.pids)
    ended = max(one.ended_at for one in outcome.samples)
    background.join()
    during = [one for one in found[0].samples if outcome.samples[0].ended_at <= one.ended_at <= ended]
    after = [one for one in found[0].samples if one.ended_at > ended]
    together = Outcome([*outcome.samples, *during], outcome.seconds, outcome.cpus)
    return together, Outcome(after, time.time() - ended, {}), ended


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--cpus", type=float, default=0.25)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--times", type=float, default=3.0, help="of the capacity")
    options = parser.parse_args(argv)
    with fleet(options.models, 1, options.cpus, QuietConsole()) as servers, servers.gateway(1) as gateway:
        found = measure(gateway, options.model, options.seconds, options.times)
    print(json.dumps(found, indent=2))
    refusals = {status for status in found["statuses"] if status != 200}
    is_met = (
        found["goodput of capacity"] >= GOAL_GOODPUT
        and refusals <= set(REFUSALS)
        and not found["refused without Retry-After"]
        and (found["refused, p99 ms"] or 0.0) <= GOAL_REFUSAL_MS
        and found["seconds until as quick again"] <= GOAL_RECOVERY_SECONDS
    )
    return int(not is_met)


if __name__ == "__main__":
    sys.exit(main())
