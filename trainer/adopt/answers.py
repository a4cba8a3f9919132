"""What a foreign model's numbers mean: logits or probabilities, and whether the scaling can be right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy.stats import binomtest  # type: ignore[import-untyped]

from trainer.arrays import FloatArray
from trainer.errors import TrainerError
from trainer.evaluation.evaluate import ROW_SUM_TOLERANCE
from trainer.version.served import BATCH

Kind = Literal["logits", "probabilities"]
KINDS = get_args(Kind)
SMALLEST_PROBABILITY = 1e-9
CERTAINTY = 1e-3
"""Chance of refusing a right scaling because another happens to answer better (exact sign test)."""


@dataclass(frozen=True)
class Answers:
    """How the outputs of a model become probabilities of labels."""

    kind: Kind
    is_single: bool = False
    """One output for two labels, as of a sigmoid: that of the second label."""

    def logits(self, outputs: tf.Tensor) -> tf.Tensor:
        """float32 [N, outputs] → float32 [N, classes], up to a constant for each row."""
        if self.kind == "logits":
            return tf.concat([tf.zeros_like(outputs), outputs], axis=1) if self.is_single else outputs
        both = tf.concat([1 - outputs, outputs], axis=1) if self.is_single else outputs
        return tf.math.log(tf.maximum(both, SMALLEST_PROBABILITY))


def answers_of(outputs: FloatArray, labels: int, stated: Kind | None) -> Answers:
    """The meaning of some outputs, float [N, outputs]. Raises TrainerError where it contradicts `stated`."""
    is_single = outputs.shape[1] == 1 and labels == 2
    if outputs.shape[1] != labels and not is_single:
        raise TrainerError(
            f"the model has {outputs.shape[1]} outputs, but {labels} labels are named; expected as many"
        )
    if not np.isfinite(outputs).all():
        raise TrainerError("the model answers with numbers that are not finite; is the scaling right?")
    seen: Kind = "probabilities" if _are_probabilities(outputs, is_single) else "logits"
    if stated not in (None, seen):
        raise TrainerError(
            f"the outputs look like {seen} ({_look(outputs)}), not like {stated}; leave --outputs out"
        )
    return Answers(seen, is_single)


def _are_probabilities(outputs: FloatArray, is_single: bool) -> bool:
    is_in_range = outputs.min() >= -ROW_SUM_TOLERANCE and outputs.max() <= 1 + ROW_SUM_TOLERANCE
    sums_to_one = np.abs(outputs.sum(axis=1) - 1).max() <= ROW_SUM_TOLERANCE
    return bool(is_in_range and (is_single or sums_to_one))


def _look(outputs: FloatArray) -> str:
    sums = outputs.sum(axis=1)
    return f"{outputs.min():.3g} to {outputs.max():.3g}, rows sum to {sums.min():.3g} to {sums.max():.3g}"


def outputs_of(call: Callable[[tf.Tensor], tf.Tensor], images: npt.NDArray[np.uint8]) -> FloatArray:
    """float32 [N, outputs] for uint8 [N, H, W, 3]. Raises TrainerError where the model does not run."""
    run = tf.function(call, input_signature=[tf.TensorSpec([None, *images.shape[1:]], tf.uint8)])
    try:
        parts = [
            run(tf.constant(images[start : start + BATCH])).numpy() for start in range(0, len(images), BATCH)
        ]
    except (tf.errors.OpError, ValueError, TypeError) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise TrainerError(f"the model does not run on a batch of pictures here: {first_line}") from error
    return np.concatenate(parts)


def check_scaling(stated: str, hits_by_scaling: Mapping[str, npt.NDArray[np.bool_]]) -> None:
    """Raise TrainerError where another scaling answers better by more than chance allows.

    Args:
        stated: the name of the scaling in use.
        hits_by_scaling: bool [N] for each scaling, on the same pictures.
    """
    hits = hits_by_scaling[stated]
    best = max(hits_by_scaling, key=lambda name: int(hits_by_scaling[name].sum()))
    gained = int((hits_by_scaling[best] & ~hits).sum())
    lost = int((hits & ~hits_by_scaling[best]).sum())
    if gained > lost and binomtest(gained, gained + lost, alternative="greater").pvalue < CERTAINTY:
        raise TrainerError(
            f"with the scaling {stated!r} the model is right on {hits.mean():.1%} of {len(hits)} pictures, "
            f"with {best!r} on {hits_by_scaling[best].mean():.1%}; state --scaling {best}"
        )
