"""`make determinism`: what bit-for-bit equal weights cost in images per second on this machine.

Each fit runs in a process of its own, since TensorFlow cannot forget the choice; the two kinds take
turns, so that a busy neighbour slows both. Random pixels take as long as pictures do.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from contract.image_spec import ImageSpec
from trainer.config import PRESETS
from trainer.dataset.loading import Examples, TrainingData
from trainer.trials.recipe import try_recipe

SIDE, CLASSES = 32, 10


def random_data(examples: int) -> TrainingData:
    """Noise with labels, of CIFAR-10's shape."""
    rng = np.random.default_rng(0)

    def part(count: int) -> Examples:
        pixels = rng.integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)
        return Examples(pixels, rng.integers(0, CLASSES, count), [""] * count, [""] * count)

    labels, image = [str(index) for index in range(CLASSES)], ImageSpec(height=SIDE, width=SIDE)
    return TrainingData(Path(), labels, image, part(examples), part(64))


def one(preset: str, examples: int, *, is_deterministic: bool) -> None:
    """Fit two epochs; print the weights' digest and the rate of the second as JSON."""
    recipe = replace(PRESETS[preset], epochs=2)  # type: ignore[index]
    with tempfile.TemporaryDirectory() as folder:
        reports = try_recipe(
            recipe, random_data(examples), 0, Path(folder), is_deterministic=is_deterministic
        )
        content = np.load(Path(folder, "last.npz"), allow_pickle=False)
        digest = hashlib.sha256(b"".join(content[name].tobytes() for name in content.files[1:]))
    print(json.dumps({"digest": digest.hexdigest(), "rate": reports[-1].images_per_second}))


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(prog="make determinism", description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", choices=sorted(PRESETS), default="default", help="default: %(default)s")
    parser.add_argument("--examples", type=int, default=2048, help="an epoch (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--only", choices=("deterministic", "free"), help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.only:
        one(flags.preset, flags.examples, is_deterministic=flags.only == "deterministic")
        return
    results: dict[str, list[dict[str, float | str]]] = {"deterministic": [], "free": []}
    for _ in range(flags.rounds):
        for kind, rows in results.items():
            command = [sys.executable, "-m", __spec__.name, "--only", kind, "--preset", flags.preset]
            command += ["--examples", str(flags.examples)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
            rows.append(json.loads(output.splitlines()[-1]))
    medians = {kind: statistics.median(float(row["rate"]) for row in rows) for kind, rows in results.items()}
    for kind, rows in results.items():
        different = len({row["digest"] for row in rows})
        print(f"{kind}: {medians[kind]:.0f} images/s, {different} different weights of {len(rows)} fits")
    print(f"deterministic / free: {medians['deterministic'] / medians['free']:.3f}")


if __name__ == "__main__":
    main()
