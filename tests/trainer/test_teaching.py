"""The parent answers the picture as it is shown, and as it was before the change."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytestmark = pytest.mark.tensorflow
SIDE, COUNT = 16, 32


@pytest.fixture(scope="module")
def pictures() -> npt.NDArray[np.uint8]:
    """Noise, so that another crop is another picture."""
    return np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE, 3)).astype(np.uint8)


def _linear(classes: int, seed: int) -> Any:
    """Logits of every pixel."""
    import keras

    start = keras.initializers.RandomNormal(stddev=1e-3, seed=seed)
    layers = [keras.Input((SIDE, SIDE, 3)), keras.layers.Flatten()]
    return keras.Sequential([*layers, keras.layers.Dense(classes, kernel_initializer=start)])


def _taught(
    pictures: npt.NDArray[np.uint8], student: Any, teacher: Any, shown: Any = None, **recipe: Any
) -> float:
    """By how much the weights of `student` move in a step that shows `shown`; `teacher` sees `pictures`."""
    from trainer.config import Recipe
    from trainer.fitting.devices import Devices
    from trainer.fitting.teaching import Teaching
    from trainer.fitting.training_step import TrainingStep

    every = np.concatenate([pictures, pictures if shown is None else shown])
    labels = np.full((len(every), 3), 1 / 3, np.float32)
    views = np.arange(len(every)) % COUNT
    teaching = Teaching(teacher, labels, views, np.ones(len(every), np.float32))
    step = TrainingStep(student, Recipe(epochs=1, weight_decay=0.0, **recipe), Devices(), COUNT, 1, teaching)
    batch = np.arange(COUNT, 2 * COUNT)
    before = student.get_weights()[0]
    flips = np.arange(COUNT) % 2 == 0
    rows = teaching.rows(every, batch)
    step(every[batch], flips, rows, step=1, steps=2, trains_whitening=False)
    return float(np.abs(student.get_weights()[0] - before).max())


def test_who_answers_like_the_parent_has_nothing_to_learn(pictures: npt.NDArray[np.uint8]) -> None:
    """The parent is asked about the same crop, mirrored and blanked alike: of any other it says something
    else."""
    teacher, student = _linear(3, 1), _linear(3, 1)
    student.set_weights(teacher.get_weights())
    assert _taught(pictures, student, teacher) < 1e-6
    assert _taught(pictures, student, _linear(3, 2)) > 1e-4


def test_of_a_changed_picture_the_parent_is_shown_what_it_was(pictures: npt.NDArray[np.uint8]) -> None:
    """A student that undoes the change, here an inversion, answers as the parent does."""
    teacher, student = _linear(3, 1), _linear(3, 1)
    kernel, bias = teacher.get_weights()
    student.set_weights([-kernel, bias + 255 * kernel.sum(axis=0)])
    # Without the blanked square: the mean colour is rounded down in either.
    assert _taught(pictures, student, teacher, 255 - pictures, cutout=0) < 1e-5
    student.set_weights([kernel, bias])
    assert _taught(pictures, student, teacher, 255 - pictures, cutout=0) > 1e-2


def test_of_a_class_that_the_parent_does_not_know_it_gives_nothing(pictures: npt.NDArray[np.uint8]) -> None:
    """Its answer covers its own classes; the label's share is added."""
    import tensorflow as tf

    from trainer.fitting.teaching import Teaching

    labels = np.tile(np.array([0, 0, 1], np.float32), (COUNT, 1))
    shares = np.full(COUNT, 0.75, np.float32)
    teaching = Teaching(_linear(2, 1), labels, np.arange(COUNT), shares)
    answers = teaching.answers(tf.constant(labels), tf.constant(pictures), tf.constant(shares)).numpy()
    assert answers.shape == (COUNT, 3)
    np.testing.assert_allclose(answers[:, 2], 0.25, atol=1e-6)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-6)
