"""Training a head on a frozen backbone: real saved networks, other sizes, two classes and more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Workshop

from contract.card import ModelCard

pytestmark = pytest.mark.tensorflow


def _save_backbone(path: Path, size: int | None = None, *, is_map: bool = True) -> Path:
    """`path`: a small convolutional network in 0–1 with batch normalisation and dropout."""
    import keras

    keras.utils.set_random_seed(3)
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(24, 3, strides=2)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.5)(keras.layers.ReLU(name="relu")(x))
    network = keras.Model(inputs, x if is_map else keras.layers.GlobalMaxPooling2D(name="pooled")(x))
    statistics = network.layers[2]
    statistics.set_weights([*statistics.get_weights()[:2], np.full(24, 0.1), np.full(24, 0.5)])
    network.save(path)
    return path


def _card(shop: Workshop) -> tuple[Path, ModelCard]:
    folder = shop.model.version(1)
    return folder, ModelCard.model_validate_json((folder / "model_card.json").read_bytes())


def test_a_run_trains_a_head_and_leaves_the_backbone(workshop: Workshop) -> None:
    """The version answers well, its model.keras loads by plain Keras with the old weights inside."""
    import keras

    backbone = _save_backbone(workshop.root / "theirs.keras")
    flags = ["--backbone", str(backbone), "--backbone-scaling", "unit", "--epochs", "2"]
    code, output = workshop.call(*workshop.run_arguments("head", *flags))
    assert code == 0, output
    folder, card = _card(workshop)
    assert card.test is not None
    assert card.test.accuracy >= 0.95
    assert card.hyper_parameters["backbone"] == "theirs.keras"
    assert card.embedding is not None
    assert card.embedding.dimensions == 24
    network = keras.saving.load_model(folder / "model.keras", compile=False)
    inner = next(layer for layer in network.layers if isinstance(layer, keras.Model))
    before = keras.saving.load_model(backbone, compile=False).get_weights()
    for ours, theirs in zip(inner.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("side", "classes", "is_map"), [(20, 2, True), (40, 5, False)])
def test_any_size_and_number_of_classes(tmp_path: Path, side: int, classes: int, is_map: bool) -> None:
    """Pictures of another size than the backbone's are resized in the graph; the head starts as its probe."""
    from contract.image_spec import ImageSpec
    from trainer.network.scaling import scaling_of
    from trainer.network.transfer import build, open_backbone

    backbone = open_backbone(
        _save_backbone(tmp_path / "theirs.keras", 32, is_map=is_map), scaling_of("caffe")
    )
    rng = np.random.default_rng(0)
    truth = np.arange(60) % classes
    colours = rng.integers(0, 256, (classes, 3))
    pixels = (colours[truth][:, None, None, :] * 0.7 + rng.integers(0, 70, (60, side, side, 3))).astype(
        np.uint8
    )
    network = build(backbone, ImageSpec(height=side, width=side), pixels, truth, classes)
    logits = np.asarray(network(pixels.astype(np.float32)))
    assert logits.shape == (60, classes)
    assert np.mean(logits.argmax(axis=1) == truth) >= 0.9
    assert [variable.path.split("/")[0] for variable in network.trainable_variables] == ["head", "head"]


def test_the_pictures_have_the_backbones_size(tmp_path: Path) -> None:
    """A backbone of one size decides it, unless the spec does; one of any size leaves it to the data."""
    from contract.image_spec import ImageSpec
    from trainer.network.scaling import scaling_of
    from trainer.network.transfer import open_backbone

    asked = ImageSpec(height=10, width=12)
    fixed, free = (
        open_backbone(_save_backbone(tmp_path / f"{size}.keras", size), scaling_of("unit"))
        for size in (32, None)
    )
    assert fixed.image_for(None) == ImageSpec(height=32, width=32)
    assert free.image_for(None) is None
    assert fixed.image_for(asked) == free.image_for(asked) == asked


def test_a_layer_can_be_named(tmp_path: Path) -> None:
    """The features are then that layer's outputs; a name that is none is answered with some that are."""
    from trainer.errors import TrainerError
    from trainer.network.scaling import scaling_of
    from trainer.network.transfer import open_backbone

    path = _save_backbone(tmp_path / "theirs.keras", 32, is_map=False)
    backbone = open_backbone(path, scaling_of("unit"), "relu")
    assert tuple(backbone.network.outputs[0].shape) == (None, 15, 15, 24)
    with pytest.raises(TrainerError, match=r"no layer 'nope'.*'pooled'"):
        open_backbone(path, scaling_of("unit"), "nope")


def test_backbones_that_cannot_be_used_end_the_run_in_one_sentence(
    workshop: Workshop, tmp_path: Path
) -> None:
    """No such file, an input of one channel, an unknown scaling."""
    import foreign_models as foreign

    grey = foreign.save_keras(tmp_path / "grey.keras", channels=1)
    cases: list[tuple[list[Any], str]] = [
        (["--backbone", tmp_path / "absent.keras"], "is no .keras file"),
        (["--backbone", grey], "expected (batch, height, width, 3)"),
        (["--backbone", grey, "--backbone-scaling", "x"], "unknown scaling 'x'"),
    ]
    for number, (flags, message) in enumerate(cases):
        code, output = workshop.call(*workshop.run_arguments(f"bad-{number}", *map(str, flags)))
        assert code == 1
        assert message in output
        assert "Traceback" not in output
