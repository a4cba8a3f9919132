"""What all plots look like, and the words above them."""

from __future__ import annotations

from typing import Any

from matplotlib import color_sequences
from matplotlib.axes import Axes

from contract.evaluation import Evaluation

DOTS_PER_INCH = 110


# matplotlib's sequence for deficient colour vision (Petroff, 2021); meaning never hangs on colour alone.
COLOURS = color_sequences["petroff10"]
BLUE, ORANGE, RED, GREY = COLOURS[0], COLOURS[1], COLOURS[2], "0.45"

STYLE: Any = {
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


def title_of(axes: Axes, title: str, *lines: str, room: float = 0.0) -> None:
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


def subject(evaluation: Evaluation) -> str:
    return f"{evaluation.split} split, {evaluation.examples:,} pictures"


def short(label: str, longest: int = 24) -> str:
    return label if len(label) <= longest else f"{label[: longest - 1]}…"
