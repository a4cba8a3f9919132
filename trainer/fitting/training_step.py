"""One step of a fit: augmentation, loss, gradient and update in the graph, on all devices; and lookahead.

Every random choice depends on the seed and the step alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from trainer.config import Recipe
from trainer.fitting.augment import augment
from trainer.fitting.devices import Array, Devices, replica_id
from trainer.fitting.teaching import Teaching

REPLICA_STRIDE = 15_485_863
"""Between the augmentation seeds of two replicas."""


class TrainingStep:
    """The step of one network, with what it changes: weights, the optimizer's state, averages."""

    def __init__(
        self,
        network: keras.Model,
        recipe: Recipe,
        devices: Devices,
        batch_size: int,
        seed: int,
        teaching: Teaching | None = None,
    ) -> None:
        """`devices`: those in whose scope the network was built. `batch_size`: on all of them together."""
        self._network, self._recipe, self._devices, self._teaching = network, recipe, devices, teaching
        self._batch_size, self._seed = batch_size, seed
        self._averaged = _changing(network)
        with devices.strategy.scope():
            self._optimizer = keras.optimizers.SGD(0.0, momentum=recipe.momentum, nesterov=True)
            self._optimizer.build(network.trainable_variables)
            self._averages = [tf.Variable(v.value, trainable=False) for v in self._averaged]
        self._run = tf.function(self._step_everywhere, reduce_retracing=True)
        self._average = tf.function(self._average_step)

    def __call__(
        self,
        images: Array,
        flips: Array,
        answers: Sequence[Array],
        *,
        step: int,
        steps: int,
        trains_whitening: bool,
    ) -> tuple[float, int]:
        """Learn one batch; the mean loss and the number of pictures that were answered right.

        Args:
            images: uint8, [N, H, W, 3], RGB.
            flips: bool, [N]: which pictures to mirror.
            answers: int, [N], the classes; with a teacher what Teaching.rows gives.
            step: of the whole fit, 0 for the first of `steps`.
            trains_whitening: whether the bias of the whitening layer moves as well.
        """
        progress = step / steps
        self._optimizer.learning_rate.assign(
            self._recipe.peak_rate(self._batch_size) * self._recipe.rate_factor(progress)
        )
        loss, hits = self._run(
            self._devices.divided(images),
            self._devices.divided(flips),
            tf.constant([self._seed % 2**31, step], tf.int32),
            tf.constant(float(trains_whitening)),
            *map(self._devices.divided, answers),
        )
        if (step + 1) % self._recipe.lookahead_every == 0:
            self.look_ahead(self._recipe.lookahead_decay**self._recipe.lookahead_every * progress**3)
        return float(loss), int(hits)

    @property
    def learning_rate(self) -> float:
        """Of the last step."""
        return float(self._optimizer.learning_rate.value.numpy())

    @property
    def state(self) -> list[tf.Variable]:
        """All that a resumed fit needs, in a fixed order."""
        keras_variables = [*self._network.variables, *self._optimizer.variables]
        return [variable.value for variable in keras_variables] + self._averages

    def look_ahead(self, decay: float) -> None:
        """Lookahead (Zhang et al., 2019): average ← decay·average + (1 − decay)·weights; weights ← average.

        With decay 1, at the very end, the average stands still and becomes the weights.
        """
        self._average(tf.constant(decay, tf.float32))

    def _average_step(self, decay: tf.Tensor) -> None:
        for average, variable in zip(self._averages, self._averaged, strict=True):
            average.assign(decay * average + (1 - decay) * variable.value)
            variable.value.assign(average)

    def _step_everywhere(self, *batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The mean loss and the number of hits of all replicas."""
        strategy, reduce = self._devices.strategy, tf.distribute.ReduceOp
        loss, hits = strategy.run(self._step, args=batch)
        return strategy.reduce(reduce.MEAN, loss, axis=None), strategy.reduce(reduce.SUM, hits, axis=None)

    def _step(
        self, images: tf.Tensor, flips: tf.Tensor, seed: tf.Tensor, whitening: tf.Tensor, *answers: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if self._teaching:
            labels, pictures, shares = answers
            shown = self._augmented(tf.concat([images, pictures], axis=-1), flips, seed)
            images, pictures = tf.split(shown, 2, axis=-1)
            truth = self._teaching.answers(labels, pictures, shares)
        else:
            images, (truth,) = self._augmented(images, flips, seed), answers
        with tf.GradientTape() as tape:
            logits = self._network(tf.cast(images, tf.float32), training=True)
            loss = self._loss(truth, logits)
        variables = self._network.trainable_variables
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        updates = [
            self._update(variable, gradient, whitening)
            for variable, gradient in zip(variables, gradients, strict=True)
        ]
        self._optimizer.apply(updates, variables)
        named = truth if truth.shape.rank == 1 else tf.argmax(truth, axis=1)
        hits = tf.reduce_sum(tf.cast(tf.argmax(logits, axis=1) == named, tf.int32))
        return loss, hits

    def _augmented(self, images: tf.Tensor, flips: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        side = min(images.shape[1], images.shape[2])
        return augment(
            images,
            flips,
            seed + tf.stack([replica_id() * REPLICA_STRIDE, 0]),
            padding=min(self._recipe.crop_padding, side // 8),
            cutout=min(self._recipe.cutout, side // 3),
        )

    def _loss(self, truth: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        if truth.shape.rank == 2:
            return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(truth, logits))
        classes = logits.shape[1]
        smoothing = self._recipe.label_smoothing
        targets = tf.one_hot(truth, classes) * (1 - smoothing) + smoothing / classes
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))

    def _update(self, variable: keras.Variable, gradient: tf.Tensor, whitening: tf.Tensor) -> tf.Tensor:
        """The gradient with its parameter's own rate and the decay that is independent of the rate.

        A replica's share of it, since the optimizer adds them up.
        """
        decay = self._recipe.decay_per_step(self._batch_size) / self._recipe.peak_rate(self._batch_size)
        factor = self._recipe.shift_rate_factor if variable.name == "beta" else 1.0
        update = (factor * gradient + decay * variable.value) / self._devices.replicas
        return update * whitening if "whitening" in variable.path else update


def _changing(network: keras.Model) -> list[keras.Variable]:
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
