"""The arguments of `python -m trainer fetch`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from trainer.fetch.cifar10 import CIFAR10_NAME, CIFAR10_URL, fetch_cifar10
from trainer.fetch.failures import FetchError

_STOPPED = 130
"""Exit status after Ctrl-C: 128 + SIGINT."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `python -m trainer fetch`."""
    parser.add_argument("dataset", choices=["cifar10"], help="the dataset to fetch")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data/cifar10"),
        help="folder to make (default: %(default)s)",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--archive",
        type=Path,
        metavar="FILE",
        help=f"use this file: {CIFAR10_NAME}, or a tar or zip of train/<class>/… and test/<class>/…",
    )
    source.add_argument(
        "--url", default=CIFAR10_URL, help="download the original archive from here (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Fetch as the arguments say; the exit status: 0, 1 after an error, 130 after Ctrl-C."""
    try:
        fetch_cifar10(arguments.data, arguments.archive, arguments.url)
    except FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what was downloaded is kept, the same command goes on from there", file=sys.stderr)
        return _STOPPED
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point for the arguments alone, without the trainer's other commands."""
    parser = argparse.ArgumentParser(prog="python -m trainer fetch", description="Get the reference dataset.")
    add_arguments(parser)
    return run(parser.parse_args(argv))
