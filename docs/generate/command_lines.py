"""The page of the command lines, from the parsers: argparse words its help anew in each Python."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import gateway.__main__
import mirror.__main__
import rekindle.__main__
import rekindle.stack
import trainer.__main__

ROOT = Path(__file__).resolve().parents[2]
HEAD = """# Command lines

The model server's flags are those of TensorFlow Serving: [the model server](../model-server.md).
Written by `make reference` from the code.
"""
PROGRAMS: dict[str, Callable[[], object]] = {
    "rekindle": lambda: rekindle.__main__.main([]),
    "python -m gateway": lambda: gateway.__main__.main([]),
    "python -m trainer": lambda: trainer.__main__.main([]),
    "python -m mirror": lambda: mirror.__main__.main([]),
    "python -m rekindle.stack": lambda: rekindle.stack.parse([]),
}


class _FoundError(Exception):
    """Carries the parser out of the program that has just built it."""


def page() -> str:
    """The page."""
    parts = [HEAD]
    for name, run in PROGRAMS.items():
        parts += _program(name, _parser_of(run))
    return "\n".join([*parts, *_make(), ""])


def _parser_of(run: Callable[[], object]) -> argparse.ArgumentParser:
    def caught(parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        raise _FoundError(parser)

    with mock.patch.object(argparse.ArgumentParser, "parse_args", caught):
        try:
            run()
        except _FoundError as found:
            return found.args[0]  # type: ignore[no-any-return]
    raise RuntimeError("the program did not parse its command line")


def _program(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"## {name}\n\n{_flat(parser.description or '')}\n"
    yield from _options(parser)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            about = {each.dest: each.help or "" for each in action._choices_actions}
            for command, inner in action.choices.items():
                yield f"### {name} {command}\n\n{about.get(command, '').capitalize()}.\n"
                yield from _options(inner)


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    shown = [each for each in parser._actions if _is_shown(each)]
    if shown:
        yield "| option | |\n|---|---|"
    for action in shown:
        value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
        words = [*action.option_strings] or [str(action.metavar or action.dest)]
        name = ", ".join(words) + (f" {value}" if action.option_strings and value else "")
        yield f"| `{name}` | {_about(parser, action)} |"
    if shown:
        yield ""


def _is_shown(action: argparse.Action) -> bool:
    hidden = isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
    return not hidden and action.help != argparse.SUPPRESS


def _about(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    values = {**vars(action), "prog": parser.prog}
    parts = [(action.help or "") % values]
    if action.choices is not None:
        parts.append("one of " + ", ".join(f"`{each}`" for each in action.choices))
    if action.required and action.option_strings:
        parts.append("required")
    return "; ".join(filter(None, map(_flat, parts)))


def _make() -> Iterator[str]:
    """The targets that `make` alone lists."""
    yield "## make\n\n| target | |\n|---|---|"
    text = (ROOT / "Makefile").read_text()
    for target, about in re.findall(r"^([a-z0-9-]+):.*?## (.*)$", text, re.MULTILINE):
        yield f"| `make {target}` | {_flat(about)} |"


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
