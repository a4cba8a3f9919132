"""Training itself: epochs of steps, validation, checkpoints, early stopping, resuming.

Every random choice depends on (seed, epoch, step) alone, so a run that was killed goes on from its last
epoch as if nothing had happened. Weights leave this module only as the best checkpoint's. With several
workers each calls `run`; the chief alone validates, and reads and writes checkpoints. What one step does is
trainer.fitting.training_step's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.arrays import FloatArray
from trainer.config import Recipe
from trainer.dataset.loading import Examples
from trainer.errors import CancelledError
from trainer.fitting.checkpoints import Checkpoints
from trainer.fitting.devices import Devices
from trainer.fitting.teaching import Teaching
from trainer.fitting.training_step import TrainingStep

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
    devices: Devices = field(default_factory=Devices)
    """Those in whose scope the network was built."""
    teaching: Teaching | None = None
    """Of the training examples: what the network shall answer, instead of the smoothed truth."""
    keeps_best: bool = True
    """False: the last epoch counts. A few validation pictures would choose by chance."""

    def __post_init__(self) -> None:
        self.batch_size = self.devices.batch_for(self.recipe.batch_for(len(self.train)))
        self.steps_per_epoch = len(self.train) // self.batch_size
        self.steps = self.steps_per_epoch * self.recipe.epochs
        self._step = TrainingStep(
            self.network, self.recipe, self.devices, self.batch_size, self.seed, self.teaching
        )
        self._files = Checkpoints(self.checkpoints)
        self._progress = _Progress()
        self._stopped_by: BaseException | None = None
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
        losses, correct, flips = 0.0, 0, self._flips(epoch)
        for number, batch in enumerate(self._batches(epoch)):
            step = (epoch - 1) * self.steps_per_epoch + number
            loss, hits = self._one_step(step, epoch, batch, flips[batch])
            losses, correct = losses + loss, correct + hits
            self._listen(StepReport(step + 1, self.steps, epoch, loss))
        seen = self.steps_per_epoch * self.batch_size
        rate = seen / (time.perf_counter() - started)
        if epoch == self.recipe.epochs:
            self._step.look_ahead(1.0)
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
                self._step.learning_rate,
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

    def _one_step(
        self, step: int, epoch: int, batch: npt.NDArray[np.int64], flips: npt.NDArray[np.bool_]
    ) -> tuple[float, int]:
        images = self.train.images
        return self._step(
            images[batch],
            flips,
            self.teaching.rows(images, batch) if self.teaching else [self.train.truth[batch]],
            step=step,
            steps=self.steps,
            trains_whitening=epoch <= self.recipe.whitening_bias_epochs,
        )

    def _flips(self, epoch: int) -> npt.NDArray[np.bool_]:
        """Alternating flip: a random half of the pictures first, the other half in every other epoch."""
        half = np.random.default_rng([self.seed, 0]).random(len(self.train)) < 0.5
        return half ^ (epoch % 2 == 0)

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

    def _save(self, is_best: bool) -> None:
        if self.devices.is_chief:
            self._files.save(self._content(), is_best)

    def _content(self) -> list[npt.NDArray[np.float64]]:
        """What a checkpoint holds: the progress, and every variable."""
        progress = np.array(list(vars(self._progress).values()), np.float64)
        return [progress, *(variable.numpy() for variable in self._step.state)]

    def _resume(self) -> None:
        """Go on from the chief's checkpoint. Without one, all workers begin with the chief's weights."""
        if self.devices.is_chief and (arrays := self._files.last()) is not None:
            self._take(arrays)
        if self.devices.workers > 1:
            self._take(self.devices.from_chief(self._content()))

    def _take(self, arrays: list[npt.NDArray[np.float64]]) -> None:
        done, best_epoch, accuracy, loss = arrays[0].tolist()
        self._progress = _Progress(int(done), int(best_epoch), accuracy, loss)
        self._assign(arrays)

    def _restore_best(self) -> None:
        if self.devices.is_chief and (arrays := self._files.best()) is not None:
            self._assign(arrays)

    def _assign(self, arrays: list[npt.NDArray[np.float64]]) -> None:
        for variable, array in zip(self._step.state, arrays[1:], strict=True):
            variable.assign(array)
