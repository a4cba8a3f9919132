"""Plots are files that open, of a bounded size, for any number of classes and any labels."""

import threading
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from contract.evaluation import Evaluation
from contract.image_spec import ImageSpec
from contract.images import decode
from contract.training import ProgressEvent
from trainer.evaluation.evaluate import evaluate
from trainer.plots import curves_of, training_curves, write_plots

ALL = ["confusion_matrix.png", "per_class.png", "reliability.png", "roc.png", "training_curves.png"]


def _evaluated(labels: list[str], examples: int) -> tuple[Evaluation, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, len(labels), examples)
    logits = generator.normal(size=(examples, len(labels)))
    logits[np.arange(examples), truth] += 3
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return evaluate("test", labels, truth, scores), truth, scores


def _events(epochs: int) -> list[ProgressEvent]:
    names = ("loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate")
    return [
        ProgressEvent(phase="fit", epoch=epoch, values=dict.fromkeys(names, 1 / epoch))
        for epoch in range(1, epochs + 1)
    ]


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_every_plot_for_any_number_of_classes(tmp_path: Path, classes: int) -> None:
    """Five pictures that decode; for ten classes no more than 600 kB in all."""
    evaluation, truth, scores = _evaluated([f"class {n}" for n in range(classes)], 1000)
    paths = write_plots(tmp_path / "plots", evaluation, truth, scores, _events(40))
    assert (
        sorted(path.name for path in paths)
        == ALL
        == sorted(path.name for path in (tmp_path / "plots").iterdir())
    )
    for path in paths:
        pixels = np.frombuffer(decode(path.read_bytes(), ImageSpec(height=64, width=64)), np.uint8)
        assert pixels.std() > 5, f"{path.name} is blank"
    if classes == 10:
        assert sum(path.stat().st_size for path in paths) <= 600_000


def test_only_what_the_arguments_allow(tmp_path: Path) -> None:
    """Without probabilities no ROC curves, without a fit's events no training curves."""
    evaluation, _, _ = _evaluated(["a", "b"], 10)
    other = ProgressEvent(phase="evaluate", epoch=1, values={"accuracy": 0.5})
    names = [path.name for path in write_plots(tmp_path, evaluation, events=[other])]
    assert names == ["confusion_matrix.png", "reliability.png", "per_class.png"]


def test_labels_that_look_like_formulas(tmp_path: Path) -> None:
    """A dollar sign in a label is a dollar sign, and a long label is cut."""
    evaluation, truth, scores = _evaluated(["$x_{", "a$b$c^", "x" * 200], 30)
    assert len(write_plots(tmp_path, evaluation, truth, scores)) == 4


def test_a_single_picture(tmp_path: Path) -> None:
    """One example: no class has a ROC curve, most bins are empty, and still everything is drawn."""
    evaluation = evaluate("test", ["a", "b"], np.array([0]), np.array([[0.7, 0.3]]))
    paths = write_plots(tmp_path, evaluation, np.array([0]), np.array([[0.7, 0.3]]), _events(1))
    assert sorted(path.name for path in paths) == ALL


def test_last_report_of_an_epoch_counts() -> None:
    """A run that was killed and resumed reports an epoch twice; other phases are no part of the curves."""
    events = [
        ProgressEvent(phase="fit", epoch=2, values={"loss": 9.0}),
        ProgressEvent(phase="fit", epoch=1, values={"loss": 3.0, "accuracy": 0.1}),
        ProgressEvent(phase="fit", epoch=2, values={"loss": 2.0}),
        ProgressEvent(phase="fit", values={"loss": 7.0}),
        ProgressEvent(phase="export", epoch=3, values={"loss": 7.0}),
    ]
    assert curves_of(events) == {"loss": ([1, 2], [3.0, 2.0]), "accuracy": ([1], [0.1])}


def test_curves_state_the_best_epoch() -> None:
    """The accuracy's panel names the best validation accuracy and its epoch; absent values have no panel."""
    figure = training_curves({"validation_accuracy": ([1, 2, 3], [0.5, 0.75, 0.7])})
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["validation: best 75.00%, epoch 2"]


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path) -> None:
    """The style ends with the call, and a thread that is not the main one may draw."""
    before = dict(mpl.rcParams)
    evaluation, truth, scores = _evaluated(["a", "b"], 10)
    thread = threading.Thread(target=write_plots, args=(tmp_path, evaluation, truth, scores))
    thread.start()
    thread.join()
    assert len(list(tmp_path.iterdir())) == 4
    assert dict(mpl.rcParams) == before
