"""Precision, recall and F1 of each class."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from contract.evaluation import Evaluation
from trainer.plots.style import BLUE, ORANGE, short, subject, title_of

LISTED_CLASSES = 100
"""The bars show so many classes, the weakest ones."""


def per_class(evaluation: Evaluation) -> Figure:
    """Precision, recall and F1 of each class, the weakest on top."""
    rows = sorted(evaluation.per_class, key=lambda row: row.f1)[:LISTED_CLASSES]
    is_roomy = len(rows) <= 25
    height = 1.5 + max(1.6, len(rows) * (0.42 if is_roomy else 0.2))
    figure = Figure(figsize=(7.0, height), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(rows), dtype=float)
    names = ("precision", "recall", "f1")
    looks = ((BLUE, ""), (ORANGE, "////" if is_roomy else ""), ("0.3", ""))
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
    axes.set_yticks(places, [short(row.label) for row in rows], fontsize=9 if is_roomy else 6)
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
    title_of(axes, "Classes, the weakest first", subject(evaluation), figures, shown, room=18)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    return figure
