"""ROC curves: what a threshold on a class' probability would buy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from contract.evaluation import Evaluation
from trainer.evaluation.evaluate import check_probabilities
from trainer.plots.style import COLOURS, GREY, short, subject, title_of

COLOURED_CLASSES = 10
"""Up to so many classes, each has its own colour."""

Array = npt.NDArray[Any]


def roc(evaluation: Evaluation, truth: Array, probabilities: Array) -> Figure:
    """One-vs-rest ROC curves, whole and the corner where good models differ."""
    labels = [row.label for row in evaluation.per_class]
    scores = check_probabilities(probabilities, len(labels))
    areas = [
        (row.roc_auc, index) for index, row in enumerate(evaluation.per_class) if row.roc_auc is not None
    ]
    figure = Figure(figsize=(10.5, 5.2), layout="constrained")
    whole, corner = figure.subplots(1, 2)
    # The weakest are drawn last, on top, and are the ones that stand out where classes are many.
    for rank, (area, index) in enumerate(sorted(areas, reverse=True)):
        wrong, right, _ = roc_curve(np.asarray(truth) == index, scores[:, index])
        from_last = len(areas) - 1 - rank
        stands_out = len(areas) <= COLOURED_CLASSES or from_last < 5
        look: dict[str, Any] = {"color": "0.8", "linewidth": 0.6}
        if stands_out:
            label = f"{short(labels[index])} {area:.4f}"
            dashes = ("-", "--", "-.")[from_last % 3]
            look = {"color": COLOURS[from_last], "linestyle": dashes, "linewidth": 1.4, "label": label}
        for axes in (whole, corner):
            axes.plot(wrong, right, **look)
    _frame_roc(whole, corner)
    mean = "undefined" if evaluation.roc_auc is None else f"{evaluation.roc_auc:.4f}"
    line = f"{subject(evaluation)}, macro mean of the areas {mean}"
    title_of(whole, "ROC, one class against the rest", line)
    title_of(corner, "The upper left corner", "the same curves, enlarged")
    if areas:
        title = "area under the curve" if len(areas) <= COLOURED_CLASSES else "the five smallest areas"
        whole.legend(loc="lower right", title=title)
    return figure


def _frame_roc(whole: Axes, corner: Axes) -> None:
    whole.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1)
    whole.set_xlim(-0.01, 1.01)
    whole.set_ylim(-0.01, 1.01)
    corner.set_xlim(0, 0.2)
    corner.set_ylim(0.8, 1.002)
    for axes in (whole, corner):
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")
