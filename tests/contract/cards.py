"""A model card and a candidate directory for the tests."""

from __future__ import annotations

from pathlib import Path

from contract.card import DatasetProfile, ModelCard
from contract.evaluation import AverageMetrics, CalibrationBin, ClassMetrics, Evaluation
from contract.image_spec import ImageSpec
from contract.layout import CARD, SAVED_MODEL


def evaluation() -> Evaluation:
    """Metrics of a version on two examples."""
    rows = [
        ClassMetrics(label=label, examples=1, precision=1, recall=1, f1=1, roc_auc=None)
        for label in ("cat", "dog")
    ]
    average = AverageMetrics(precision=1, recall=1, f1=1)
    return Evaluation(
        split="validation",
        examples=2,
        accuracy=1,
        macro=average,
        weighted=average,
        roc_auc=1,
        log_loss=0.1,
        expected_calibration_error=0.1,
        calibration=[CalibrationBin(lower=0.8, upper=0.9, examples=2, confidence=0.85, accuracy=1)],
        per_class=rows,
        confusion_matrix=[[1, 0], [0, 1]],
    )


def card(run_id: str = "run-1") -> ModelCard:
    """A complete model card of the model `pets`."""
    return ModelCard(
        model="pets",
        run_id=run_id,
        labels=["cat", "dog"],
        image=ImageSpec(height=32, width=32),
        temperature=1.5,
        dataset=DatasetProfile(name="pets", digest="0" * 64, examples={"train": 8}, class_counts={}),
        hyper_parameters={"epochs": 1, "rate": 0.1, "mixup": False},
        validation=evaluation(),
        parameters=10,
    )


def candidate(folder: Path, run_id: str = "run-1") -> Path:
    """A directory with what a version needs, and something in a folder below."""
    variables = folder / "variables"
    variables.mkdir(parents=True)
    (folder / SAVED_MODEL).write_bytes(b"graph")
    (folder / CARD).write_bytes(card(run_id).to_json())
    (variables / "variables.index").write_bytes(b"index" * 100)
    return folder
