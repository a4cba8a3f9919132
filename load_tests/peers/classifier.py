"""The bundled model as every peer serves it: one SavedModel, one rule of decoding, one form of the answer.

Imports nothing but TensorFlow, numpy and the contract, so that it runs in the environment of any peer.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from contract import images as image_rule
from contract.card import ModelCard
from contract.layout import CARD

TOP_K = 5


class Classifier:
    """A version of a model in this process."""

    def __init__(self, folder: Path, threads: int = 0) -> None:
        """`threads` of TensorFlow; 0: as many as there are cores."""
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        self._card = ModelCard.model_validate_json((folder / CARD).read_bytes())
        self._loaded = tf.saved_model.load(str(folder))
        self._predict = self._loaded.signatures["serving_default"]
        size = self._card.image
        self.scores([bytes(size.height * size.width * 3)])  # the first call is slow

    def decode(self, content: bytes) -> bytes:
        """uint8 [height, width, 3] as bytes."""
        return image_rule.decode(content, self._card.image)

    def scores(self, pictures: Sequence[bytes]) -> np.ndarray[Any, Any]:
        """float32 [N, classes] of decoded pictures."""
        size = self._card.image
        batch = np.frombuffer(b"".join(pictures), np.uint8).reshape(-1, size.height, size.width, 3)
        outputs = self._predict(**{self._card.input_name: tf.constant(batch)})
        return np.asarray(outputs[self._card.output_name].numpy())

    def answer(self, row: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
        """The best labels of one picture."""
        best = np.argsort(-row)[:TOP_K]
        return [{"label": self._card.labels[index], "score": float(row[index])} for index in best]


def from_environment() -> Classifier:
    """The version and the threads that PEER_VERSION and PEER_THREADS name."""
    return Classifier(Path(os.environ["PEER_VERSION"]), int(os.environ.get("PEER_THREADS", "0")))


def port() -> int:
    """Where the peer listens, on 127.0.0.1."""
    return int(os.environ["PEER_PORT"])
