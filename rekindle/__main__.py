"""The `rekindle` command line: predictions, history, data, training runs, versions and rollouts.

Exit status: 0 done, 1 not (a sentence on stderr says why), 2 wrong usage; of `train` also 3: refused by the
gate.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rekindle import __version__
from rekindle.agreement import AgreementError, Comparison, find_pictures, read_expected
from rekindle.client import DEFAULT_TIMEOUT_SECONDS, DEFAULT_URL, Client
from rekindle.commands import data, predictions, rollouts, training
from rekindle.commands.common import CommandError, add, only_model, positive, progress
from rekindle.errors import RekindleError

FIRST_PATHS = 10
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        with Client(options.url, options.timeout, options.token) as client:
            return int(options.command(client, options))
    except (RekindleError, AgreementError, CommandError, OSError) as error:
        print(f"rekindle: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rekindle", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=__version__, help="print the version")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--url", help=f"of the gateway (default: REKINDLE_URL, or {DEFAULT_URL})")
    common.add_argument("--token", help="default: REKINDLE_TOKEN, which others on this machine cannot see")
    common.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT_SECONDS, help="seconds for one call")
    common.add_argument("--json", action="store_true", help="print JSON")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for each in (predictions, data, training, rollouts):
        each.declare(commands, common)
    about = "compare the gateway's labels with the trainer's"
    agreement = add(commands, common, "agreement", _agreement, about)
    agreement.add_argument("folder", type=Path, metavar="DIR", help="class folders, or test/ with them")
    agreement.add_argument("--predictions", type=Path, required=True, metavar="CSV")
    agreement.add_argument("--model", help="default: the only one there is")
    agreement.add_argument("--batch", type=positive, default=50, help="pictures in one call (default: 50)")
    return parser


def _agreement(client: Client, options: argparse.Namespace) -> int:
    comparison = Comparison(read_expected(options.predictions), find_pictures(options.folder))
    model = only_model(client, options.model)
    with progress("Comparing") as bar:
        task = bar.add_task("", total=len(comparison.common))
        for count in comparison.run(client, model, options.batch):
            bar.advance(task, count)
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
