"""What the commands share: arguments, the only model, printing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from rekindle.client import Client

Command = Callable[[Client, argparse.Namespace], int]
Subparsers = Any
"""argparse's own type is private."""


class CommandError(Exception):
    """The command cannot be carried out; the message says why and what to do."""


def add(commands: Subparsers, common: argparse.ArgumentParser, name: str, run: Command, about: str) -> Any:
    """A command that takes the common options."""
    parser = commands.add_parser(name, parents=[common], help=about, description=about)
    parser.set_defaults(command=run)
    return parser


def positive(text: str) -> int:
    """A whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a positive number")
    return number


def only_model(client: Client, name: str | None) -> str:
    """The model that was named, or the only one there is. Raises CommandError."""
    if name is not None:
        return name
    names = [model.name for model in client.models()]
    if len(names) != 1:
        raise CommandError(f"name one with --model; the gateway has {', '.join(names) or 'no model'}")
    return names[0]


def print_json(answer: Any) -> None:
    """Values as JSON."""
    if isinstance(answer, BaseModel):
        print(answer.model_dump_json(indent=2))
    else:
        print(json.dumps(answer, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


def print_table(columns: list[str], rows: list[list[object]], title: str | None = None) -> None:
    """Cells are shown as they are, whatever is in them; None as a dash."""
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*("–" if cell is None else escape(str(cell)) for cell in row))
    Console().print(table)


def progress(what: str) -> Progress:
    """A bar on a terminal's stderr; nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
