"""The release that the tests of this suite share, and its values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kube import Namespace


@dataclass
class Stack:
    """A namespace, and the values that the release in it has."""

    namespace: Namespace
    values: dict[str, Any]
    began: float = 0.0

    def upgraded(self, *more: dict[str, Any]) -> dict[str, Any]:
        """The values with others over them."""
        values = json.loads(json.dumps(self.values))
        for each in more:
            _merge(values, each)
        return dict(values)


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
