"""The names of a model's outputs, from the files in which people keep them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from contract.values import LabelName
from trainer.errors import TrainerError

_NAMES = TypeAdapter(list[LabelName])


def read_labels(path: Path) -> list[str]:
    """The labels in the order of the outputs.

    One a line; or as JSON: a list, `{"0": "cat", …}`, or Keras' `class_indices` (`{"cat": 0, …}`).

    Raises TrainerError: unreadable, fewer than two, twice the same, no possible folder name.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainerError(f"{path} is no readable list of labels: {error}") from error
    labels = _from_json(path, text) if text.lstrip()[:1] in ("[", "{") else _lines(text)
    return _checked(path, labels)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.rstrip().splitlines()]


def _from_json(path: Path, text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise TrainerError(f"{path} begins like JSON but is none: {error}") from error
    return value if isinstance(value, list) else _by_index(path, value)


def _by_index(path: Path, names: dict[str, Any]) -> list[Any]:
    """A mapping in either direction, as a list."""
    if all(isinstance(value, int) for value in names.values()):
        pairs = [(index, name) for name, index in names.items()]
    else:
        pairs = [(int(key) if key.isdigit() else -1, name) for key, name in names.items()]
    if sorted(index for index, _ in pairs) != list(range(len(pairs))):
        raise TrainerError(f"{path}: expected each index from 0 to {len(pairs) - 1} once")
    return [name for _, name in sorted(pairs, key=lambda pair: pair[0])]


def _checked(path: Path, labels: list[Any]) -> list[str]:
    if len(labels) < 2:
        raise TrainerError(f"{path} names {len(labels)} label(s); a classifier has at least two")
    try:
        names = _NAMES.validate_python(labels)
    except ValidationError as error:
        index = error.errors()[0]["loc"][0]
        raise TrainerError(
            f"{path}: label {index} (counted from 0) is {labels[int(index)]!r}; expected a name that a "
            "folder can have: 1 to 120 characters, no slash, no leading dot"
        ) from error
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        places = [index for index, name in enumerate(names) if name == twice[0]]
        raise TrainerError(f"{path}: {twice[0]!r} names the outputs {places}; rename all but one")
    return names
