"""How good a version is on labelled pictures. How a figure is computed is trainer.evaluation's business."""

from __future__ import annotations

from pydantic import Field

from contract.values import Record, Share


class ClassMetrics(Record):
    """One row of the per-class table."""

    label: str
    examples: int = Field(ge=0)
    precision: Share
    recall: Share
    f1: Share
    roc_auc: Share | None
    """One-vs-rest; None where the split holds no example, or nothing but examples, of the class."""


class AverageMetrics(Record):
    """Precision, recall and F1 averaged over the classes."""

    precision: Share
    recall: Share
    f1: Share


class CalibrationBin(Record):
    """Predictions whose confidence (top score) fell into (lower, upper]."""

    lower: Share
    upper: Share
    examples: int = Field(ge=0)
    confidence: Share
    accuracy: Share


class Evaluation(Record):
    """Metrics of one version on one split."""

    split: str
    examples: int = Field(ge=1)
    accuracy: Share
    macro: AverageMetrics
    weighted: AverageMetrics
    roc_auc: Share | None
    """Macro mean of one-vs-rest ROC-AUC over the classes where it is defined."""
    log_loss: float = Field(ge=0)
    expected_calibration_error: Share
    """Σ_b (n_b/n)·|accuracy_b − confidence_b| over 15 equal-width bins (Guo et al., 2017)."""
    calibration: list[CalibrationBin]
    per_class: list[ClassMetrics]
    confusion_matrix: list[list[int]]
    """[true class][predicted class], in the order of the card's labels."""
