"""What each epoch of a fine-tune shows, and what the network shall answer.

New examples are shown several times, replayed ones once; where the pictures have changed as a whole
(trainer.shift), each replayed one once more as it would look now. For replayed pictures the
answer to learn is mostly the parent's own, which holds what it knows better than the labels of a sample do
(Buzzega and others, "Dark experience for general continual learning", 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy.special import softmax  # type: ignore[import-untyped]

from trainer.need import Recognised
from trainer.noninferiority import Booleans
from trainer.reading import Examples
from trainer.replay import Mixture
from trainer.served import BATCH, FloatArray
from trainer.shift import Answer, Shift, estimate, is_worth_it

NEW_SHARE = 0.25
"""Of an epoch that new examples shall have, shown at most MOST_SHOWN times each."""
MOST_SHOWN = 8
MOST_SHOWN_SHIFTED = 2
"""Where replayed pictures show the change as well, they teach more of it than the same few again."""
MINIMUM_EPOCH = 2000
"""Pictures; fewer are shown several times, since each epoch ends with a checkpoint."""
PARENTS_SHARE = 0.9
"""Of the answer to replayed pictures; the rest is their label."""


@dataclass(frozen=True)
class Lessons:
    """One epoch, in no particular order."""

    examples: Examples
    targets: FloatArray
    """float32 [N, classes]."""
    shift: Shift | None
    need: float
    """0–1: how much worse the parent is on the new examples (trainer.need)."""


def prepare(mixture: Mixture, parent: keras.Model, known: int, label_smoothing: float) -> Lessons:
    """The lessons of a fine-tune.

    Args:
        mixture: new and replayed examples.
        parent: the network that it starts from, float32.
        known: how many classes the parent has; they come first.
        label_smoothing: of labels.
    """
    train, is_new = mixture.data.train, np.asarray(mixture.is_new)
    new, old = train.at(np.flatnonzero(is_new).tolist()), train.at(np.flatnonzero(~is_new).tolist())
    answer = _answers(parent)
    classes = len(mixture.data.labels)
    smoothed = (1 - label_smoothing) * np.eye(classes, dtype=np.float32) + label_smoothing / classes
    logits = answer(old.images) if len(old) else np.zeros((0, known), np.float32)
    taught = np.pad(softmax(logits, axis=1), ((0, 0), (0, classes - known)))
    replayed = PARENTS_SHARE * taught + (1 - PARENTS_SHARE) * smoothed[old.truth]
    recognised = _recognised(mixture, new, logits.argmax(axis=1) == old.truth, answer, known)
    shift = _shift(new, old, recognised, answer, known)
    parts = [(old, replayed)]
    if shift is not None:
        parts.append((replace(old, images=shift.apply(old.images)), replayed))
    most = MOST_SHOWN if shift is None else MOST_SHOWN_SHIFTED
    shown = _times(len(new), sum(len(part) for part, _ in parts), most)
    parts += [(new, smoothed[new.truth])] * shown
    parts *= max(1, MINIMUM_EPOCH // sum(len(part) for part, _ in parts))
    return Lessons(
        Examples(
            np.concatenate([part.images for part, _ in parts]),
            np.concatenate([part.truth for part, _ in parts]),
            [path for part, _ in parts for path in part.paths],
            [digest for part, _ in parts for digest in part.digests],
        ),
        np.concatenate([targets for _, targets in parts]).astype(np.float32),
        shift,
        recognised.need,
    )


def _times(new: int, old: int, most: int) -> int:
    """How often each new example is shown."""
    return int(np.clip(round(NEW_SHARE / (1 - NEW_SHARE) * old / new), 1, most))


def _recognised(
    mixture: Mixture, new: Examples, right_on_replayed: Booleans, answer: Answer, known: int
) -> Recognised:
    """Old pictures are those held out: the ones that it was trained on, it knows better than any others."""
    chosen, held_out = _known(new, known), mixture.old_validation
    return Recognised(
        _right(chosen, answer) if len(chosen) else np.zeros(0, bool),
        _right(held_out, answer) if len(held_out) else right_on_replayed,
        is_each_known=len(chosen) == len(new),
    )


def _known(new: Examples, known: int) -> Examples:
    return new.at(np.flatnonzero(new.truth < known).tolist())


def _right(examples: Examples, answer: Answer) -> Booleans:
    return np.asarray(answer(examples.images).argmax(axis=1) == examples.truth)


def _shift(new: Examples, old: Examples, recognised: Recognised, answer: Answer, known: int) -> Shift | None:
    """Measured on classes that the parent knows, where it has become worse."""
    if not len(old) or not recognised.is_clearly_worse:
        return None
    if not is_worth_it(float(recognised.new.mean()), float(recognised.old.mean())):
        return None
    chosen = _known(new, known)
    return estimate(chosen.images, chosen.truth, old.images, answer)


def _answers(network: keras.Model) -> Callable[[npt.NDArray[np.uint8]], FloatArray]:
    call = tf.function(lambda batch: network(tf.cast(batch, tf.float32), training=False))

    def answer(pictures: npt.NDArray[np.uint8]) -> FloatArray:
        starts = range(0, len(pictures), BATCH)
        return np.concatenate([call(tf.constant(pictures[at : at + BATCH])).numpy() for at in starts])

    return answer
