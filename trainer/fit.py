"""Training itself: the recipe's steps, checkpoints, early stopping, resuming.

Every random choice depends on (seed, epoch, step) alone, so a run that was killed goes on from its last
epoch as if nothing had happened. Weights leave this module only as the best checkpoint's.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.layout import write_atomically
from trainer.augment import augment
from trainer.config import Recipe
from trainer.data import Examples
from trainer.model import FloatArray

EVALUATION_BATCH = 500


@dataclass(frozen=True)
class EpochReport:
    """How an epoch went."""

    epoch: int
    """1 for the first."""
    loss: float
    accuracy: float
    """On the augmented training pictures."""
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    """At the epoch's last step."""
    images_per_second: float
    is_best: bool


@dataclass(frozen=True)
class StepReport:
    """Where a fit stands between two epochs."""

    step: int
    steps: int
    epoch: int
    loss: float


@dataclass(frozen=True)
class Hooks:
    """What the run wants to hear. `on_step` may raise to stop the fit: the last checkpoint stays."""

    on_step: Callable[[StepReport], None] = lambda report: None
    on_epoch: Callable[[EpochReport], None] = lambda report: None


@dataclass
class _Progress:
    """What must survive a kill beside the weights."""

    epochs_done: int = 0
    best_epoch: int = 0
    best_accuracy: float = -1.0
    best_loss: float = float("inf")

    def note(self, epoch: int, loss: float, accuracy: float) -> bool:
        self.epochs_done = epoch
        is_best = (accuracy, -loss) >= (self.best_accuracy, -self.best_loss)
        if is_best:
            self.best_epoch, self.best_accuracy, self.best_loss = epoch, accuracy, loss
        return is_best


