"""Training itself: the recipe's steps, checkpoints, early stopping, resuming.

Every random choice depends on (seed, epoch, step) alone, so a run that was killed goes on from its last
epoch as if nothing had happened. Weights leave this module only as the best checkpoint's. With several
workers each calls `run`; the chief alone validates, and reads and writes checkpoints.
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
from trainer.devices import Devices, replica_id
from trainer.errors import CancelledError
from trainer.model import FloatArray

EVALUATION_BATCH = 500
REPLICA_STRIDE = 15_485_863
"""Between the augmentation seeds of two replicas."""


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
    devices: Devices = field(default_factory=Devices)
    """Those in whose scope the network was built."""
    targets: FloatArray | None = None
    """float32 [N, classes], rows sum to 1: what the network shall answer, instead of the smoothed truth."""
    keeps_best: bool = True
    """False: the last epoch counts. A few validation pictures would choose by chance."""

    def __post_init__(self) -> None:
        self.batch_size = self.devices.batch_for(self.recipe.batch_for(len(self.train)))
        self.steps_per_epoch = len(self.train) // self.batch_size
        self.steps = self.steps_per_epoch * self.recipe.epochs
        self._averaged = changing(self.network)
        with self.devices.strategy.scope():
            self._optimizer = keras.optimizers.SGD(0.0, momentum=self.recipe.momentum, nesterov=True)
            self._optimizer.build(self.network.trainable_variables)
            self._averages = [tf.Variable(v.value, trainable=False) for v in self._averaged]
        self._progress = _Progress()
        self._stopped_by: BaseException | None = None
        self._train_step = tf.function(self._step_everywhere, reduce_retracing=True)
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
            self._listen(StepReport(step + 1, self.steps, epoch, loss))
        seen = self.steps_per_epoch * self.batch_size
        rate = seen / (time.perf_counter() - started)
        if epoch == self.recipe.epochs:
            self._look_ahead(1.0)
        validation_loss, validation_accuracy = self._validate_by_chief()
        is_best = self._progress.note(epoch, validation_loss, validation_accuracy) or not self.keeps_best
        self._save(is_best)
        self.hooks.on_epoch(
            EpochReport(
                epoch,
                losses / self.steps_per_epoch,
                correct / seen,
                validation_loss,
                validation_accuracy,
                float(self._optimizer.learning_rate.value.numpy()),
                rate,
                is_best,
            )
        )

    def _listen(self, report: StepReport) -> None:
        """Let the hook stop the fit: at once with one worker, else all of them after the same step."""
        try:
            self.hooks.on_step(report)
        except BaseException as error:
            if self.devices.workers == 1:
                raise
            self._stopped_by = error
        if self.devices.any_of(self._stopped_by is not None):
            raise self._stopped_by or CancelledError("another worker of the run was asked to stop")

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
            self.devices.divided(self.train.images[batch]),
            self.devices.divided((self.train.truth if self.targets is None else self.targets)[batch]),
            self.devices.divided(self._flips(epoch)[batch]),
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

    def _step_everywhere(self, *batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The mean loss and the number of hits of all replicas."""
        strategy, reduce = self.devices.strategy, tf.distribute.ReduceOp
        loss, hits = strategy.run(self._step, args=batch)
        return strategy.reduce(reduce.MEAN, loss, axis=None), strategy.reduce(reduce.SUM, hits, axis=None)

    def _step(
        self, images: tf.Tensor, truth: tf.Tensor, flips: tf.Tensor, seed: tf.Tensor, whitening: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        side = min(images.shape[1], images.shape[2])
        images = augment(
            images,
            flips,
            seed + tf.stack([replica_id() * REPLICA_STRIDE, 0]),
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
        """The gradient with its parameter's own rate and the decay that is independent of the rate.

        A replica's share of it, since the optimizer adds them up.
        """
        decay = self.recipe.decay_per_step(self.batch_size) / self.recipe.peak_rate(self.batch_size)
        factor = self.recipe.shift_rate_factor if variable.name == "beta" else 1.0
        update = (factor * gradient + decay * variable.value) / self.devices.replicas
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

    def _validate_by_chief(self) -> tuple[float, float]:
        """The same figures in every worker, so that all of them stop at the same epoch."""
        figures = self._validate() if self.devices.is_chief else (0.0, 0.0)
        (shared,) = self.devices.from_chief([np.array(figures, np.float64)])
        return float(shared[0]), float(shared[1])

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
        if not self.devices.is_chief:
            return
        content = io.BytesIO()
        np.savez(content, *self._content())
        if is_best:
            write_atomically(self.checkpoints / "best.npz", content.getvalue())
        write_atomically(self.checkpoints / "last.npz", content.getvalue())

    def _content(self) -> list[npt.NDArray[np.float64]]:
        """What a checkpoint holds: the progress, and every variable."""
        progress = np.array(list(vars(self._progress).values()), np.float64)
        return [progress, *(variable.numpy() for variable in self._state)]

    def _resume(self) -> None:
        """Go on from the chief's checkpoint. Without one, all workers begin with the chief's weights."""
        if self.devices.is_chief and (arrays := self._load("last.npz")) is not None:
            self._take(arrays)
        if self.devices.workers > 1:
            self._take(self.devices.from_chief(self._content()))

    def _take(self, arrays: list[npt.NDArray[np.float64]]) -> None:
        done, best_epoch, accuracy, loss = arrays[0].tolist()
        self._progress = _Progress(int(done), int(best_epoch), accuracy, loss)
        self._assign(arrays)

    def _restore_best(self) -> None:
        if self.devices.is_chief and (arrays := self._load("best.npz")) is not None:
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


def changing(network: keras.Model) -> list[keras.Variable]:
    """Weights and running statistics; not frozen layers, frozen kernels or random seeds."""
    frozen = {
        variable.path for layer in network.layers if not layer.trainable for variable in layer.variables
    }
    return [
        variable
        for variable in network.variables
        if variable.dtype == "float32"
        and variable.path not in frozen
        and (variable.trainable or "moving" in variable.name)
    ]
