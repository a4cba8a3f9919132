"""How often a canary is rolled back, by simulation with the very functions that judge live ones.

`python -m gateway.canary.simulation` prints the false alarms of an equally good canary, and how soon worse
ones are seen, at the settings of the environment and a stated load.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.canary.judging import NOTHING, Sums, rules_of
from gateway.ports.canary import SIGNALS, Signal, Table
from gateway.settings import CanarySettings, load_settings

DIFFERENCES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
NOTICE_SECONDS = 5.0
"""From an answer to its evidence, and from a verdict to the canary's last answer: not the test's own time."""


@dataclass(frozen=True)
class Plan:
    """A load, and how good both versions are at it."""

    seconds: int = 120
    block_seconds: int = 1
    requests_per_second: float = 50.0
    canary_share: float = 0.1
    feedback_share: float = 0.2
    failed: float = 0.001
    slow: float = 0.02
    wrong: float = 0.09
    """Shares of stable."""
    canary_failed: float | None = None
    canary_slow: float | None = None
    canary_wrong: float | None = None
    """None: as stable."""

    def rates(self, signal: Signal) -> tuple[float, float]:
        """Of canary and stable."""
        stable = {"errors": self.failed, "latency": self.slow, "accuracy": self.wrong}[signal]
        canary = {"errors": self.canary_failed, "latency": self.canary_slow, "accuracy": self.canary_wrong}
        given = canary[signal]
        return (stable if given is None else given), stable


def seconds_until_rollback(plan: Plan, settings: CanarySettings, chance: random.Random) -> int | None:
    """One course; None when the canary is still there at its end."""
    rules, sums = rules_of(settings), {signal: Sums(NOTHING) for signal in SIGNALS}
    needed = {signal: -math.log(rule.false_alarms) for signal, rule in rules.items()}
    for second in range(plan.block_seconds, plan.seconds + 1, plan.block_seconds):
        for signal in SIGNALS:
            sums[signal] = sums[signal].with_block(_block(plan, signal, chance), rules[signal])
            if sums[signal].peak >= needed[signal]:
                return second
    return None


def _block(plan: Plan, signal: Signal, chance: random.Random) -> Table:
    answers = plan.requests_per_second * plan.block_seconds
    if signal == "accuracy":
        answers *= plan.feedback_share
    canary_rate, stable_rate = plan.rates(signal)
    canary = _binomial(round(answers), plan.canary_share, chance)
    stable = round(answers) - canary
    return Table(
        canary, _binomial(canary, canary_rate, chance), stable, _binomial(stable, stable_rate, chance)
    )


def _binomial(count: int, rate: float, chance: random.Random) -> int:
    if count > 200 and count * rate * (1 - rate) > 30:
        spread = (count * rate * (1 - rate)) ** 0.5
        return min(count, max(0, round(chance.gauss(count * rate, spread))))
    return sum(chance.random() < rate for _ in range(count))


def share_rolled_back(
    plan: Plan, settings: CanarySettings, courses: int, seed: int
) -> tuple[float, Sequence[int]]:
    """The share of courses that end with a rollback, and after how many seconds they do, ascending."""
    chance = random.Random(seed)  # noqa: S311
    ends = [seconds_until_rollback(plan, settings, chance) for _ in range(courses)]
    seconds = sorted(end for end in ends if end is not None)
    return len(seconds) / courses, seconds


def main() -> None:
    """Print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--courses", type=int, default=400)
    parser.add_argument("--equal-seconds", type=int, default=3600, help="of an equally good canary")
    parser.add_argument("--within-seconds", type=int, default=120)
    options = parser.parse_args()
    settings, plan = load_settings().canary, Plan()
    equal = replace(plan, seconds=options.equal_seconds, block_seconds=10)
    stated = [rule.false_alarms for rule in rules_of(settings).values()]
    false, _ = share_rolled_back(equal, settings, options.courses, seed=1)
    within = options.within_seconds - round(NOTICE_SECONDS)
    found = {
        "load": {
            "requests per second": plan.requests_per_second,
            "canary's share": plan.canary_share,
            "with feedback": plan.feedback_share,
        },
        "false alarms": {
            "courses": options.courses,
            "seconds each": equal.seconds,
            "stated": round(sum(stated), 6),
            "found": false,
        },
        f"rolled back within {options.within_seconds} s": [
            _line(replace(plan, seconds=4 * within, canary_wrong=plan.wrong + points), settings, within)
            | {"points of accuracy lost": points}
            for points in DIFFERENCES
        ],
        "errors, 5 % of the calls": _line(
            replace(plan, seconds=within, canary_failed=0.05), settings, within
        ),
        "slow, a fifth of the calls": _line(replace(plan, seconds=within, canary_slow=0.2), settings, within),
    }
    print(json.dumps(found, indent=2))


def _line(plan: Plan, settings: CanarySettings, within: int) -> dict[str, float | None]:
    courses = 200
    _, seconds = share_rolled_back(plan, settings, courses, seed=2)
    return {
        "share": round(sum(end <= within for end in seconds) / courses, 3),
        "median seconds": statistics.median(seconds) if seconds else None,
    }


if __name__ == "__main__":
    main()
