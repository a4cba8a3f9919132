"""The exports that the benchmark serves beside the bundled one, made once below build/.

* plain: the bundled network as it was trained, normalisations and variables: what a peer would be given.
* small: about 1 M weights and 80 MFLOP with random weights, so that the path counts more than the network;
  frozen as the trainer's export is, and plain. The frozen one may be served in 8-bit integers, as a trained
  one is whose labels agree: random weights have no labels to agree about.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.layout import CARD, ModelPaths
from load_tests.peers.environments import ROOT

FOLDER = ROOT / "build" / "exports"


class ExportError(Exception):
    """The exports cannot be made; the message says why."""


@dataclass(frozen=True)
class Exports:
    """Model stores, each with one version of one model."""

    folder: Path

    @property
    def plain(self) -> Path:
        """The bundled network in float32, not folded."""
        return self.folder / "plain"

    @property
    def small(self) -> Path:
        """The small network, frozen."""
        return self.folder / "small"

    @property
    def small_plain(self) -> Path:
        """The small network, with variables."""
        return self.folder / "small-plain"


def make(models: Path, model: str) -> Exports:
    """All of them, in a process of its own, unless they are there. Raises ExportError."""
    made = Exports(FOLDER)
    done = FOLDER / "done"
    if not done.is_file():
        paths = ModelPaths(models, model)
        version = paths.version(paths.versions()[-1])
        command = [sys.executable, "-m", "load_tests.peers.exports", str(version), model]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise ExportError(ended.stderr[-2000:])
        done.write_text(str(version))
    return made


def small_network(height: int, width: int, classes: int) -> Any:
    """Six convolutions with normalisation: 0.98 M weights, 78 MFLOP for 32 × 32 pixels."""
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    output = inputs = keras.Input((height, width, 3))
    for filters, is_pooled in ((32, True), (64, False), (128, True), (128, True), (256, False), (256, True)):
        output = layers.Conv2D(filters, 3, padding="same", use_bias=False)(output)
        output = layers.ReLU()(layers.BatchNormalization()(output))
        output = layers.MaxPooling2D()(output) if is_pooled else output
    return keras.Model(inputs, layers.Dense(classes)(layers.GlobalAveragePooling2D()(output)))


def main() -> None:
    """Write all three from a version."""
    import shutil

    import keras

    from load_tests.model_server.variants import allow_less, write_maxima, write_network

    version, model = Path(sys.argv[1]), sys.argv[2]
    card = json.loads((version / CARD).read_text())
    made, image = Exports(FOLDER), card["image"]
    small = small_network(image["height"], image["width"], len(card["labels"]))
    bundled = keras.models.load_model(version / "model.keras")
    todo = ((made.plain, bundled, False), (made.small, small, True), (made.small_plain, small, False))
    for store, network, is_frozen in todo:
        folder = ModelPaths(store, model).version(1)
        shutil.rmtree(store, ignore_errors=True)
        write_network(network, card, folder, is_frozen=is_frozen)
        shutil.copy(version / CARD, folder / CARD)
    small_version = ModelPaths(made.small, model).version(1)
    allow_less(small_version)
    write_maxima(small_version, image["height"], image["width"])


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
