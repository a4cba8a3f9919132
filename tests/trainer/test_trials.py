"""The commands by which recipes are tried: variants, sizes, drawn pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainer.errors import TrainerError

pytestmark = pytest.mark.tensorflow


def test_a_trial_trains_a_variant_and_never_opens_a_test_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command prints validation accuracy; its test folder cannot be read."""
    from trainer.trials import recipe
    from trainer.trials.drawn import draw_folder

    draw_folder(tmp_path / "train", 60)
    (tmp_path / "test" / "circle").mkdir(parents=True)
    (tmp_path / "test" / "ring").mkdir()
    (tmp_path / "test" / "circle" / "0.png").symlink_to("/nowhere")
    arguments = ["recipe", "--data", str(tmp_path), "--epochs", "1", "--variant", "less-cutout"]
    monkeypatch.setattr("sys.argv", [*arguments, "--set", "widths=8/8/8", "--set", "batch_size=32"])
    recipe.main()
    output = capsys.readouterr().out
    assert "less-cutout widths=8/8/8 batch_size=32, 1 epochs, seed 0: validation accuracy 0." in output
    assert "test" not in output


def test_changes_of_a_recipe_are_checked() -> None:
    """Values take the field's type; an unknown field and a value of another type are one sentence."""
    from trainer.config import PRESETS
    from trainer.trials.recipe import changed

    recipe = changed(PRESETS["best"], ["cutout=4", "label_smoothing=0.1", "widths=8/16/32"])
    assert (recipe.cutout, recipe.label_smoothing, recipe.widths) == (4, 0.1, (8, 16, 32))
    for change, message in (
        ("depth=3", "no 'depth'; it has epochs"),
        ("cutout=big", "cutout cannot be 'big'"),
    ):
        with pytest.raises(TrainerError, match=message):
            changed(PRESETS["best"], [change])


def test_operations_are_counted() -> None:
    """The bundled model's network has the 236 million that its documentation states."""
    from trainer.network.model import Architecture
    from trainer.trials.recipe import mega_operations

    assert round(mega_operations(Architecture(32, 32, 10, (64, 256, 256)))) == 236


def test_drawn_pictures_are_the_same_for_equal_seeds() -> None:
    """Equal seeds draw equal pictures, other seeds and shapes others."""
    from trainer.trials.drawn import SHAPES, draw

    first = {label: draw(label, 1) for label in SHAPES}
    assert all(np.array_equal(picture, draw(label, 1)) for label, picture in first.items())
    assert not np.array_equal(first["ring"], draw("ring", 2))
    assert len({picture.tobytes() for picture in first.values()}) == len(SHAPES)


def test_workers_of_a_trial_are_a_cluster() -> None:
    """Each gets the same addresses and an index of its own."""
    from trainer.cluster import worker_of
    from trainer.trials.two_workers import tf_configs

    assert [worker_of({"TF_CONFIG": text}) for text in tf_configs(3)] == [(0, 3), (1, 3), (2, 3)]
