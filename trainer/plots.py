"""An evaluation and a fit as pictures: small PNG files that lie beside a version's card.

Everything is drawn with matplotlib's objects, without pyplot's global figures, so that no display is
needed and any one thread at a time may draw. The figures are those of trainer.evaluate's records; only
the ROC curves need the probabilities.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib import color_sequences
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from sklearn.metrics import roc_curve

from contract.records import Evaluation, ProgressEvent
from trainer.evaluate import check_probabilities

Array = npt.NDArray[Any]
Curves = dict[str, tuple[list[int], list[float]]]
"""For each value's name, the epochs that report it, ascending, and what they report."""

DOTS_PER_INCH = 110
NUMBERED_CLASSES = 25
"""Up to so many classes, the cells of a confusion matrix carry their counts."""
COLOURED_CLASSES = 10
"""Up to so many classes, each has its own colour."""
LISTED_CLASSES = 100
"""The bars show so many classes, the weakest ones."""
NAMED_TICKS = 100

# matplotlib's sequence for deficient colour vision (Petroff, 2021); meaning never hangs on colour alone.
_COLOURS = color_sequences["petroff10"]
_BLUE, _ORANGE, _RED, _GREY = _COLOURS[0], _COLOURS[1], _COLOURS[2], "0.45"

_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "legend.edgecolor": "none",
    "text.parse_math": False,  # a label may hold dollar signs
    "figure.dpi": DOTS_PER_INCH,
}


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
    with mpl.rc_context(rc=_STYLE):
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


# --- confusion matrix ---------------------------------------------------------------------------


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
    accuracy = f"{_subject(evaluation)}, accuracy {evaluation.accuracy:.2%}"
    _title(axes, "Confusion matrix", accuracy, _worst(evaluation))
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
    names = [_short(label) for label in labels[::step]]
    is_upright = len(labels) > 4
    axes.set_xticks(ticks, names, fontsize=size, rotation=90 if is_upright else 0)
    axes.set_yticks(ticks, names, fontsize=size)


def _number_cells(axes: Axes, counts: Array, shares: Array) -> None:
    size = float(np.clip(90 / len(counts), 5, 9))
    for (row, column), count in np.ndenumerate(counts):
        # The root carries a share of 0.35 to where the colours are too dark for black.
        colour = "0.7" if not count else "white" if shares[row, column] > 0.35 else "black"
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=size)


# --- calibration --------------------------------------------------------------------------------


