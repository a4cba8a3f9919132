"""`rekindle predict` and `rekindle history`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from rekindle.answers.predictions import Prediction
from rekindle.client import Client
from rekindle.commands.common import (
    CommandError,
    Subparsers,
    add,
    only_model,
    positive,
    print_json,
    print_table,
)

SHOWN = 20


def declare(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """The commands about predictions."""
    predict = add(commands, common, "predict", run_predict, "classify pictures")
    predict.add_argument("files", nargs="+", type=Path, metavar="FILE")
    predict.add_argument("--model", help="default: the only one there is")
    predict.add_argument("--top-k", type=positive, default=3)
    predict.add_argument("--version", type=positive, help="ask this version")
    predict.add_argument("--label", help="ask the version with this role, for example canary")
    told = "also what the network's last layer sees; needs --json"
    predict.add_argument("--embedding", action="store_true", default=None, help=told)
    history = add(commands, common, "history", run_history, "list predictions, or say what one truly shows")
    history.add_argument("prediction", nargs="?", help="the prediction's id")
    history.add_argument("--feedback", metavar="LABEL", help="what it truly shows")
    history.add_argument("--model")
    history.add_argument("--limit", type=positive, default=SHOWN)
    history.add_argument("--wrong", action="store_true", help="only those that people corrected")
    history.add_argument("--csv", action="store_true", help="all of them, as CSV")


def run_predict(client: Client, options: argparse.Namespace) -> int:
    """1 when a picture failed."""
    if options.embedding and not options.json:
        raise CommandError("an embedding fits no table; add --json")
    model = only_model(client, options.model)
    named = {"version": options.version, "label": options.label, "embedding": options.embedding}
    answer = client.predict(model, options.files, options.top_k, **named)
    if options.json:
        print_json(answer)
    else:
        picture = Column("picture", overflow="fold", ratio=2)
        title = f"{answer.model}, version {answer.version}"
        table = Table(picture, "label", "score", Column("next", ratio=3), title=title)
        for path, prediction in zip(options.files, answer.predictions, strict=True):
            table.add_row(escape(str(path)), *map(escape, _cells(prediction)))
        Console().print(table)
    return int(any(prediction.error for prediction in answer.predictions))


def _cells(prediction: Prediction) -> tuple[str, str, str]:
    if prediction.best is None:
        return "–", "", str(prediction.error or "no classification")
    others = (f"{other.label} {other.score:.3f}" for other in prediction.classifications[1:])
    return prediction.best.label, f"{prediction.best.score:.3f}", ", ".join(others)


def run_history(client: Client, options: argparse.Namespace) -> int:
    """Newest first."""
    if options.prediction is not None:
        return _one(client, options)
    wanted = {"model": options.model, "feedback": "wrong" if options.wrong else None}
    if options.csv:
        sys.stdout.write(client.history_csv(**wanted).decode())
        return 0
    found = [one for one, _ in zip(client.history(**wanted), range(options.limit), strict=False)]
    if options.json:
        print_json(found)
        return 0
    rows: list[list[object]] = []
    for one in found:
        best = one.classifications[0] if one.classifications else None
        told = [best.label, f"{best.score:.3f}"] if best else [None, None]
        rows.append([one.id, one.at.astimezone(), one.model, one.version, *told, one.feedback])
    print_table(["prediction", "at", "model", "version", "label", "score", "feedback"], rows)
    return 0


def _one(client: Client, options: argparse.Namespace) -> int:
    given = options.feedback
    shown = (
        client.remembered(options.prediction)
        if given is None
        else client.give_feedback(options.prediction, given)
    )
    if options.json:
        print_json(shown)
    else:
        ranking = ", ".join(f"{each.label} {each.score:.3f}" for each in shown.classifications)
        print(f"{shown.id}: {ranking}; feedback: {shown.feedback or 'none'}")
    return 0
