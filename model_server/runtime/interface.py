"""What every loaded version offers, whatever runs it: a session (servable.py) or TF Lite (lite.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from model_server.runtime.signatures import Signature
from model_server.runtime.tensors import Array


class Servable(Protocol):
    """A loaded version. `run` may be called from many threads at once."""

    model: str
    version: int
    path: Path
    signatures: Mapping[str, Signature]
    definitions: Any
    """A SignatureDefMap: the signatures as GetModelMetadata tells them."""

    def run(
        self,
        signature: Signature,
        inputs: Mapping[str, Array],
        outputs: Sequence[str],
        timeout_seconds: float | None = None,
    ) -> list[Array]:
        """Arrays by input alias in, one array for each output alias out. Raises ServingError."""
        ...

    def close(self) -> None:
        """Give back its memory. Nothing uses it any more."""
        ...
