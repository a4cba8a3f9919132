"""The curves of a fit."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from contract.training import ProgressEvent
from trainer.plots.style import BLUE, ORANGE, title_of

Curves = dict[str, tuple[list[int], list[float]]]
"""For each value's name, the epochs that report it, ascending, and what they report."""


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
        for name, colour, line in zip(names, (BLUE, ORANGE), ("-", "--"), strict=False):
            if name in curves:
                label = "validation" if name.startswith("validation_") else "training"
                marker = "o" if len(curves[name][0]) == 1 else ""
                axes.plot(
                    *curves[name], color=colour, linestyle=line, marker=marker, linewidth=1.6, label=label
                )
        title_of(axes, title.capitalize(), _curve_note(title, curves))
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
