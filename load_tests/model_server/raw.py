"""The raw TensorFlow call, as a process of its own: what a model server's answers are measured against.

Reads `BATCH SECONDS PAUSE` a line and prints, as JSON, the calls, the seconds and the median of a call in ms.
One thread calls the session, with PAUSE milliseconds between two calls: during a pause TensorFlow's threads
fall asleep, as they do in a server that waits for its next request. The pools are as large as the machine.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def open_model(path: str) -> Any:
    """A callable: uint8 images [N, H, W, 3] → the outputs of serving_default."""
    import tensorflow as tf

    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], path)
    signature = meta_graph.signature_def["serving_default"]
    outputs = [info.name for info in signature.outputs.values()]
    return session.make_callable(outputs, [signature.inputs["images"].name])


def main() -> None:
    """Serve standard input."""
    import numpy as np

    call = open_model(sys.argv[1])
    side = int(sys.argv[2])
    generator = np.random.default_rng(1)
    print("ready", flush=True)
    for line in sys.stdin:
        batch, seconds, pause = int(line.split()[0]), float(line.split()[1]), float(line.split()[2]) / 1000
        images = generator.integers(0, 256, (batch, side, side, 3), np.uint8)
        for _ in range(5):
            call(images)
        waits = []
        started = time.perf_counter()
        while (now := time.perf_counter()) - started < seconds:
            call(images)
            waits.append(time.perf_counter() - now)
            if pause:
                time.sleep(pause)
        elapsed = time.perf_counter() - started
        median = statistics.median(waits) * 1000
        print(json.dumps({"calls": len(waits), "seconds": elapsed, "median_ms": median}), flush=True)


if __name__ == "__main__":
    main()
