"""What every group of settings is made of: closed, frozen, lists by comma, units by name."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_settings import NoDecode

MEBIBYTE = 2**20


def split(value: object) -> object:
    """Accept `a:1,b:2` as well as the JSON list `["a:1", "b:2"]`."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [item.strip() for item in value.split(",") if item.strip()]


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)]
"""Several words, by comma or as JSON."""


class Group(BaseModel):
    """One branch of the tree: frozen, and closed against misspelt names."""

    model_config = ConfigDict(frozen=True, extra="forbid")
