"""The query of the prediction route, read by hand: pydantic would cost more than the route itself."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from gateway.errors import InvalidParameterError

DEFAULT_TOP_K = 5
MAX_TOP_K = 1000
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class PredictionQuery:
    """What a caller may ask for beside the pictures."""

    top_k: int = DEFAULT_TOP_K
    store: bool = True
    embedding: bool = False
    label: str | None = None
    version: int | None = None


DEFAULTS = PredictionQuery()


def read_query(query: bytes) -> PredictionQuery:
    """The parameters of a query string. Raises InvalidParameterError."""
    if not query:
        return DEFAULTS
    values: dict[str, int | bool | str] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name == "top_k":
            values[name] = _top_k(value)
        elif name in ("store", "embedding"):
            values[name] = _boolean(name, value)
        elif name == "label":
            values[name] = value
        elif name == "version":
            values[name] = _version(value)
        else:
            known = "top_k, store, embedding, label and version"
            raise InvalidParameterError(f"unknown parameter {name[:80]!r}; there are {known}")
    return PredictionQuery(**values)  # type: ignore[arg-type]


def _top_k(value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) <= 4 and 1 <= int(value) <= MAX_TOP_K:
        return int(value)
    raise InvalidParameterError(f"top_k is {value[:80]!r}; expected a number from 1 to {MAX_TOP_K}")


def _version(value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) <= 18 and int(value) >= 1:
        return int(value)
    raise InvalidParameterError(f"version is {value[:80]!r}; expected a positive number")


def _boolean(name: str, value: str) -> bool:
    if value in _BOOLEANS:
        return _BOOLEANS[value]
    raise InvalidParameterError(f"{name} is {value[:80]!r}; expected true or false")
