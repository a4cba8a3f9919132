"""docs/settings.md and docs/errors.md, written from the code: `python -m gateway.reference docs`.

A test compares the files with what this writes, so that they cannot fall behind.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.api import problems
from gateway.errors import GatewayError
from gateway.settings import DELIMITER, PREFIX, Settings
from gateway.settings.base import Group

SETTINGS_HEAD = """# Settings of the gateway

Every setting is an environment variable; a name that is not in this list stops the start. Lists are written
with commas, or as JSON. Limits that count in each process say so: with several gateways their sum counts.
Written by `make reference` from the code.
"""
ERRORS_HEAD = """# Problems

Every error is an `application/problem+json` (RFC 9457). `code` is for programs; `detail` says what arrived,
what was expected and the way out; `request_id` is in the log. `type` leads to `/errors/<code>` of the gateway
that answered. Written by `make reference` from the code.
"""


def settings() -> str:
    """The page of settings."""
    return "\n".join([SETTINGS_HEAD, *_groups(Settings)])


def _groups(root: type[BaseModel]) -> Iterator[str]:
    for name, field in root.model_fields.items():
        group = field.annotation
        assert isinstance(group, type) and issubclass(group, Group)  # noqa: S101, PT018
        notes = _docstrings(group)
        yield f"## {name}\n\n{_flat(group.__doc__)}\n"
        yield "| variable | default | |\n|---|---|---|"
        for key, inner in group.model_fields.items():
            variable = f"{PREFIX}{name}{DELIMITER}{key}".upper()
            about = ". ".join(part for part in (_kind(inner), _bounds(inner), notes.get(key, "")) if part)
            yield f"| `{variable}` | {_default(inner)} | {about} |"
        yield ""


def _docstrings(group: type[BaseModel]) -> Mapping[str, str]:
    """The sentences behind the fields, which Python itself forgets."""
    found: dict[str, str] = {}
    for base in reversed(group.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _own_docstrings(base)
    return found


def _own_docstrings(group: type[BaseModel]) -> Mapping[str, str]:
    [body] = ast.parse(textwrap.dedent(inspect.getsource(group))).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101
    found = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            found[field.target.id] = _flat(after.value.value)  # type: ignore[attr-defined]
    return found


def _flat(text: object) -> str:
    return " ".join(str(text or "").split()).replace("|", "\\|").replace("None:", "not set:")


def _kind(field: FieldInfo) -> str:
    """What may be given, where the default does not show it."""
    annotation: Any = field.annotation
    if get_origin(annotation) in (Union, UnionType):
        [annotation] = [one for one in get_args(annotation) if one is not type(None)] or [annotation]
    if get_origin(annotation) is Literal:
        return "One of " + ", ".join(f"`{one}`" for one in get_args(annotation))
    return ""


def _bounds(field: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    told = []
    for rule in field.metadata:
        for name, word in words.items():
            if (value := getattr(rule, name, None)) is not None:
                told.append(f"{word} {value:,}" if isinstance(value, int) else f"{word} {value:g}")
    return " and ".join(told).capitalize()


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value in ((), ""):
        return "–"
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def errors() -> str:
    """The page of problems."""
    meaning = {
        kind.code: _flat(error.__doc__) for error, kind in problems.KINDS.items() if error is not GatewayError
    }
    rows = sorted(problems.ALL_KINDS.values(), key=lambda kind: (kind.status, kind.code))
    lines = ["| status | code | | means |", "|---|---|---|---|"]
    lines += [
        f"| {kind.status} | `{kind.code}` | {kind.title} | {meaning.get(kind.code, '')} |" for kind in rows
    ]
    return "\n".join([ERRORS_HEAD, *lines, ""])


PAGES = {"settings.md": settings, "errors.md": errors}


def main(folder: Path) -> int:
    """Write the pages."""
    for name, page in PAGES.items():
        (folder / name).write_text(page())
        print(json.dumps({"written": str(folder / name)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
