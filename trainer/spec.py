"""How a run is described before it starts: specs from flags, specs from disk."""

from __future__ import annotations

import re
import secrets

from contract.layout import RESERVED_MODEL_NAMES, RunPaths, write_atomically
from contract.training import TrainingSpec
from contract.values import now
from trainer.errors import TrainerError


def new_run_id(model: str) -> str:
    """A run id that sorts by time and is free: `<model>-<UTC time>-<six hex digits>`."""
    stem = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[:36]
    return f"{stem}-{now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def write_spec(paths: RunPaths, spec: TrainingSpec) -> None:
    """Write the spec, or accept the equal one that is there: the same command resumes its run.

    Raises TrainerError when the run exists with another spec, or the model's name is reserved.
    """
    if spec.model in RESERVED_MODEL_NAMES:
        raise TrainerError(f"a model cannot be called {spec.model!r}; choose another --model")
    if paths.spec.exists():
        known = read_spec(paths)
        if known.model_copy(update={"created_at": spec.created_at}) != spec:
            raise TrainerError(
                f"run {paths.run_id} exists with other settings ({paths.spec}); choose another --run-id"
            )
        return
    write_atomically(paths.spec, spec.to_json())


def read_spec(paths: RunPaths) -> TrainingSpec:
    """The run's spec. Raises TrainerError."""
    try:
        return TrainingSpec.model_validate_json(paths.spec.read_bytes())
    except (OSError, ValueError) as error:
        raise TrainerError(f"{paths.spec} is no readable training spec: {error}") from error
