"""Adopting what others trained: real saved models become versions; every mismatch is one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import foreign_models as foreign
import numpy as np
import pytest
from drawing import draw_folder

from contract.card import ModelCard
from contract.layout import ModelPaths

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 pictures of each colour."""
    return draw_folder(tmp_path_factory.mktemp("labelled"), 40)


@pytest.fixture
def adopt(
    tmp_path: Path, labelled: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """The command `adopt`, in this process: exit status and what it printed."""
    from trainer.__main__ import main

    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(foreign.LABELS) + "\n")

    def call(path: Path, *extra: str) -> tuple[int, str]:
        flags = {"--labels": labels, "--data": labelled, "--scaling": "unit", "--models": tmp_path / "models"}
        arguments = [str(part) for flag in flags.items() for part in flag]
        code = main(["adopt", str(path), *arguments, "--model", "colours", *extra])
        return code, "".join(capsys.readouterr())

    return call


def _version(tmp_path: Path, number: int = 1) -> tuple[Path, ModelCard]:
    folder = ModelPaths(tmp_path / "models", "colours").version(number)
    return folder, ModelCard.model_validate_json((folder / "model_card.json").read_bytes())


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_keras_file_becomes_a_version(adopt: Any, tmp_path: Path, labelled: Path, suffix: str) -> None:
    """Both signatures answer with the labels' probabilities, and the card states what was measured."""
    from trainer.version.served import SavedVersion

    code, output = adopt(foreign.save_keras(tmp_path / f"theirs{suffix}"))
    assert code == 0, output
    assert "the outputs are logits" in output
    folder, card = _version(tmp_path)
    assert card.labels == foreign.LABELS
    assert card.test is not None
    assert card.test.accuracy == 1.0
    assert card.test.examples + card.validation.examples == 120
    assert card.dataset.examples["train"] == 0
    assert (card.parameters, card.hyper_parameters["scaling"]) == (9, "unit")
    assert card.embedding is not None
    assert card.embedding.dimensions == 3
    assert card.reference is not None
    assert card.reference.embedding_mean == pytest.approx([0.37] * 3, abs=0.03)  # the mean colour, 0 to 1
    assert (folder / "assets.extra" / "tf_serving_warmup_requests").is_file()
    assert (folder / "plots" / "confusion_matrix.png").is_file()
    served = SavedVersion(folder)
    answered = served.probabilities_of_files([labelled / label / "0000.png" for label in foreign.LABELS])
    assert answered.argmax(axis=1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(answered.sum(axis=1), 1, atol=1e-5)


def test_a_saved_model_of_any_size_becomes_a_version(adopt: Any, tmp_path: Path) -> None:
    """What `model.export` wrote is adopted at the size that the command line states."""
    path = foreign.save_exported(tmp_path / "theirs", size=(None, None), activation="softmax")
    code, output = adopt(path, "--size", "20x28")
    assert code == 0, output
    assert "the outputs are probabilities" in output
    _, card = _version(tmp_path)
    assert card.embedding is None  # a graph does not tell
    assert (card.image.height, card.image.width) == (20, 28)
    assert card.test is not None
    assert card.test.accuracy == 1.0


@pytest.mark.parametrize("is_large", [False, True])
def test_a_saved_model_with_channels_first(
    adopt: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_large: bool
) -> None:
    """Another layout, scaling, signature and a second output; large weights stay variables."""
    from trainer.version import export

    if is_large:
        monkeypatch.setattr(export, "MAX_CONSTANT_BYTES", 8)
    path = foreign.save_channels_first(tmp_path / "theirs")
    code, output = adopt(path, "--scaling", "symmetric", "--output", "scores", "--no-calibration")
    assert code == 0, output
    folder, card = _version(tmp_path)
    assert card.test is not None
    assert (card.test.accuracy, card.temperature) == (1.0, 1.0)
    assert ((folder / "variables" / "variables.index").stat().st_size > 200) is is_large


def test_one_output_serves_two_labels(adopt: Any, tmp_path: Path, labelled: Path) -> None:
    """A sigmoid's one output is the probability of the second label."""
    for colour in ("red", "blue"):
        (tmp_path / "two" / colour).parent.mkdir(exist_ok=True)
        (tmp_path / "two" / colour).symlink_to(labelled / colour)
    names = tmp_path / "two.json"
    names.write_text(json.dumps({"blue": 1, "red": 0}))
    path = foreign.save_sigmoid(tmp_path / "theirs.keras")
    code, output = adopt(path, "--labels", str(names), "--data", str(tmp_path / "two"))
    assert code == 0, output
    _, card = _version(tmp_path)
    assert card.labels == ["red", "blue"]
    assert card.test is not None
    assert card.test.accuracy == 1.0


def test_adopting_twice_publishes_once(adopt: Any, tmp_path: Path) -> None:
    """The same model with the same settings is the version that it was; with others it is a new one."""
    path = foreign.save_keras(tmp_path / "theirs.keras")
    outputs = [adopt(path, *extra)[1] for extra in ((), (), ("--no-calibration",))]
    assert ["version 1" in output for output in outputs] == [True, True, False]
    assert "version 2" in outputs[2]


def _text(content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "labels.json"
        path.write_text(content)
        return path

    return write


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("red\ngreen\n", "has 3 outputs"),
        ("red\n", "names 1 label(s)"),
        ("red\ngreen\nred\n", "'red' names the outputs [0, 2]"),
        ("red\n\nblue\n", "label 1 (counted from 0) is ''"),
        ("red\na/b\nblue\n", "'a/b'"),
        ('["red", "green",', "begins like JSON"),
        ('{"0": "red", "2": "green"}', "each index from 0 to 1"),
        ('["red", 5, "blue"]', "is 5"),
    ],
)
def test_labels_that_do_not_fit_are_refused(adopt: Any, tmp_path: Path, content: str, message: str) -> None:
    """The sentence quotes the label or the counts; nothing is published."""
    path = foreign.save_keras(tmp_path / "theirs.keras")
    code, output = adopt(path, "--labels", str(_text(content)(tmp_path)))
    assert code == 1
    assert message in output
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("options", "flags", "message"),
    [
        ({"size": (None, None)}, [], "--size HEIGHTxWIDTH"),
        ({}, ["--size", "32x32"], "takes pictures of 24x24, not 32x32"),
        ({"batch": 1}, [], "batches of exactly 1"),
        ({"channels": 1}, [], "no dimension is the 3 channels"),
        ({}, ["--scaling", "0-1"], "unknown scaling '0-1'"),
        ({}, ["--scaling", "1,2,3/0,1,1"], "deviations must be above 0"),
        ({}, ["--outputs", "probabilities"], "look like logits"),
        ({"activation": "softmax"}, ["--outputs", "logits"], "look like probabilities"),
        ({}, ["--model", "config"], "cannot be called 'config'"),
        ({}, ["--data", "/nowhere"], "is not a folder"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(
    adopt: Any, tmp_path: Path, options: dict[str, Any], flags: list[str], message: str
) -> None:
    """The sentence says what arrived and the way out; nothing is published."""
    code, output = adopt(foreign.save_keras(tmp_path / "theirs.keras", **options), *flags)
    assert code == 1
    assert message in output
    assert "Traceback" not in output
    assert not (tmp_path / "models").exists()


def test_a_wrong_scaling_is_noticed(adopt: Any, tmp_path: Path) -> None:
    """Where another scaling answers clearly better, the adoption is refused and names it."""
    path = foreign.save_channels_first(tmp_path / "theirs", foreign.colour_weights()[::-1])
    code, output = adopt(path, "--scaling", "symmetric", "--output", "scores")
    assert code == 1, output
    assert "state --scaling caffe" in output
    assert not (tmp_path / "models").exists()


def test_strange_files_and_folders_are_refused(adopt: Any, tmp_path: Path, labelled: Path) -> None:
    """No model, a broken one, a folder above the SavedModel, a class without a label, too few pictures."""
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"no zip")
    foreign.save_exported(tmp_path / "above" / "3")
    other = draw_folder(tmp_path / "other", 2)
    fine = foreign.save_keras(tmp_path / "fine.keras")
    few = adopt(fine, "--data", str(other))
    (other / "purple").mkdir()
    for (code, output), message in (
        (adopt(tmp_path / "absent.keras"), "does not exist"),
        (adopt(tmp_path / "labels.txt"), "neither a .keras nor an .h5"),
        (adopt(broken), "cannot be loaded by Keras"),
        (adopt(tmp_path / "above"), f"did you mean {tmp_path / 'above' / '3'}?"),
        (
            adopt(foreign.save_channels_first(tmp_path / "several")),
            "choose by --output among ['index', 'scores']",
        ),
        (adopt(fine, "--data", str(other)), "['purple'] are none of the 3 labels"),
        (few, "6 usable pictures of the labels, fewer than 20"),
    ):
        assert code == 1, output
        assert message in output
    assert not (tmp_path / "models").exists()
