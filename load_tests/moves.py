"""Versions that move under 200 users: `make moves`.

A version is published, promoted, rolled back, made a canary, given a larger share and withdrawn while 200
users predict without a pause. Prints the failures, and p99 around each move beside p99 while nothing
moves.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.layout import ModelPaths, publish
from load_tests.callers import generator
from load_tests.callers.generator import Load, Outcome
from load_tests.callers.samples import Sample, latencies
from load_tests.processes.stack import RunningStack, running_stack

STEADY_SECONDS = 12.0
AFTER_SECONDS = 5.0
GOAL_RATIO = 2.0
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Move:
    """One move: when it began, and when all of it was seen."""

    name: str
    began: float
    ended: float


def moves(stack: RunningStack, paths: ModelPaths, source: Path) -> list[Move]:
    """All moves, one after the other, with a pause in between."""
    client, model = stack.client, paths.root.name
    time.sleep(STEADY_SECONDS)

    def stable_is(version: int) -> Callable[[], bool]:
        return lambda: client.rollout(model).rollout["stable"] == version

    def version_two() -> Callable[[], bool]:
        client.change_rollout(model, policy="follow-latest")
        publish(source, paths, "moves")
        return stable_is(2)

    def back() -> Callable[[], bool]:
        client.roll_back(model, "a drill")
        return stable_is(1)

    def change(done: Callable[[], bool], **changes: Any) -> Callable[[], Callable[[], bool]]:
        def begin() -> Callable[[], bool]:
            client.change_rollout(model, **changes)
            return done

        return begin

    def canary_answers() -> bool:
        return 2 in client.rollout(model).answering

    todo = {
        "publish and swap": version_two,
        "roll back": back,
        "canary of a tenth": change(canary_answers, canary=2, canary_share=0.1, policy="gated"),
        "canary of a half": change(canary_answers, canary_share=0.5),
        "promote the canary": change(stable_is(2), stable=2),
        "roll back again": back,
    }
    return [_move(name, begin) for name, begin in todo.items()]


def _move(name: str, begin: Callable[[], Callable[[], bool]]) -> Move:
    began = time.time()
    is_done = begin()
    while not is_done():
        if time.time() - began > PATIENCE_SECONDS:
            raise TimeoutError(f"{name}: not done after {PATIENCE_SECONDS:.0f} s")
        time.sleep(0.05)
    time.sleep(AFTER_SECONDS)
    print(f"{name}: {time.time() - began - AFTER_SECONDS:.1f} s", file=sys.stderr, flush=True)
    return Move(name, began, time.time())


def report(outcome: Outcome, made: Sequence[Move]) -> dict[str, Any]:
    """Failures, and p99 by move."""
    steady = [one for one in outcome.samples if one.ended_at < made[0].began]
    usual = latencies(steady).p99
    failed = [one.problem for one in outcome.samples if one.problem]
    by_move = {move.name: _of_move(outcome.samples, move, usual) for move in made}
    return {
        "requests": len(outcome.samples),
        "failed": len(failed),
        "problems": failed[:3],
        "requests/s": round(outcome.right_answers / outcome.seconds, 1),
        "steady p99, ms": round(usual, 1),
        "moves": by_move,
    }


def _of_move(found: Sequence[Sample], move: Move, usual: float) -> dict[str, float]:
    inside = [one for one in found if move.began <= one.ended_at <= move.ended]
    p99 = latencies(inside).p99
    return {
        "seconds": round(move.ended - AFTER_SECONDS - move.began, 1),
        "p99_ms": round(p99, 1),
        "p99 by steady p99": round(p99 / usual, 2),
    }


def measure(stack: RunningStack, paths: ModelPaths, source: Path, users: int) -> dict[str, Any]:
    """Users all the while, moves one after the other."""
    made: list[Move] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            made.extend(moves(stack, paths, source))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work, name="moves")
    load = Load(users, seconds=STEADY_SECONDS + 90, warm_up_seconds=5)
    thread.start()
    outcome = generator.run(load, stack.url, paths.root.name, {})
    thread.join()
    if failure:
        raise failure[0]
    return report(outcome, [move for move in made if move.ended <= outcome.samples[-1].ended_at])


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a request failed or p99 more than doubled."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--users", type=int, default=200)
    options = parser.parse_args(argv)
    bundled = ModelPaths(options.models, options.model)
    source = bundled.version(bundled.versions()[-1])
    with tempfile.TemporaryDirectory(prefix="rekindle-") as folder:
        paths = ModelPaths(Path(folder), options.model)
        shutil.copytree(source, paths.version(1))
        with running_stack(paths.store) as stack:
            found = measure(stack, paths, source, options.users)
    print(json.dumps(found, indent=2))
    worst = max(move["p99 by steady p99"] for move in found["moves"].values())
    return int(bool(found["failed"]) or worst > GOAL_RATIO)


if __name__ == "__main__":
    sys.exit(main())
