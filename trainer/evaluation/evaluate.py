"""From predicted probabilities to the records of contract.evaluation: every figure a card or a page shows.

Pure functions of arrays: nothing is read, written or drawn here (trainer.plots draws), and no network
is called. numpy comes in, plain Python goes out, so that the records travel as JSON.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped]
from scipy.special import log_softmax  # type: ignore[import-untyped]
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
)

from contract.evaluation import AverageMetrics, CalibrationBin, ClassMetrics, Evaluation

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

CALIBRATION_BINS = 15
"""Equal-width bins of the confidence, as in Guo et al., "On Calibration of Modern Neural Networks", 2017."""

ROW_SUM_TOLERANCE = 1e-3
"""How far a row of probabilities may be from 1: what float16 and bfloat16 softmaxes stay within."""

TEMPERATURE_BOUNDS = (0.05, 20.0)

PREDICTIONS_HEADER = ("path", "true_label", "label", "score", "second_label", "second_score")


def evaluate(split: str, labels: Sequence[str], truth: Array, probabilities: Array) -> Evaluation:
    """Every metric of one version on one split.

    Args:
        split: the name that the record carries, e.g. "test".
        labels: the C class names in the order of the model's outputs.
        truth: integer [N], indices into `labels`.
        probabilities: floating [N, C]; rows sum to 1.

    Raises:
        ValueError: shapes disagree, an index or a probability is out of range or not a number, or a row
            does not sum to 1 within ROW_SUM_TOLERANCE.
    """
    scores = check_probabilities(probabilities, len(labels))
    true = _check_truth(truth, *scores.shape)
    predicted = scores.argmax(axis=1)
    per_class = _per_class(labels, true, predicted, scores)
    calibration = calibration_bins(scores.max(axis=1), true == predicted)
    classes = np.arange(len(labels))
    return Evaluation(
        split=split,
        examples=len(true),
        accuracy=_share(accuracy_score(true, predicted)),
        macro=_average(true, predicted, classes, "macro"),
        weighted=_average(true, predicted, classes, "weighted"),
        roc_auc=_mean_of_defined([row.roc_auc for row in per_class]),
        log_loss=max(0.0, float(log_loss(true, scores, labels=classes))),
        expected_calibration_error=expected_calibration_error(calibration),
        calibration=calibration,
        per_class=per_class,
        confusion_matrix=confusion_matrix(true, predicted, labels=classes).tolist(),
    )


def fit_temperature(logits: Array, truth: Array) -> float:
    """The temperature T for which softmax(logits / T) is most likely to have produced the truth.

    The negative log-likelihood (Guo et al., 2017) carries a standard normal prior on log T: it moves T by
    less than a hundredth at a thousand examples, and keeps a handful of right (or wrong) answers from
    claiming certainty, for which the likelihood alone has no minimum.

    Args:
        logits: floating [N, C], N ≥ 1, from pictures the weights were not fitted on.
        truth: integer [N], class indices.

    Returns:
        T within TEMPERATURE_BOUNDS: below 1 sharpens the probabilities, above 1 softens them.

    Raises:
        ValueError: shapes disagree, a logit is not finite, or an index is out of range.
    """
    values = _finite_matrix(logits, "logits")
    true = _check_truth(truth, *values.shape)
    rows = np.arange(len(true))

    def loss(log_temperature: float) -> float:
        log_probabilities = log_softmax(values / np.exp(log_temperature), axis=1)
        return float((log_temperature**2 / 2 - log_probabilities[rows, true].sum()) / len(true))

    # The sum need not be convex in log T: the bounded search runs where a coarse grid found the valley.
    lower, upper = (math.log(bound) for bound in TEMPERATURE_BOUNDS)
    grid = np.linspace(lower, upper, num=25)
    best = int(np.argmin([loss(point) for point in grid]))
    bounds = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def probabilities_csv(paths: Sequence[str], labels: Sequence[str], truth: Array, probabilities: Array) -> str:
    """CSV with one row a picture: its path, its label, and the two classes that scored highest.

    Args:
        paths: N file names, written as they are.
        labels: the C class names in the order of the model's outputs.
        truth: integer [N], indices into `labels`.
        probabilities: floating [N, C]; rows sum to 1.

    Raises:
        ValueError: as `evaluate`, or another number of paths than pictures.
    """
    scores = check_probabilities(probabilities, len(labels))
    true = _check_truth(truth, *scores.shape)
    if len(paths) != len(true):
        raise ValueError(f"{len(paths)} paths for {len(true)} pictures; expected one each")
    ranking = np.argsort(-scores, axis=1, kind="stable")[:, :2]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PREDICTIONS_HEADER)
    for path, true_class, row, (first, second) in zip(paths, true, scores, ranking, strict=True):
        best, next_best = f"{row[first]:.6f}", f"{row[second]:.6f}"
        writer.writerow((path, labels[true_class], labels[first], best, labels[second], next_best))
    return text.getvalue()


# --- what comes in ------------------------------------------------------------------------------


def check_probabilities(probabilities: Array, classes: int) -> Floats:
    """The probabilities as float64 [N, C] with rows that sum to 1; ValueError where that is not what came."""
    scores = _finite_matrix(probabilities, "probabilities")
    if scores.shape[1] != classes:
        raise ValueError(f"probabilities of {scores.shape[1]} classes for {classes} labels; expected as many")
    low, high = float(scores.min()), float(scores.max())
    if low < -ROW_SUM_TOLERANCE or high > 1 + ROW_SUM_TOLERANCE:
        raise ValueError(f"probabilities reach from {low:g} to {high:g}; expected 0 to 1, as of a softmax")
    scores = scores.clip(0.0, 1.0)
    sums = scores.sum(axis=1)
    worst = int(np.abs(sums - 1).argmax())
    if abs(sums[worst] - 1) > ROW_SUM_TOLERANCE:
        raise ValueError(f"row {worst} of the probabilities sums to {sums[worst]:g}; expected 1")
    return np.asarray(scores / sums[:, np.newaxis], dtype=np.float64)


def _finite_matrix(values: Array, name: str) -> Floats:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] < 1 or matrix.shape[1] < 2:
        raise ValueError(f"{name} of shape {matrix.shape}; expected [N ≥ 1, C ≥ 2]")
    bad = np.argwhere(~np.isfinite(matrix))
    if len(bad):
        row, column = bad[0].tolist()
        raise ValueError(
            f"{len(bad)} of the {name} are not finite, the first is {matrix[row, column]} "
            f"in row {row}, column {column}"
        )
    return matrix


def _check_truth(truth: Array, examples: int, classes: int) -> Integers:
    true = np.asarray(truth)
    if true.shape != (examples,):
        raise ValueError(f"truth of shape {true.shape}; expected ({examples},), one class index a row")
    if true.dtype.kind not in "iu":
        raise ValueError(f"truth of type {true.dtype}; expected integers, indices into the labels")
    outside = true[(true < 0) | (true >= classes)]
    if len(outside):
        raise ValueError(f"truth holds class {int(outside[0])}; expected 0 to {classes - 1}")
    return true.astype(np.int64)


# --- metrics ------------------------------------------------------------------------------------


def _share(value: float) -> float:
    """A plain float in [0, 1]: means of shares may leave it by a rounding error."""
    return min(1.0, max(0.0, float(value)))


def _mean_of_defined(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return _share(float(np.mean(defined))) if defined else None


def _average(true: Integers, predicted: Integers, classes: Integers, how: str) -> AverageMetrics:
    precision, recall, f1, _ = precision_recall_fscore_support(
        true, predicted, labels=classes, average=how, zero_division=0
    )
    return AverageMetrics(precision=_share(precision), recall=_share(recall), f1=_share(f1))


def _per_class(
    labels: Sequence[str], true: Integers, predicted: Integers, scores: Floats
) -> list[ClassMetrics]:
    columns = precision_recall_fscore_support(
        true, predicted, labels=np.arange(len(labels)), average=None, zero_division=0
    )
    return [
        ClassMetrics(
            label=label,
            examples=int(examples),
            precision=_share(precision),
            recall=_share(recall),
            f1=_share(f1),
            roc_auc=_roc_auc(true == index, scores[:, index]),
        )
        for index, (label, precision, recall, f1, examples) in enumerate(zip(labels, *columns, strict=True))
    ]


def _roc_auc(is_class: npt.NDArray[np.bool_], scores: Floats) -> float | None:
    if is_class.all() or not is_class.any():
        return None
    return _share(roc_auc_score(is_class, scores))


def calibration_bins(confidence: Array, is_right: npt.NDArray[np.bool_]) -> list[CalibrationBin]:
    """All bins, the empty ones with confidence and accuracy 0; of floating [N] and bool [N]."""
    edges = np.arange(CALIBRATION_BINS + 1) / CALIBRATION_BINS
    bins = np.digitize(confidence, edges[1:-1], right=True)
    return [
        CalibrationBin(
            lower=float(edges[index]),
            upper=float(edges[index + 1]),
            examples=int(inside.sum()),
            confidence=_share(confidence[inside].mean()) if inside.any() else 0.0,
            accuracy=_share(is_right[inside].mean()) if inside.any() else 0.0,
        )
        for index, inside in enumerate(bins == index for index in range(CALIBRATION_BINS))
    ]


def expected_calibration_error(bins: Sequence[CalibrationBin]) -> float:
    """Σ_b (n_b/n)·|accuracy_b − confidence_b|; 0 of nothing."""
    gaps = sum(bin_.examples * abs(bin_.accuracy - bin_.confidence) for bin_ in bins)
    return _share(gaps / max(1, sum(bin_.examples for bin_ in bins)))
