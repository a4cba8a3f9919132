"""The trainer with a fault built in: `python -m load_tests.learning.sabotage FAULT run --spec FILE`.

This process is the trainer, so it reaches into it by name at run time; nothing here is imported by others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def nan() -> None:
    """A weight that is no number, before the first step."""
    growing: Any = import_module("trainer.tuning.growing")
    grown = growing.grown

    def broken(*arguments: Any) -> Any:
        network = grown(*arguments)
        head = network.get_layer("head")
        head.set_weights([weights * float("nan") for weights in head.get_weights()])
        return network

    growing.grown = broken


def normalisation() -> None:
    """Trained as it should be, exported as if pictures were normalised already."""
    candidate: Any = import_module("trainer.candidate")
    model: Any = import_module("trainer.network.model")
    export = candidate.export

    def wrong(*arguments: Any) -> None:
        right = model.normalisation
        model.normalisation = lambda network: tuple(
            value * 0 + index for index, value in enumerate(right(network))
        )
        export(*arguments)
        model.normalisation = right

    candidate.export = wrong


FAULTS: dict[str, Callable[[], None]] = {"nan": nan, "normalisation": normalisation}


if __name__ == "__main__":
    FAULTS[sys.argv[1]]()
    sys.exit(import_module("trainer.__main__").main(sys.argv[2:]))
