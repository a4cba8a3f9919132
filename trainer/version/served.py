"""A version as a model server would run it: the SavedModel's signatures, from its directory.

Metrics in a card come from here, not from the network in memory, so that what is measured is what is
served.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.card import ModelCard
from trainer.arrays import FloatArray
from trainer.version.export import EMBEDDING

BATCH = 500


class SavedVersion:
    """The signatures of one version directory, called in this process."""

    def __init__(self, folder: Path, output: str = "probabilities") -> None:
        self._module = tf.saved_model.load(str(folder))  # keeps the variables alive
        self._signatures = self._module.signatures
        self._output = output

    def signature(self, name: str) -> Any:
        """A concrete function. Raises KeyError."""
        return self._signatures[name]

    def probabilities(self, images: npt.NDArray[np.uint8]) -> FloatArray:
        """`serving_default`: uint8 [N, H, W, 3] → float32 [N, classes], rows sum to 1."""
        call = self._signatures["serving_default"]
        parts = [
            call(images=tf.constant(images[start : start + BATCH]))[self._output].numpy()
            for start in range(0, len(images), BATCH)
        ]
        return np.concatenate(parts)

    def embedding_mean(self, images: npt.NDArray[np.uint8]) -> list[float] | None:
        """Mean of `serving_embedding` over uint8 [N, H, W, 3]; None where the version gives none."""
        if EMBEDDING not in self._signatures:
            return None
        call = self._signatures[EMBEDDING]
        sums = [
            call(images=tf.constant(images[start : start + BATCH]))["embedding"].numpy().sum(0, np.float64)
            for start in range(0, len(images), BATCH)
        ]
        return (np.sum(sums, axis=0) / len(images)).tolist()  # type: ignore[no-any-return]

    def probabilities_of_files(self, paths: list[Path]) -> FloatArray:
        """`serving_bytes`: encoded pictures → float32 [N, classes]."""
        starts = range(0, len(paths), BATCH)
        parts = ([path.read_bytes() for path in paths[start : start + BATCH]] for start in starts)
        return np.concatenate([self.probabilities_of(contents) for contents in parts])

    def probabilities_of(self, contents: Sequence[bytes]) -> FloatArray:
        """The same for contents, at most a batch."""
        call = self._signatures["serving_bytes"]
        return np.asarray(call(encoded_images=tf.constant(contents))[self._output].numpy())


def read_card(folder: Path) -> ModelCard:
    """The model card of a version directory. Raises OSError, pydantic.ValidationError."""
    return ModelCard.model_validate_json((folder / "model_card.json").read_bytes())
