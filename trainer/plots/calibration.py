"""The reliability diagram: whether confidence can be believed."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from contract.evaluation import Evaluation
from trainer.plots.style import BLUE, GREY, ORANGE, RED, subject, title_of


def reliability(evaluation: Evaluation) -> Figure:
    """Accuracy against confidence by bin, over the histogram of the confidence."""
    bins = [bin_ for bin_ in evaluation.calibration if bin_.examples]
    middles = [(bin_.lower + bin_.upper) / 2 for bin_ in bins]
    width = 1 / len(evaluation.calibration)
    figure = Figure(figsize=(5.6, 6.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="perfect calibration")
    upper.bar(
        middles, [bin_.accuracy for bin_ in bins], width, color=BLUE, edgecolor="white", label="accuracy"
    )
    upper.plot(
        [bin_.confidence for bin_ in bins],
        [bin_.accuracy for bin_ in bins],
        "o",
        color=ORANGE,
        markeredgecolor="white",
        label="at the bin's mean confidence",
    )
    error = f"expected calibration error {evaluation.expected_calibration_error:.4f}"
    loss = f"log loss {evaluation.log_loss:.4f}"
    title_of(upper, "Reliability", subject(evaluation), f"{error}, {loss}")
    upper.set_ylabel("accuracy")
    upper.set_ylim(0, 1.02)
    upper.legend(loc="upper left")
    shares = [bin_.examples / evaluation.examples for bin_ in bins]
    lower.bar(middles, shares, width, color=GREY, edgecolor="white")
    lower.axvline(evaluation.accuracy, color=RED, linestyle="--", linewidth=1.2, label="accuracy")
    mean = sum(bin_.confidence * bin_.examples for bin_ in bins) / evaluation.examples
    lower.axvline(mean, color="black", linestyle=":", linewidth=1.2, label="mean confidence")
    lower.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    lower.set_ylabel("pictures")
    lower.set_xlabel("confidence (highest score)")
    lower.set_xlim(0, 1)
    lower.legend(loc="upper left")
    return figure
