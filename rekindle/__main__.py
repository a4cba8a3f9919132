"""The `rekindle` command line: predictions, models, and the agreement of gateway and trainer."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Column, Table

from rekindle.agreement import AgreementError, Comparison, find_pictures, read_expected
from rekindle.answers import Prediction
from rekindle.client import DEFAULT_TIMEOUT_SECONDS, DEFAULT_URL, Client
from rekindle.errors import RekindleError

FIRST_PATHS = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 not (a sentence says why), 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        with Client(options.url, options.timeout) as client:
            return int(options.command(client, options))
    except (RekindleError, AgreementError, OSError) as error:
        print(f"rekindle: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rekindle", description=__doc__)
    url = os.environ.get("REKINDLE_URL", DEFAULT_URL)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--url", default=url, help=f"of the gateway (default: REKINDLE_URL, or {DEFAULT_URL})"
    )
    common.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT_SECONDS, help="seconds for one call")
    common.add_argument("--json", action="store_true", help="print JSON")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    predict = commands.add_parser("predict", parents=[common], help="classify pictures")
    predict.add_argument("files", nargs="+", type=Path, metavar="FILE")
    predict.add_argument("--model", help="default: the only one there is")
    predict.add_argument("--top-k", type=_positive, default=3)
    predict.set_defaults(command=_predict)

    models = commands.add_parser("models", parents=[common], help="list the models")
    models.set_defaults(command=_models)

    agreement = commands.add_parser(
        "agreement", parents=[common], help="compare the gateway's labels with the trainer's"
    )
    agreement.add_argument("folder", type=Path, metavar="DIR", help="class folders, or test/ with them")
    agreement.add_argument("--predictions", type=Path, required=True, metavar="CSV")
    agreement.add_argument("--model", help="default: the only one there is")
    agreement.add_argument("--batch", type=_positive, default=50, help="pictures in one call (default: 50)")
    agreement.set_defaults(command=_agreement)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a positive number")
    return number


def _only_model(client: Client, name: str | None) -> str:
    if name is not None:
        return name
    names = [model.name for model in client.models()]
    if len(names) != 1:
        raise AgreementError(f"name one with --model; the gateway has {', '.join(names) or 'no model'}")
    return names[0]


def _predict(client: Client, options: argparse.Namespace) -> int:
    answer = client.predict(_only_model(client, options.model), options.files, options.top_k)
    if options.json:
        print(answer.model_dump_json(indent=2))
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


def _models(client: Client, options: argparse.Namespace) -> int:
    models = client.models()
    if options.json:
        print(json.dumps([model.model_dump() for model in models], indent=2))
        return 0
    table = Table("model", "stable", "versions", "labels")
    for model in models:
        stable = "–" if model.stable is None else str(model.stable)
        versions = ", ".join(str(version) for version in model.versions)
        labels = ", ".join(model.labels or []) or model.error or ""
        table.add_row(model.name, stable, versions, escape(labels))
    Console().print(table)
    return 0


def _agreement(client: Client, options: argparse.Namespace) -> int:
    comparison = Comparison(read_expected(options.predictions), find_pictures(options.folder))
    model = _only_model(client, options.model)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Comparing", total=len(comparison.common))
        for count in comparison.run(client, model, options.batch):
            progress.advance(task, count)
    found = comparison.result()
    if options.json:
        print(
            json.dumps(
                {**dataclasses.asdict(found), "accuracy": found.accuracy, "holds": found.holds}, indent=2
            )
        )
        return int(not found.holds)
    print(f"{found.compared} pictures compared, versions {found.versions}, accuracy {found.accuracy:.4f}")
    for what in ("disagreements", "ties", "failed", "missing", "extra"):
        paths: list[str] = getattr(found, what)
        shown = ", ".join(paths[:FIRST_PATHS]) + (" …" if len(paths) > FIRST_PATHS else "")
        print(f"{what:>13}: {len(paths)}{'  ' + shown if paths else ''}")
    return int(not found.holds)


if __name__ == "__main__":
    sys.exit(main())
