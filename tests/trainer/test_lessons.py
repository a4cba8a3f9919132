"""What a fine-tune is taught, and how much it needs, is measured on pictures that the parent has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from contract.image_spec import ImageSpec
from trainer.dataset.loading import TrainingData
from trainer.dataset.reading import Examples, joined
from trainer.tuning.lessons import PARENTS_SHARE, prepare
from trainer.tuning.replay import Mixture

pytestmark = pytest.mark.tensorflow
SIDE = 8


def parent(batch: npt.NDArray[np.float32], training: bool) -> object:
    """Names the class, one of three, that a picture's first pixel holds."""
    import tensorflow as tf

    return 5.0 * tf.one_hot(tf.cast(batch[:, 0, 0, 0], tf.int32), 3)


def examples(count: int, right: float, label: int = 1) -> Examples:
    """Pictures of a class, of which the parent recognises so many."""
    pictures = np.random.default_rng(count).integers(0, 256, (count, SIDE, SIDE, 3)).astype(np.uint8)
    pictures[:, 0, 0, 0] = np.where(np.arange(count) < right * count, label, 0)
    names = [f"{label}/{index}" for index in range(count)]
    return Examples(pictures, np.full(count, label, np.int64), names, names)


def mixture(*new: Examples) -> Mixture:
    """Beside pictures that the parent was trained on, and has all right, and others, of which it has 90 %."""
    old, train = examples(1000, right=1.0), joined([*new, examples(1000, right=1.0)])
    labels = ["zero", "one", "two", "three"]
    held_out = examples(300, right=0.9)
    loaded = TrainingData(Path(), labels, ImageSpec(height=SIDE, width=SIDE), train, held_out)
    is_new = np.arange(len(train)) < len(train) - len(old)
    return Mixture(loaded, is_new.tolist(), [False] * len(held_out))


def test_pictures_that_it_was_trained_on_are_no_measure() -> None:
    """The parent knows those by heart, so that any new picture would seem to have changed."""
    lessons = prepare(mixture(examples(400, right=0.9)), parent, 3, 0.2)  # type: ignore[arg-type]
    assert lessons.need == 0
    assert lessons.shift is None


def test_pictures_that_are_recognised_worse_are_a_need() -> None:
    """Also a reason to look for a change of all of them."""
    lessons = prepare(mixture(examples(400, right=0.5)), parent, 3, 0.2)  # type: ignore[arg-type]
    assert 0.9 < lessons.need < 1
    assert lessons.shift is not None


def test_a_changed_picture_is_answered_as_the_parent_answers_it_unchanged() -> None:
    """The parent answers for what is replayed, with and without the change; the label for what is new."""
    given = mixture(examples(400, right=0.5))
    lessons = prepare(given, parent, 3, 0.2)  # type: ignore[arg-type]
    views, shares = lessons.teaching.views, lessons.teaching.shares
    assert views[:1000].tolist() == views[1000:2000].tolist() == list(range(1000))
    assert (lessons.examples.images[1000:2000] != lessons.examples.images[:1000]).any()
    assert set(shares[:2000]) == {np.float32(PARENTS_SHARE)}
    assert not shares[2000:].any()
    assert views[2000:].tolist() == list(range(2000, len(lessons.examples)))
    np.testing.assert_allclose(lessons.teaching.labels.sum(axis=1), 1, atol=1e-6)


def test_a_class_that_is_new_is_a_need() -> None:
    """However well the parent does on the other examples, and without a change of all pictures."""
    known, unknown = examples(400, right=0.9), examples(10, right=0.0, label=3)
    lessons = prepare(mixture(known, unknown), parent, 3, 0.2)  # type: ignore[arg-type]
    assert lessons.need == 1
    assert lessons.shift is None
