"""`trainer evaluate`: any version on any folder of labelled pictures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from contract.evaluation import Evaluation
from contract.layout import SplitShares, write_atomically
from trainer.dataset import loading
from trainer.errors import TrainerError
from trainer.evaluation.evaluate import evaluate, probabilities_csv
from trainer.version.served import SavedVersion, read_card


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print; the exit status."""
    try:
        evaluation = _evaluate(arguments.version, arguments.data, arguments.predictions)
    except (TrainerError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(evaluation.model_dump_json(indent=2))
    else:
        _print(evaluation, Console())
    return 0


def _evaluate(version: Path, folder: Path, predictions: Path | None) -> Evaluation:
    card = read_card(version)
    everything = SplitShares(validation=0.0, test=1.0)
    examples, _ = loading.load_test(folder, card.labels, card.image, shares=everything)
    if not len(examples):
        raise TrainerError(f"{folder} holds no usable picture of the classes {card.labels}")
    probabilities = SavedVersion(version, card.output_name).probabilities(examples.images)
    if predictions is not None:
        text = probabilities_csv(examples.paths, card.labels, examples.truth, probabilities)
        write_atomically(predictions, text.encode())
    return evaluate("test", card.labels, examples.truth, probabilities)


def _print(evaluation: Evaluation, console: Console) -> None:
    table = Table("class", "pictures", "precision", "recall", "F1", "ROC-AUC")
    for row in evaluation.per_class:
        auc = "–" if row.roc_auc is None else f"{row.roc_auc:.4f}"
        table.add_row(
            row.label, str(row.examples), f"{row.precision:.4f}", f"{row.recall:.4f}", f"{row.f1:.4f}", auc
        )
    table.add_section()
    for name, mean in (("macro", evaluation.macro), ("weighted", evaluation.weighted)):
        auc = f"{evaluation.roc_auc:.4f}" if name == "macro" and evaluation.roc_auc is not None else ""
        scores = (f"{mean.precision:.4f}", f"{mean.recall:.4f}", f"{mean.f1:.4f}")
        table.add_row(name, str(evaluation.examples), *scores, auc)
    console.print(table)
    console.print(
        f"accuracy {evaluation.accuracy:.4f}   log loss {evaluation.log_loss:.4f}   "
        f"expected calibration error {evaluation.expected_calibration_error:.4f}"
    )
