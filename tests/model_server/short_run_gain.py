"""What a short run gains on the thread that asks: `PYTHONPATH=. python tests/model_server/short_run_gain.py`.

Loads the bundled model in this process and asks it by turns for one image, on the calling thread and handed
over to TensorFlow's pool, without a pause between two calls and with one of half a millisecond. Prints
medians, and in how many pairs of turns the calling thread was faster.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from model_server.runtime.session import SessionSettings, session_options

PAUSES_MS = (0.0, 0.5)
CALLS = 300


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--version", type=Path, default=Path("models/cifar10/1"))
    parser.add_argument("--rounds", type=int, default=16)
    options = parser.parse_args()
    session = session_options(SessionSettings())
    from model_server.runtime.servable import Servable, loader
    from model_server.runtime.short_runs import ShortRuns

    ours = loader(session, tags=("serve",))(options.version)
    never = ShortRuns(ours._session.graph.as_graph_def(), ours.signatures, is_allowed=False)
    pools = Servable(ours._session, ours.signatures, ours.definitions, never)
    image = np.random.default_rng(1).integers(0, 256, (1, 32, 32, 3), np.uint8)

    def median_ms(servable: Servable, pause_ms: float) -> float:
        signature = servable.signatures["serving_default"]
        waits = []
        for _ in range(CALLS):
            started = time.perf_counter()
            servable.run(signature, {"images": image}, ["probabilities"], 60.0)
            waits.append(time.perf_counter() - started)
            if pause_ms:
                time.sleep(pause_ms / 1000)
        return statistics.median(waits) * 1000

    for pause_ms in PAUSES_MS:
        pairs = []
        for number in range(options.rounds):
            turns = (ours, pools) if number % 2 else (pools, ours)
            found = {servable is ours: median_ms(servable, pause_ms) for servable in turns}
            pairs.append((found[True], found[False]))
        here, there = (statistics.median(each) for each in zip(*pairs, strict=True))
        faster = sum(first < second for first, second in pairs)
        print(
            f"{pause_ms} ms between two calls: {here:.3f} ms on the calling thread, {there:.3f} handed over; "
            f"faster in {faster} of {len(pairs)} pairs"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