@dataclass
class Fit:
    """One network being trained on one dataset."""

    network: keras.Model
    recipe: Recipe
    train: Examples
    validation: Examples
    seed: int
    checkpoints: Path
    hooks: Hooks = field(default_factory=Hooks)
    targets: FloatArray | None = None
    """float32 [N, classes], rows sum to 1: what the network shall answer, instead of the smoothed truth."""
    keeps_best: bool = True
    """False: the last epoch counts. A few validation pictures would choose by chance."""

    def __post_init__(self) -> None:
        self.batch_size = self.recipe.batch_for(len(self.train))
        self.steps_per_epoch = len(self.train) // self.batch_size
        self.steps = self.steps_per_epoch * self.recipe.epochs
        self._optimizer = keras.optimizers.SGD(0.0, momentum=self.recipe.momentum, nesterov=True)
        self._optimizer.build(self.network.trainable_variables)
        self._averaged = [v for v in self.network.variables if v.dtype == "float32" and _changes(v)]
        self._averages = [tf.Variable(v.value, trainable=False) for v in self._averaged]
        self._progress = _Progress()
        self._train_step = tf.function(self._step, reduce_retracing=True)
        self._average = tf.function(self._average_step)
        self._logits = tf.function(lambda x: self.network(tf.cast(x, tf.float32), training=False))

    # --- the loop -------------------------------------------------------------------------------

    def run(self) -> None:
        """Train to the end, resuming where a checkpoint lies; the network then holds the best weights."""
        self._resume()
        for epoch in range(self._progress.epochs_done + 1, self.recipe.epochs + 1):
            if epoch - 1 - self._progress.best_epoch >= self.recipe.patience:
                break
            self._run_epoch(epoch)
        self._restore_best()

    def _run_epoch(self, epoch: int) -> None:
        started = time.perf_counter()
        losses, correct = 0.0, 0
        for number, batch in enumerate(self._batches(epoch)):
            step = (epoch - 1) * self.steps_per_epoch + number
            loss, hits = self._one_step(step, epoch, batch)
            losses, correct = losses + loss, correct + hits
            self.hooks.on_step(StepReport(step + 1, self.steps, epoch, loss))
        seen = self.steps_per_epoch * self.batch_size
        rate = seen / (time.perf_counter() - started)
        if epoch == self.recipe.epochs:
            self._look_ahead(1.0)
        validation_loss, validation_accuracy = self._validate()
        is_best = self._progress.note(epoch, validation_loss, validation_accuracy) or not self.keeps_best
        self._save(is_best)
        self.hooks.on_epoch(
            EpochReport(
                epoch,
                losses / self.steps_per_epoch,
                correct / seen,
                validation_loss,
                validation_accuracy,
                float(self._optimizer.learning_rate),
                rate,
                is_best,
            )
        )

    def _batches(self, epoch: int) -> Iterator[npt.NDArray[np.int64]]:
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.train))
        for start in range(0, self.steps_per_epoch * self.batch_size, self.batch_size):
            yield order[start : start + self.batch_size]

    def _one_step(self, step: int, epoch: int, batch: npt.NDArray[np.int64]) -> tuple[float, int]:
        progress = step / self.steps
        self._optimizer.learning_rate.assign(
            self.recipe.peak_rate(self.batch_size) * self.recipe.rate_factor(progress)
        )
        loss, hits = self._train_step(
            tf.constant(self.train.images[batch]),
            tf.constant((self.train.truth if self.targets is None else self.targets)[batch]),
            tf.constant(self._flips(epoch)[batch]),
            tf.constant([self.seed % 2**31, step], tf.int32),
            tf.constant(float(epoch <= self.recipe.whitening_bias_epochs)),
        )
        if (step + 1) % self.recipe.lookahead_every == 0:
            decay = self.recipe.lookahead_decay**self.recipe.lookahead_every * progress**3
            self._look_ahead(decay)
        return float(loss), int(hits)

    def _flips(self, epoch: int) -> npt.NDArray[np.bool_]:
        """Alternating flip: a random half of the pictures first, the other half in every other epoch."""
        half = np.random.default_rng([self.seed, 0]).random(len(self.train)) < 0.5
        return half ^ (epoch % 2 == 0)

    # --- one step, in the graph -----------------------------------------------------------------

    def _step(
        self, images: tf.Tensor, truth: tf.Tensor, flips: tf.Tensor, seed: tf.Tensor, whitening: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        side = min(images.shape[1], images.shape[2])
        images = augment(
            images,
            flips,
            seed,
            padding=min(self.recipe.crop_padding, side // 8),
            cutout=min(self.recipe.cutout, side // 3),
        )
        with tf.GradientTape() as tape:
            logits = self.network(tf.cast(images, tf.float32), training=True)
            loss = self._loss(truth, logits)
        variables = self.network.trainable_variables
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        updates = [
            self._update(variable, gradient, whitening)
            for variable, gradient in zip(variables, gradients, strict=True)
        ]
        self._optimizer.apply(updates, variables)
        named = truth if truth.shape.rank == 1 else tf.argmax(truth, axis=1)
        hits = tf.reduce_sum(tf.cast(tf.argmax(logits, axis=1) == named, tf.int32))
        return loss, hits

    def _loss(self, truth: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        if truth.shape.rank == 2:
            return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(truth, logits))
        classes = logits.shape[1]
        smoothing = self.recipe.label_smoothing
        targets = tf.one_hot(truth, classes) * (1 - smoothing) + smoothing / classes
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))

    def _update(self, variable: keras.Variable, gradient: tf.Tensor, whitening: tf.Tensor) -> tf.Tensor:
        """The gradient with its parameter's own rate and the decay that is independent of the rate."""
        decay = self.recipe.decay_per_step(self.batch_size) / self.recipe.peak_rate(self.batch_size)
        factor = self.recipe.shift_rate_factor if variable.name == "beta" else 1.0
        update = factor * gradient + decay * variable.value
        return update * whitening if "whitening" in variable.path else update

    def _look_ahead(self, decay: float) -> None:
        """Lookahead (Zhang et al., 2019): average ← decay·average + (1 − decay)·weights; weights ← average.

        With decay 1, at the very end, the average stands still and becomes the weights.
        """
        self._average(tf.constant(decay, tf.float32))

    def _average_step(self, decay: tf.Tensor) -> None:
        for average, variable in zip(self._averages, self._averaged, strict=True):
            average.assign(decay * average + (1 - decay) * variable.value)
            variable.value.assign(average)

    # --- validation -----------------------------------------------------------------------------

    def _validate(self) -> tuple[float, float]:
        logits = self.logits(self.validation.images)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(self.validation.truth, logits)
        hits = logits.argmax(axis=1) == self.validation.truth
        return float(np.mean(losses)), float(np.mean(hits))

    def logits(self, images: npt.NDArray[np.uint8]) -> FloatArray:
        """float32 [N, classes] for uint8 [N, H, W, 3]."""
        parts = [
            self._logits(tf.constant(images[start : start + EVALUATION_BATCH])).numpy()
            for start in range(0, len(images), EVALUATION_BATCH)
        ]
        return np.concatenate(parts)

    # --- checkpoints ----------------------------------------------------------------------------

    @property
    def _state(self) -> list[tf.Variable]:
        keras_variables = [*self.network.variables, *self._optimizer.variables]
        return [variable.value for variable in keras_variables] + self._averages

    def _save(self, is_best: bool) -> None:
        content = io.BytesIO()
        progress = np.array(list(vars(self._progress).values()), np.float64)
        np.savez(content, progress, *(variable.numpy() for variable in self._state))
        if is_best:
            write_atomically(self.checkpoints / "best.npz", content.getvalue())
        write_atomically(self.checkpoints / "last.npz", content.getvalue())

    def _resume(self) -> None:
        if (arrays := self._load("last.npz")) is not None:
            done, best_epoch, accuracy, loss = arrays[0].tolist()
            self._progress = _Progress(int(done), int(best_epoch), accuracy, loss)
            self._assign(arrays)

    def _restore_best(self) -> None:
        if (arrays := self._load("best.npz")) is not None:
            self._assign(arrays)

    def _load(self, name: str) -> list[npt.NDArray[np.float64]] | None:
        path = self.checkpoints / name
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as content:
            return [content[key] for key in content.files]

    def _assign(self, arrays: list[npt.NDArray[np.float64]]) -> None:
        for variable, array in zip(self._state, arrays[1:], strict=True):
            variable.assign(array)


def _changes(variable: keras.Variable) -> bool:
    """True for weights and running statistics; false for frozen kernels and random seeds."""
    return bool(variable.trainable) or "moving" in variable.name
