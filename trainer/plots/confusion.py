"""The confusion matrix: which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from contract.evaluation import Evaluation
from trainer.plots.style import short, subject, title_of

NUMBERED_CLASSES = 25
"""Up to so many classes, the cells carry their counts."""
NAMED_TICKS = 100

Array = npt.NDArray[Any]


def confusion_matrix(evaluation: Evaluation) -> Figure:
    """Rows are true classes; colour is the share of the row, so that classes of any size compare."""
    counts = np.array(evaluation.confusion_matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    labels = [row.label for row in evaluation.per_class]
    side = min(max(5.0, 3.0 + 0.42 * len(labels)), 14.0)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.add_subplot()
    # The root makes the few mistakes visible beside the many right answers.
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0.0, vmax=1.0))
    figure.colorbar(image, ax=axes, shrink=0.8, format=PercentFormatter(1.0), label="share of the true class")
    accuracy = f"{subject(evaluation)}, accuracy {evaluation.accuracy:.2%}"
    title_of(axes, "Confusion matrix", accuracy, _worst(evaluation))
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.grid(visible=False)
    _name_ticks(axes, labels)
    if len(labels) <= NUMBERED_CLASSES:
        _number_cells(axes, counts, shares)
    return figure


def _worst(evaluation: Evaluation, pairs: int = 3) -> str:
    """The confusions that happen most often, as a line of text."""
    counts = np.array(evaluation.confusion_matrix)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:pairs]
    cells = [divmod(int(cell), len(counts)) for cell in order]
    labels = [row.label for row in evaluation.per_class]
    named = [f"{labels[t]} → {labels[p]} ({counts[t, p]:,})" for t, p in cells if counts[t, p]]
    return f"most often: {', '.join(named)}" if named else "no mistakes"


def _name_ticks(axes: Axes, labels: Sequence[str]) -> None:
    step = -(-len(labels) // NAMED_TICKS)
    ticks = np.arange(0, len(labels), step)
    size = float(np.clip(620 / len(labels), 4.5, 9))
    names = [short(label) for label in labels[::step]]
    is_upright = len(labels) > 4
    axes.set_xticks(ticks, names, fontsize=size, rotation=90 if is_upright else 0)
    axes.set_yticks(ticks, names, fontsize=size)


def _number_cells(axes: Axes, counts: Array, shares: Array) -> None:
    size = float(np.clip(90 / len(counts), 5, 9))
    for (row, column), count in np.ndenumerate(counts):
        # The root carries a share of 0.35 to where the colours are too dark for black.
        colour = "0.7" if not count else "white" if shares[row, column] > 0.35 else "black"
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=size)
