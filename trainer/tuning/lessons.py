"""What each epoch of a fine-tune shows, and what the network shall answer.

New examples are shown several times, replayed ones once; where the pictures have changed as a whole
(trainer.tuning.shift), each replayed one once more as it would look now. For replayed pictures the answer to
learn is mostly the parent's own (trainer.fitting.teaching), which holds what it knows better than the labels
of a sample do (Buzzega and others, "Dark experience for general continual learning", 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.arrays import FloatArray
from trainer.dataset.reading import Examples, joined
from trainer.fitting.teaching import Teaching
from trainer.gate.noninferiority import Booleans
from trainer.tuning.need import Recognised
from trainer.tuning.replay import Mixture
from trainer.tuning.shift import Answer, Shift, estimate, is_worth_it
from trainer.version.served import BATCH

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
    teaching: Teaching
    shift: Shift | None
    need: float
    """0–1: how much worse the parent is on the new examples (trainer.tuning.need)."""


def prepare(mixture: Mixture, parent: keras.Model, known: int, label_smoothing: float) -> Lessons:
    """The lessons of a fine-tune.

    Args:
        mixture: new and replayed examples.
        parent: the network that it starts from, in the precision of training, which answers faster.
        known: how many classes the parent has; they come first.
        label_smoothing: of labels.
    """
    train, is_new = mixture.data.train, np.asarray(mixture.is_new)
    new, old = train.at(np.flatnonzero(is_new).tolist()), train.at(np.flatnonzero(~is_new).tolist())
    answer = _answers(parent)
    recognised = _recognised(mixture, new, old, answer, known)
    shift = _shift(new, old, recognised, answer, known)
    parts = [_Part(old, PARENTS_SHARE)]
    if shift is not None:
        parts.append(_Part(replace(old, images=shift.apply(old.images)), PARENTS_SHARE, before=len(old)))
    most = MOST_SHOWN if shift is None else MOST_SHOWN_SHIFTED
    parts += [_Part(new, 0.0)] * _times(len(new), sum(map(len, parts)), most)
    parts *= max(1, MINIMUM_EPOCH // sum(map(len, parts)))
    examples, classes = joined([part.examples for part in parts]), len(mixture.data.labels)
    smoothed = (1 - label_smoothing) * np.eye(classes, dtype=np.float32) + label_smoothing / classes
    teaching = Teaching(
        parent,
        labels=smoothed[examples.truth].astype(np.float32),
        views=np.arange(len(examples)) - _each(parts, lambda part: part.before),
        shares=_each(parts, lambda part: part.parents_share).astype(np.float32),
    )
    return Lessons(examples, teaching, shift, recognised.need)


@dataclass(frozen=True)
class _Part:
    """Examples that are taught alike."""

    examples: Examples
    parents_share: float
    before: int = 0
    """So many examples before each stands the same picture without the change."""

    def __len__(self) -> int:
        return len(self.examples)


def _each(parts: Sequence[_Part], value: Callable[[_Part], float]) -> npt.NDArray[Any]:
    """The value of its part for each example."""
    return np.repeat([value(part) for part in parts], [len(part) for part in parts])


def _times(new: int, old: int, most: int) -> int:
    """How often each new example is shown."""
    return int(np.clip(round(NEW_SHARE / (1 - NEW_SHARE) * old / new), 1, most))


def _recognised(mixture: Mixture, new: Examples, old: Examples, answer: Answer, known: int) -> Recognised:
    """Old pictures are those held out: the ones that it was trained on, it knows better than any others."""
    chosen, held_out = _known(new, known), mixture.old_validation
    return Recognised(
        _right(chosen, answer),
        _right(held_out if len(held_out) else old, answer),
        is_each_known=len(chosen) == len(new),
    )


def _known(new: Examples, known: int) -> Examples:
    return new.at(np.flatnonzero(new.truth < known).tolist())


def _right(examples: Examples, answer: Answer) -> Booleans:
    if not len(examples):
        return np.zeros(0, bool)
    return np.asarray(answer(examples.images).argmax(axis=1) == examples.truth)


def _shift(new: Examples, old: Examples, recognised: Recognised, answer: Answer, known: int) -> Shift | None:
    """Measured on classes that the parent knows, where it has become worse."""
    if not len(old) or not recognised.is_clearly_worse:
        return None
    if not is_worth_it(float(recognised.new.mean()), float(recognised.old.mean())):
        return None
    chosen = _known(new, known)
    return estimate(chosen.images, chosen.truth, old.images, answer)


def _answers(network: keras.Model) -> Answer:
    call = tf.function(lambda batch: network(tf.cast(batch, tf.float32), training=False))

    def answer(pictures: npt.NDArray[np.uint8]) -> FloatArray:
        starts = range(0, len(pictures), BATCH)
        return np.concatenate([call(tf.constant(pictures[at : at + BATCH])).numpy() for at in starts])

    return answer
