"""Two fits on two devices of one process, as on two GPUs: the processor stands for both.

The second learns from the first one's answers alone. Prints the accuracy of each.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)

from trainer.config import PRESETS  # noqa: E402
from trainer.dataset.loading import load_training  # noqa: E402
from trainer.fitting.devices import Devices  # noqa: E402
from trainer.fitting.fit import Fit  # noqa: E402
from trainer.fitting.teaching import Teaching  # noqa: E402
from trainer.network import model  # noqa: E402 – the devices must stand first

devices = Devices(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
data = load_training(Path(sys.argv[1]))
recipe = replace(PRESETS["tiny"], widths=(8, 8, 8), epochs=8, batch_size=25)
mean, deviation = model.channel_statistics(data.train.images)
architecture = model.Architecture(data.image.height, data.image.width, len(data.labels), recipe.widths)


def trained(teaching: Teaching | None = None) -> Fit:
    """A fit that has ended."""
    with devices.strategy.scope():
        network = model.build(architecture, mean, deviation, 0, norm=model.FusedBatchNormalization)
    model.whiten(network, data.train.images, mean, deviation)
    with tempfile.TemporaryDirectory() as folder:
        fit = Fit(
            network, recipe, data.train, data.validation, 0, Path(folder), devices=devices, teaching=teaching
        )
        fit.run()
    return fit


def accuracy(fit: Fit) -> float:
    """On what it was trained on."""
    return float(np.mean(fit.logits(data.train.images).argmax(axis=1) == data.train.truth))


parent, count, classes = trained(), len(data.train), len(data.labels)
labels = np.full((count, classes), 1 / classes, np.float32)
with devices.strategy.scope():
    sure = keras.Sequential([parent.network, keras.layers.Rescaling(20.0)])
child = trained(Teaching(sure, labels, np.arange(count), np.ones(count, np.float32)))
print(f"{devices.replicas} replicas, batch {parent.batch_size}, accuracy {accuracy(parent):.2f}")
print(f"taught by it alone {accuracy(child):.2f}")
