"""Images per second of one model server replica, measured on the cluster: `make capacity-cluster`.

Callers without a pause keep the replicas busy for a while; what is answered in a second, by the number of
replicas, is the capacity of one. `modelServer.autoscaling.imagesPerSecond` should be about two thirds of it,
so that a new replica is there before the old ones are full.
"""

from __future__ import annotations

import argparse
import sys
import time

from kube import Namespace, api_proxy
from loading import LoadPod, load

IMAGES = 16
"""In each request."""


def rate(running: LoadPod, seconds: float) -> float:
    """Images answered a second."""
    before, began = running.report()["answered"], time.monotonic()
    time.sleep(seconds)
    return float((running.report()["answered"] - before) * IMAGES / (time.monotonic() - began))


def main() -> int:
    """Measure and say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--image", required=True, help="of the gateway, which the callers use too")
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    with api_proxy() as proxy:
        namespace = Namespace(options.namespace, proxy)
        replicas = len(namespace.ready("model-server"))
        seconds = int(options.seconds) + 120
        demand = {"clients": 16, "rate": 1e6, "seconds": seconds, "images": IMAGES}
        with load(namespace, options.image, "load-capacity", **demand) as running:
            time.sleep(5)
            answered = rate(running, options.seconds)
        namespace.close()
    one = answered / max(1, replicas)
    print(f"{answered:.0f} images per second on {replicas} replicas: one answers {one:.0f}")
    print(f"helm upgrade … --reuse-values --set modelServer.autoscaling.imagesPerSecond={one * 2 / 3:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
