"""`rekindle upload` and `rekindle datasets`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from rekindle import uploads
from rekindle.answers.datasets import FileReport, Report
from rekindle.client import Client
from rekindle.commands.common import (
    CommandError,
    Subparsers,
    add,
    only_model,
    print_json,
    print_table,
    progress,
)

POLL_SECONDS = 0.5
SHOWN = 20
OUTCOMES = ("added", "duplicates", "conflicts", "refused")


def declare(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """The commands about datasets."""
    upload = add(commands, common, "upload", run_upload, "add labelled pictures to a dataset")
    upload.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="class folders, files or one zip")
    upload.add_argument("--dataset", help="default: the one called like the only model")
    upload.add_argument("--label", help="of all pictures; default: the folder each lies in")
    add(commands, common, "datasets", run_datasets, "list the datasets")


def run_upload(client: Client, options: argparse.Namespace) -> int:
    """Send everything; 1 when a picture was refused or is there under another label."""
    dataset = options.dataset or only_model(client, None)
    [first, *others] = options.paths
    if first.is_file() and first.suffix.lower() in uploads.ARCHIVES:
        if others or options.label:
            raise CommandError("an archive stands alone, and its folders are its labels")
        reports = [_archive(client, dataset, first)]
    else:
        try:
            reports = _batches(client, dataset, uploads.found(options.paths, options.label))
        except ValueError as error:
            raise CommandError(str(error)) from error
    return _tell(dataset, reports, as_json=options.json)


def _batches(client: Client, dataset: str, pictures: list[uploads.Labelled]) -> list[Report]:
    reports: list[Report] = []
    with progress("Uploading") as bar:
        task = bar.add_task("", total=len(pictures))
        for count, archive in uploads.batches(pictures):
            reports.append(client.upload_archive(dataset, archive))
            bar.advance(task, count)
    return reports


def _archive(client: Client, dataset: str, path: Path) -> Report:
    taken = client.upload_archive(dataset, path)
    if taken.id is None:
        return taken
    with progress("Importing") as bar:
        task = bar.add_task("", total=None)
        while not (known := client.running_import(taken.id)).is_final:
            bar.update(task, completed=known.progress.files_done, total=known.progress.files_total)
            time.sleep(POLL_SECONDS)
    return known.report


def _tell(dataset: str, reports: list[Report], *, as_json: bool) -> int:
    counts = Counter({name: sum(getattr(report, name) for report in reports) for name in OUTCOMES})
    stopped = [report.stopped for report in reports if report.stopped]
    bad = [file for report in reports for file in report.files if file.outcome in ("refused", "conflict")]
    if as_json:
        print_json({"dataset": dataset, **counts, "stopped": stopped, "files": [dict(file) for file in bad]})
    else:
        print(f"{dataset}: " + ", ".join(f"{counts[name]} {name}" for name in OUTCOMES))
        for file in bad[:SHOWN]:
            print(_line(file), file=sys.stderr)
        if len(bad) > SHOWN:
            print(f"… and {len(bad) - SHOWN} more; --json has all that were reported", file=sys.stderr)
        for sentence in stopped:
            print(f"rekindle: the rest was not looked at: {sentence}", file=sys.stderr)
    return int(bool(counts["refused"] or counts["conflicts"] or stopped))


def _line(file: FileReport) -> str:
    return f"{file.outcome:>9}  {file.name}: {file.reason or 'it is there under another label'}"


def run_datasets(client: Client, options: argparse.Namespace) -> int:
    """Counts by split."""
    datasets = client.datasets()
    if options.json:
        print_json(datasets)
        return 0
    rows: list[list[object]] = [
        [one.name, one.examples, *(sum(one.splits.get(split, {}).values()) for split in SPLITS)]
        for one in datasets
    ]
    print_table(["dataset", "examples", *SPLITS], rows)
    return 0


SPLITS = ("train", "validation", "test")
