"""The largest activations of a version: what a model server computes 8-bit ranges from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from conftest import Workshop
from tensorflow.core.protobuf import saved_model_pb2

from contract.activations import MAXIMA, ActivationMaxima
from trainer.version import activations
from trainer.version.served import SavedVersion

pytestmark = pytest.mark.tensorflow


def pictures(version: SavedVersion, count: int) -> Any:
    """Noise of the version's size."""
    _, height, width, channels = version.signature("serving_default").inputs[0].shape
    return np.random.default_rng(4).integers(0, 256, (count, height, width, channels), np.uint8)


def test_a_training_run_leaves_them_with_the_version(finished: Workshop) -> None:
    """By the names that the Relus have in the function that holds them."""
    version = finished.model.version(1)
    found = ActivationMaxima.model_validate_json((version / MAXIMA).read_bytes())
    graph = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    functions = graph.meta_graphs[0].graph_def.library.function
    relus = {node.name for each in functions for node in each.node_def if node.op == "Relu"}
    assert set(found.maxima) == relus
    assert found.examples > 0


def test_they_are_the_largest_outputs(finished: Workshop) -> None:
    """The embedding is the last Relu's largest output of each channel, so its largest number is known."""
    served = SavedVersion(finished.model.version(1))
    images = pictures(served, activations.BATCH + 3)
    found = activations.observe(served, images)
    embedding = served.signature("serving_embedding")(images=tf.constant(images))["embedding"].numpy()
    assert found is not None
    assert found.examples == len(images)
    assert list(found.maxima.values())[-1] == pytest.approx(float(embedding.max()), rel=1e-5)


def test_of_many_pictures_some_are_looked_at(finished: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evenly spaced: a folder is read class by class."""
    monkeypatch.setattr(activations, "EXAMPLES", 4)
    served = SavedVersion(finished.model.version(1))
    images = pictures(served, 11)
    few, same = activations.observe(served, images), activations.observe(served, images[[0, 2, 4, 6]])
    assert few == same


def test_a_network_without_a_relu_has_none(tmp_path: Path) -> None:
    """No file is written, and a model server stays with floats."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, 4, 4, 3], tf.uint8, name="images")])
    def mean(images: Any) -> Any:
        return {"probabilities": tf.reduce_mean(tf.cast(images, tf.float32), [1, 2])}

    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": mean})
    served = SavedVersion(tmp_path)
    activations.write_maxima(served, pictures(served, 2), tmp_path)
    assert not (tmp_path / MAXIMA).exists()
