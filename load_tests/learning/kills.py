"""SIGKILL at many moments of a fine-tune under traffic: `python -m load_tests.learning.kills DATA`.

A run is timed once, then as many are started as there shall be kills, and each is killed at its own moment,
evenly from its start to its end, while clients predict without a pause. A run that has ended before its
moment is timed anew. Shown are the ends of the runs, the version that answered, and how many predictions
failed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from load_tests.learning.service import finished, in_service
from load_tests.learning.stores import Stores, chosen_of
from load_tests.swap import Tally, predict_until
from rekindle.answers.training import Run
from rekindle.client import Client

UPLOADS_A_CLASS = 20
NEVER_KILLED = ", had ended before the kill"
TRIES = 3
"""Of one kill: a run that ends before its moment tells that runs have become shorter."""


def main() -> int:
    """Measure and print; 1 when a prediction failed, stable changed, or a run could not be killed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("data", type=Path, help="class folders in train/ and test/")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--version", type=Path, help="begin with this version instead of training one")
    parser.add_argument("--train", type=int, default=500, help="base pictures a class (default: %(default)s)")
    parser.add_argument("--epochs", type=int, help="of the preset's, fewer")
    parser.add_argument("--preset", default="tiny")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rekindle-kills-") as folder:
        stores = Stores(Path(folder), "model")
        protected = slice(UPLOADS_A_CLASS, None)
        stores.begin(options.data, options.train, protected, options.version, options.preset)
        for path in chosen_of(options.data / "test", slice(0, UPLOADS_A_CLASS)):
            stores.upload(path.parent.name, path.read_bytes())
        return _measure(stores, options)


def _measure(stores: Stores, options: argparse.Namespace) -> int:
    picture = next(chosen_of(options.data / "test", slice(0, 1))).read_bytes()
    tally, stopped = Tally(), threading.Event()
    with in_service(stores) as stack:
        client = stack.client
        client.change_rollout(stores.model, policy="gated")  # what is published must not move stable
        arguments = (stopped, stack.url, stores.model, picture, tally)
        clients = [threading.Thread(target=predict_until, args=arguments) for _ in range(options.clients)]
        for thread in clients:
            thread.start()
        try:
            seconds, ends = _kill_many(client, stores, options)
            stable = client.rollout(stores.model).rollout["stable"]
        finally:
            stopped.set()
            for thread in clients:
                thread.join()
    print(f"an undisturbed fine-tune took {seconds:.0f} s; then {options.kills} were killed")
    print(f"ends of the killed runs   {dict(ends)}")
    print(f"stable at the end         version {stable}; answers by version {dict(tally.versions)}")
    print(f"failed predictions        {len(tally.failures)} of {sum(tally.versions.values())}")
    is_quiet = stable == 1 and set(tally.versions) == {1} and not tally.failures
    return 0 if is_quiet and not any(end.endswith(NEVER_KILLED) for end in ends) else 1


def _kill_many(client: Client, stores: Stores, options: argparse.Namespace) -> tuple[float, Counter[str]]:
    started = time.monotonic()
    first = finished(client, _start(client, stores, options))
    seconds = time.monotonic() - started
    print(f"undisturbed: {first.state} after {seconds:.0f} s", flush=True)
    ends: Counter[str] = Counter()
    for number in range(options.kills):
        for _ in range(TRIES):
            run = _start(client, stores, options)
            time.sleep(seconds * (number + 0.5) / options.kills)
            was_alive = _kill(stores, run)
            ended = finished(client, run)
            if was_alive:
                break
            seconds = _seconds(ended)
            print(f"    it had ended before the kill, after {seconds:.0f} s: once more", flush=True)
        end = f"{ended.state} ({ended.error.code if ended.error else 'no error'})"
        ends[end if was_alive else end + NEVER_KILLED] += 1
        print(f"{number + 1:3} {end}", flush=True)
    return seconds, ends


def _seconds(run: Run) -> float:
    """That an ended run took."""
    assert run.finished_at is not None
    return (run.finished_at - run.created_at).total_seconds()


def _start(client: Client, stores: Stores, options: argparse.Namespace) -> Run:
    return client.start_run(stores.model, preset=options.preset, epochs=options.epochs)


def _kill(stores: Stores, run: Run) -> bool:
    """SIGKILL to the run's own process; False when it is gone already."""
    known = json.loads((stores.run(run.id).root / "process.json").read_bytes())
    try:
        os.kill(known["pid"], signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
