"""Poisoned and honest retrains: `python -m load_tests.learning.poison DATA`. How many go live?

A version is trained on part of DATA (class folders in train/ and test/) and made stable. Each retrain starts
from a copy of the same stores with new uploads, taken from test pictures that are not among the protected
ones, and is poisoned in one of five ways or not at all. What is published would go live.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from contract.training import TrainingResult
from load_tests.learning.shifts import noise
from load_tests.learning.stores import Stores, chosen_of

POISONS = ("flipped labels", "noise", "class removed", "wrong normalisation", "NaN")
FAULTS = {"wrong normalisation": "normalisation", "NaN": "nan"}
UPLOADS_A_CLASS = 50


def main() -> int:
    """Measure and print a table; 1 when a poisoned version would have gone live, or too few honest ones."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--train", type=int, default=500, help="base pictures a class (default: %(default)s)")
    parser.add_argument("--version", type=Path, help="begin with this version instead of training one")
    parser.add_argument("--poisoned", type=int, default=20)
    parser.add_argument("--honest", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rekindle-poison-") as folder:
        begun = Stores(Path(folder) / "first", "model")
        begun.begin(
            options.data, options.train, slice(UPLOADS_A_CLASS, None), options.version, options.preset
        )
        kinds = [POISONS[number % len(POISONS)] for number in range(options.poisoned)]
        kinds += ["honest"] * options.honest
        results = [
            (kind, _retrain(begun, Path(folder) / str(number), kind, number, options))
            for number, kind in enumerate(kinds)
        ]
    live = Counter(kind for kind, result in results if result.version)
    _print(results, live)
    is_safe = not any(live[kind] for kind in POISONS)
    return 0 if is_safe and live["honest"] >= 0.9 * options.honest else 1


def _retrain(begun: Stores, root: Path, kind: str, seed: int, options: argparse.Namespace) -> TrainingResult:
    shutil.copytree(begun.root, root, symlinks=True)
    stores = Stores(root, begun.model)
    _upload(stores, options.data, kind, random.Random(seed))
    if kind == "class removed":
        labels = sorted(path for path in (stores.data / "train").iterdir())
        shutil.rmtree(labels[seed % len(labels)])
    command: Sequence[str] = ()
    if kind in FAULTS:
        command = [sys.executable, "-m", "load_tests.learning.sabotage", FAULTS[kind]]
    started = time.monotonic()
    result = stores.train(f"retrain-{seed}", options.preset, command, seed=seed)
    seconds = time.monotonic() - started
    print(f"{seed:3} {kind:20} {result.state:10} {seconds:5.0f} s  {_why(result)}", flush=True)
    shutil.rmtree(root)
    return result


def _upload(stores: Stores, data: Path, kind: str, chance: random.Random) -> None:
    """A random half of each class' pictures that are set aside for uploads."""
    labels = sorted(path.name for path in (data / "train").iterdir() if path.is_dir())
    for path in chosen_of(data / "test", slice(0, UPLOADS_A_CLASS)):
        if chance.random() < 0.2:
            continue
        label, content = path.parent.name, path.read_bytes()
        if kind == "flipped labels":
            label = chance.choice([other for other in labels if other != label])
        if kind == "noise":
            content = noise(chance.randrange(2**32))
        stores.upload(label, content)


def _why(result: TrainingResult) -> str:
    if result.version:
        return f"accuracy {result.accuracy:.4f}"
    failed = ", ".join(check.name for check in result.gate.failed) if result.gate else ""
    return failed or (result.error.code if result.error else "")


def _print(results: Sequence[tuple[str, TrainingResult]], live: Counter[str]) -> None:
    reasons: dict[str, Counter[str]] = {}
    for kind, result in results:
        reasons.setdefault(kind, Counter())[_why(result) if not result.version else "live"] += 1
    print("\n| retrain | runs | went live | ends |\n|---|---|---|---|")
    for kind, ends in reasons.items():
        told = "; ".join(f"{count}× {end}" for end, count in ends.most_common())
        print(f"| {kind} | {sum(ends.values())} | {live[kind]} | {told} |")


if __name__ == "__main__":
    sys.exit(main())
