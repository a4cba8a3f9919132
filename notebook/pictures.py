"""How the walkthrough shows pictures and bars: small figures, so that the committed notebook stays small."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib_inline.backend_inline import set_matplotlib_formats

set_matplotlib_formats("jpeg")  # a third of PNG's bytes on noisy pictures
plt.rcParams.update(
    {
        "figure.dpi": 72,
        "figure.constrained_layout.use": True,
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)


def grid(pictures: Sequence[npt.NDArray[np.uint8]], titles: Sequence[str], columns: int = 10) -> None:
    """Pictures in rows, each with a title above."""
    rows = -(-len(pictures) // columns)
    _, axes = plt.subplots(rows, columns, figsize=(columns * 0.95, rows * 1.1), squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for place, picture, title in zip(axes.flat, pictures, titles, strict=False):
        place.imshow(picture)
        place.set_title(title, fontsize=8)
    plt.show()


def bars(labels: Sequence[str], series: dict[str, Sequence[float]], what: str) -> None:
    """Bars side by side for each label."""
    _, axes = plt.subplots(figsize=(min(10, 2 + 0.8 * len(labels)), 2.4))
    width = 0.8 / len(series)
    for index, (name, values) in enumerate(series.items()):
        axes.bar(np.arange(len(labels)) + (index - (len(series) - 1) / 2) * width, values, width, label=name)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_ylabel(what)
    if len(series) > 1:
        axes.legend(fontsize=8)
    plt.show()


def curves(epochs: Sequence[int], series: dict[str, Sequence[float]], what: str) -> None:
    """Lines over the epochs."""
    _, axes = plt.subplots(figsize=(5, 2.4))
    for name, values in series.items():
        axes.plot(epochs, values, marker=".", label=name)
    axes.set_xlabel("epoch")
    axes.set_ylabel(what)
    axes.legend(fontsize=8)
    plt.show()


def matrix(counts: npt.NDArray[np.int64], labels: Sequence[str]) -> None:
    """A confusion matrix: rows are true classes, and colours shares of the row."""
    _, axes = plt.subplots(figsize=(1.5 + 0.45 * len(labels), 1.2 + 0.4 * len(labels)))
    axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if count > counts[row].sum() / 2 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    plt.show()


def reliability(series: dict[str, tuple[Sequence[float], Sequence[float]]]) -> None:
    """Accuracy over confidence; the diagonal is perfect calibration."""
    _, axes = plt.subplots(figsize=(3.2, 3))
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle=":")
    for name, (confidence, accuracy) in series.items():
        axes.plot(confidence, accuracy, marker="o", markersize=3, label=name)
    axes.set_xlabel("confidence")
    axes.set_ylabel("accuracy")
    axes.legend(fontsize=8)
    plt.show()
