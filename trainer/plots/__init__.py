"""An evaluation and a fit as pictures: small PNG files that lie beside a version's card.

Everything is drawn with matplotlib's objects, without pyplot's global figures, so that no display is
needed and any one thread at a time may draw. The figures are those of trainer.evaluation's records; only the
ROC curves need the probabilities.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from contract.evaluation import Evaluation
from contract.training import ProgressEvent
from trainer.plots.calibration import reliability
from trainer.plots.classes import per_class
from trainer.plots.confusion import confusion_matrix
from trainer.plots.roc import roc
from trainer.plots.style import STYLE
from trainer.plots.training import curves_of, training_curves

__all__ = ["curves_of", "training_curves", "write_plots"]

Array = npt.NDArray[Any]


def write_plots(
    folder: Path,
    evaluation: Evaluation,
    truth: Array | None = None,
    probabilities: Array | None = None,
    events: Iterable[ProgressEvent] = (),
) -> list[Path]:
    """Draw what the arguments allow, each into its own PNG; the files' paths.

    Args:
        folder: made where missing.
        evaluation: of the version on one split.
        truth, probabilities: integer [N] and floating [N, C], those of the evaluation; without them no ROC.
        events: of the fit; without values by epoch, no training curves.

    Raises:
        ValueError: the probabilities are not those of the evaluation's classes.
        OSError: the disk is full, …
    """
    with mpl.rc_context(rc=STYLE):
        figures = {
            "confusion_matrix": confusion_matrix(evaluation),
            "reliability": reliability(evaluation),
            "per_class": per_class(evaluation),
        }
        if truth is not None and probabilities is not None:
            figures["roc"] = roc(evaluation, truth, probabilities)
        if curves := curves_of(events):
            figures["training_curves"] = training_curves(curves)
        folder.mkdir(parents=True, exist_ok=True)
        return [_save(figure, folder / f"{name}.png") for name, figure in figures.items()]


def _save(figure: Figure, path: Path) -> Path:
    FigureCanvasAgg(figure)
    figure.savefig(path, pil_kwargs={"optimize": True})
    return path
