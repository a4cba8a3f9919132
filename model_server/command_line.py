"""The command line of `python -m model_server`, made from `Flags`: read, checked, explained.

Upstream's forms: `--flag=value`, `--flag value` and, for booleans, a bare `--flag`. One deliberate
difference: an unknown flag is refused (upstream prints it and starts anyway, so that a typing error goes
unnoticed). Nothing here imports TensorFlow, so that --help and mistakes answer at once.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NoReturn

from model_server.flag_mistakes import mistake
from model_server.flag_values import boolean
from model_server.flags import Flags


class _Parser(argparse.ArgumentParser):
    """Answers a mistake with one sentence; the usage of every flag would hide it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"model_server: {message}\n")


def parse(arguments: Sequence[str]) -> Flags:
    """Read a command line. Exits with status 2 and a sentence when it cannot be used."""
    parser = _parser()
    values, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(_unknown(unknown[0]))
    flags = Flags(**vars(values))
    if not flags.version and (found := mistake(flags)):
        parser.error(found)
    return flags


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="model_server",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Serves TensorFlow SavedModels over gRPC and REST, as tensorflow_model_server does.",
    )
    for flag in fields(Flags):
        kind, text = flag.metadata["kind"], flag.metadata["help"]
        if flag.metadata["ours"]:
            text = f"(ours) {text}"
        options: dict[str, Any] = {"nargs": "?", "const": True} if kind is boolean else {}
        options["metavar"] = "BOOL" if kind is boolean else "VALUE"
        parser.add_argument(f"--{flag.name}", type=kind, default=flag.default, help=text, **options)
    return parser


def _unknown(argument: str) -> str:
    name = argument.split("=", 1)[0]
    near = difflib.get_close_matches(name, [f"--{flag.name}" for flag in fields(Flags)], n=1)
    hint = f"did you mean {near[0]}?" if near else "--help lists the flags."
    return f"unknown argument: {argument}; {hint}"
