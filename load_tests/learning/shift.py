"""500 corrections, one retrain: `python -m load_tests.learning.shift DATA inverted|blurred|permuted|class`.

The pictures that are corrected are test pictures of DATA, changed; the other test pictures are the protected
ones of the gate, and what accuracy is measured on before and after, as they are and changed. Corrections go
through the HTTP API as a person's would, the retrain is what the button starts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from contract.card import ModelCard
from contract.layout import CARD
from load_tests.learning.service import correct, finished, in_service
from load_tests.learning.shifts import CHANGES, ELEVENTH, changed, pattern
from load_tests.learning.stores import Stores, accuracy, chosen_of
from rekindle.answers.training import Run

CORRECTIONS = 500
PEOPLE = 8
"""Who correct at the same time: a prediction is in the history half a second after its answer."""
NEW_CLASS_TEST = 500
NOTES = ("need", "tuned_share", "estimated_shift", "examples_an_epoch")
"""Of the card's hyper-parameters: how far the run went, and why."""


def main() -> int:
    """Measure and print; 1 when the run did not publish."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("data", type=Path, help="class folders in train/ and test/")
    parser.add_argument("shift", choices=(*CHANGES, "class"))
    parser.add_argument("--version", type=Path, default=Path("models/cifar10/1"), help="default: %(default)s")
    parser.add_argument("--train", type=int, default=5000, help="base pictures a class")
    parser.add_argument("--test", type=int, default=450, help="pictures a class (default: %(default)s)")
    parser.add_argument("--preset", default="best")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rekindle-shift-") as folder:
        return _measure(Path(folder), options)


def _measure(root: Path, options: argparse.Namespace) -> int:
    stores = Stores(root, "model")
    classes = sum(1 for path in (options.data / "train").iterdir() if path.is_dir())
    each = CORRECTIONS // classes
    stores.bring_base(options.data, options.train, slice(each, each + options.test))
    stores.bring_version(options.version)
    base, shifted = stores.data / "test", root / "shifted"
    _write(shifted, _test_pictures(base, options.shift))
    before = _accuracies(stores.versions.version(1), base, shifted, options.shift)
    with in_service(stores) as stack:
        client = stack.client
        started = time.monotonic()
        with ThreadPoolExecutor(PEOPLE) as people:
            for done in [
                people.submit(correct, client, stores.model, label, content)
                for label, content in _corrections(options, each)
            ]:
                done.result()
        print(f"{CORRECTIONS} corrections in {time.monotonic() - started:.0f} s", flush=True)
        started = time.monotonic()
        run = finished(client, client.start_run(stores.model, preset=options.preset))
        minutes = (time.monotonic() - started) / 60
    made = stores.versions.version(run.version) if run.version else stores.run(run.id).candidate
    after = _accuracies(made, base, shifted, options.shift)
    _print(options.shift, before, after, minutes, run)
    notes = _card(made).hyper_parameters
    print(", ".join(f"{name} {notes[name]}" for name in NOTES if name in notes))
    return 0 if run.version else 1


def _corrections(options: argparse.Namespace, each: int) -> Iterator[tuple[str, bytes]]:
    if options.shift == "class":
        yield from ((ELEVENTH, pattern(seed)) for seed in range(CORRECTIONS))
        return
    for path in chosen_of(options.data / "test", slice(0, each)):
        yield path.parent.name, changed(path.read_bytes(), options.shift)


def _test_pictures(base: Path, shift: str) -> Iterator[tuple[str, str, bytes]]:
    if shift == "class":
        yield from ((ELEVENTH, str(seed), pattern(1_000_000 + seed)) for seed in range(NEW_CLASS_TEST))
        return
    for path in chosen_of(base, slice(None)):
        yield path.parent.name, path.stem, changed(path.read_bytes(), shift)


def _write(folder: Path, pictures: Iterator[tuple[str, str, bytes]]) -> None:
    for label, name, content in pictures:
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{name}.png").write_bytes(content)


def _accuracies(version: Path, base: Path, shifted: Path, shift: str) -> tuple[float, float]:
    """On base and on shifted pictures; of a class that the version does not know, it knows none."""
    is_unknown = shift == "class" and ELEVENTH not in _card(version).labels
    return accuracy(version, base), 0.0 if is_unknown else accuracy(version, shifted)


def _card(version: Path) -> ModelCard:
    return ModelCard.model_validate_json((version / CARD).read_bytes())


def _print(
    shift: str, before: tuple[float, float], after: tuple[float, float], minutes: float, run: Run
) -> None:
    lost = before[0] - before[1]
    back = (after[1] - before[1]) / lost if lost else 1.0
    print("| shift | base before | after | shifted before | after | back | lost on base | minutes | run |")
    print("|---|---|---|---|---|---|---|---|---|")
    print(
        f"| {shift} | {before[0]:.4f} | {after[0]:.4f} | {before[1]:.4f} | {after[1]:.4f} | {back:.0%} | "
        f"{100 * (before[0] - after[0]):.2f} points | {minutes:.1f} | {run.state} |"
    )
    if run.error:
        print(run.error.detail)


if __name__ == "__main__":
    sys.exit(main())