def reliability(evaluation: Evaluation) -> Figure:
    """Accuracy against confidence by bin, over the histogram of the confidence."""
    bins = [bin_ for bin_ in evaluation.calibration if bin_.examples]
    middles = [(bin_.lower + bin_.upper) / 2 for bin_ in bins]
    width = 1 / len(evaluation.calibration)
    figure = Figure(figsize=(5.6, 6.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1, label="perfect calibration")
    upper.bar(
        middles, [bin_.accuracy for bin_ in bins], width, color=_BLUE, edgecolor="white", label="accuracy"
    )
    upper.plot(
        [bin_.confidence for bin_ in bins],
        [bin_.accuracy for bin_ in bins],
        "o",
        color=_ORANGE,
        markeredgecolor="white",
        label="at the bin's mean confidence",
    )
    error = f"expected calibration error {evaluation.expected_calibration_error:.4f}"
    loss = f"log loss {evaluation.log_loss:.4f}"
    _title(upper, "Reliability", _subject(evaluation), f"{error}, {loss}")
    upper.set_ylabel("accuracy")
    upper.set_ylim(0, 1.02)
    upper.legend(loc="upper left")
    shares = [bin_.examples / evaluation.examples for bin_ in bins]
    lower.bar(middles, shares, width, color=_GREY, edgecolor="white")
    lower.axvline(evaluation.accuracy, color=_RED, linestyle="--", linewidth=1.2, label="accuracy")
    mean = sum(bin_.confidence * bin_.examples for bin_ in bins) / evaluation.examples
    lower.axvline(mean, color="black", linestyle=":", linewidth=1.2, label="mean confidence")
    lower.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    lower.set_ylabel("pictures")
    lower.set_xlabel("confidence (highest score)")
    lower.set_xlim(0, 1)
    lower.legend(loc="upper left")
    return figure


# --- classes ------------------------------------------------------------------------------------


def per_class(evaluation: Evaluation) -> Figure:
    """Precision, recall and F1 of each class, the weakest on top."""
    rows = sorted(evaluation.per_class, key=lambda row: row.f1)[:LISTED_CLASSES]
    is_roomy = len(rows) <= 25
    height = 1.5 + max(1.6, len(rows) * (0.42 if is_roomy else 0.2))
    figure = Figure(figsize=(7.0, height), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(rows), dtype=float)
    names = ("precision", "recall", "f1")
    looks = ((_BLUE, ""), (_ORANGE, "////" if is_roomy else ""), ("0.3", ""))
    for offset, name, (colour, hatch) in zip((-0.27, 0.0, 0.27), names, looks, strict=True):
        values = [getattr(row, name) for row in rows]
        label = "F1" if name == "f1" else name
        axes.barh(
            places + offset,
            values,
            0.25,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
            label=label,
        )
    for place, row in zip(places, rows, strict=True):
        text = f"F1 {row.f1:.3f} · {row.examples:,}"
        axes.text(1.01, place, text, va="center", fontsize=8 if is_roomy else 6)
    axes.set_yticks(places, [_short(row.label) for row in rows], fontsize=9 if is_roomy else 6)
    axes.invert_yaxis()
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.grid(visible=False, axis="y")
    macro = evaluation.macro
    figures = f"macro precision {macro.precision:.4f}, recall {macro.recall:.4f}, F1 {macro.f1:.4f}"
    shown = (
        ""
        if len(rows) == len(evaluation.per_class)
        else f"the {len(rows)} weakest of {len(evaluation.per_class):,} classes"
    )
    _title(axes, "Classes, the weakest first", _subject(evaluation), figures, shown, room=18)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    return figure


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
            label = f"{_short(labels[index])} {area:.4f}"
            dashes = ("-", "--", "-.")[from_last % 3]
            look = {"color": _COLOURS[from_last], "linestyle": dashes, "linewidth": 1.4, "label": label}
        for axes in (whole, corner):
            axes.plot(wrong, right, **look)
    _frame_roc(whole, corner)
    mean = "undefined" if evaluation.roc_auc is None else f"{evaluation.roc_auc:.4f}"
    line = f"{_subject(evaluation)}, macro mean of the areas {mean}"
    _title(whole, "ROC, one class against the rest", line)
    _title(corner, "The upper left corner", "the same curves, enlarged")
    if areas:
        title = "area under the curve" if len(areas) <= COLOURED_CLASSES else "the five smallest areas"
        whole.legend(loc="lower right", title=title)
    return figure


def _frame_roc(whole: Axes, corner: Axes) -> None:
    whole.plot([0, 1], [0, 1], color=_GREY, linestyle=":", linewidth=1)
    whole.set_xlim(-0.01, 1.01)
    whole.set_ylim(-0.01, 1.01)
    corner.set_xlim(0, 0.2)
    corner.set_ylim(0.8, 1.002)
    for axes in (whole, corner):
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")


# --- training -----------------------------------------------------------------------------------


def curves_of(events: Iterable[ProgressEvent]) -> Curves:
    """The values of the fit by epoch; of several reports on one epoch (a resumed run) the last counts."""
    values: dict[str, dict[int, float]] = {}
    for event in events:
        if event.phase == "fit" and event.epoch is not None:
            for name, value in event.values.items():
                values.setdefault(name, {})[event.epoch] = value
    return {name: (sorted(by), [by[epoch] for epoch in sorted(by)]) for name, by in values.items()}


def training_curves(curves: Curves) -> Figure:
    """Loss, accuracy and learning rate by epoch, as far as they were reported."""
    panels = {
        "loss": ("loss", "validation_loss"),
        "accuracy": ("accuracy", "validation_accuracy"),
        "learning rate": ("learning_rate",),
    }
    drawn = {title: names for title, names in panels.items() if any(name in curves for name in names)}
    figure = Figure(figsize=(4.2 * max(1, len(drawn)), 3.8), layout="constrained")
    for number, (title, names) in enumerate(drawn.items(), start=1):
        axes = figure.add_subplot(1, len(drawn), number)
        for name, colour, line in zip(names, (_BLUE, _ORANGE), ("-", "--"), strict=False):
            if name in curves:
                label = "validation" if name.startswith("validation_") else "training"
                marker = "o" if len(curves[name][0]) == 1 else ""
                axes.plot(
                    *curves[name], color=colour, linestyle=line, marker=marker, linewidth=1.6, label=label
                )
        _title(axes, title.capitalize(), _curve_note(title, curves))
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(names) > 1:
            axes.legend()
        if title == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    return figure


def _curve_note(title: str, curves: Curves) -> str:
    """What to read off the curve first."""
    if title == "accuracy" and "validation_accuracy" in curves:
        epochs, values = curves["validation_accuracy"]
        best = int(np.argmax(values))
        return f"validation: best {values[best]:.2%}, epoch {epochs[best]}"
    if title == "loss" and "validation_loss" in curves:
        epochs, values = curves["validation_loss"]
        return f"validation: {values[-1]:.4f} after epoch {epochs[-1]}"
    epochs, values = curves.get("learning_rate", ([0], [0.0]))
    return f"largest {max(values):.4g}" if title == "learning rate" else " "


# --- words --------------------------------------------------------------------------------------


def _title(axes: Axes, title: str, *lines: str, room: float = 0.0) -> None:
    """A bold line and plain ones below it, `room` points above the axes."""
    below = [line for line in lines if line]
    axes.set_title(title, pad=6 + room + 12.5 * len(below))
    place: dict[str, Any] = {
        "xy": (0, 1),
        "xycoords": "axes fraction",
        "xytext": (0, 5 + room),
        "textcoords": "offset points",
    }
    axes.annotate("\n".join(below), **place, va="bottom", color="0.25")


def _subject(evaluation: Evaluation) -> str:
    return f"{evaluation.split} split, {evaluation.examples:,} pictures"


def _short(label: str, longest: int = 24) -> str:
    return label if len(label) <= longest else f"{label[: longest - 1]}…"
