"""How large a version's activations become: by them a model server may compute in 8-bit integers.

The trainer observes them on pictures of the data and leaves them with the version; a server that computes in
float ignores the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from contract.values import Record

MAXIMA = Path("assets.extra", "activation_maxima.json")
"""In a version's directory."""


class ActivationMaxima(Record):
    """What the file MAXIMA holds."""

    examples: int = Field(ge=1)
    """Pictures that were looked at."""
    maxima: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]]
    """The name of a Relu inside the function that holds it → the largest number that came out of it."""
