"""The checkpoints of a fit as files: arrays in the order in which they were given, each file whole or old."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contract.layout import write_atomically
from trainer.fitting.devices import Array


@dataclass(frozen=True)
class Checkpoints:
    """One folder: what a killed fit goes on from, and the best epoch's."""

    folder: Path

    def save(self, arrays: Sequence[Array], is_best: bool) -> None:
        """The last, and the best if it is. Raises OSError and keeps what was there."""
        content = io.BytesIO()
        np.savez(content, *arrays)
        if is_best:
            write_atomically(self.folder / "best.npz", content.getvalue())
        write_atomically(self.folder / "last.npz", content.getvalue())

    def last(self) -> list[Array] | None:
        """None before the first."""
        return self._load("last.npz")

    def best(self) -> list[Array] | None:
        """Likewise."""
        return self._load("best.npz")

    def _load(self, name: str) -> list[Array] | None:
        path = self.folder / name
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as content:
            return [content[key] for key in content.files]
