"""The loop: it learns, it resumes exactly, it stops early, it can be interrupted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


def _fit(data: Any, checkpoints: Path, hooks: Any = None, **changes: Any) -> Any:
    import keras

    from trainer.config import PRESETS
    from trainer.fitting.fit import Fit, Hooks
    from trainer.network import model

    recipe = replace(PRESETS["tiny"], widths=(8, 8, 8), **changes)
    mean, deviation = model.channel_statistics(data.train.images)
    architecture = model.Architecture(data.image.height, data.image.width, len(data.labels), recipe.widths)
    keras.utils.set_random_seed(0)
    network = model.build(architecture, mean, deviation, 0, norm=model.FusedBatchNormalization)
    model.whiten(network, data.train.images, mean, deviation)
    return Fit(network, recipe, data.train, data.validation, 0, checkpoints, hooks or Hooks())


@pytest.fixture(scope="module")
def data(drawn_data: Path) -> Any:
    """The drawn dataset, decoded."""
    from trainer.dataset.loading import load_training

    return load_training(drawn_data)


class _StopError(Exception):
    """Stands for whatever interrupts a fit."""


def test_an_interrupted_fit_ends_where_an_uninterrupted_one_does(data: Any, tmp_path: Path) -> None:
    """Stopped in the middle of an epoch and resumed, the weights are those of a fit that ran through."""
    from trainer.fitting.fit import Hooks

    straight = _fit(data, tmp_path / "straight", epochs=4)
    straight.run()

    def stop_in_third_epoch(report: Any) -> None:
        if report.epoch == 3:
            raise _StopError

    with pytest.raises(_StopError):
        _fit(data, tmp_path / "resumed", Hooks(on_step=stop_in_third_epoch), epochs=4).run()
    seen: list[int] = []
    resumed = _fit(
        data, tmp_path / "resumed", Hooks(on_epoch=lambda report: seen.append(report.epoch)), epochs=4
    )
    resumed.run()
    assert seen == [3, 4]
    for ours, theirs in zip(resumed.network.get_weights(), straight.network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_the_fit_learns_and_keeps_its_best_weights(data: Any, tmp_path: Path) -> None:
    """After the fit the network scores what its best epoch scored."""
    from trainer.fitting.fit import Hooks

    reports: list[Any] = []
    fit = _fit(data, tmp_path, Hooks(on_epoch=reports.append), epochs=6)
    fit.run()
    best = [report for report in reports if report.is_best][-1]
    accuracy = np.mean(fit.logits(data.validation.images).argmax(axis=1) == data.validation.truth)
    assert accuracy == pytest.approx(best.validation_accuracy)
    assert accuracy > 0.6


def test_the_fit_stops_early(data: Any, tmp_path: Path) -> None:
    """Without a better validation accuracy for `patience` epochs, the fit ends."""
    fit = _fit(data, tmp_path, epochs=9, patience=2)
    fit._progress.best_accuracy = 2.0  # which no epoch can beat
    fit.run()
    assert fit._progress.epochs_done == 2
