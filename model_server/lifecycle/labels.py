"""The rules by which a version label may be set or moved (server_core.cc, UpdateModelVersionLabelMap)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from model_server.errors import Code, ServingError
from model_server.lifecycle.model_config import ModelConfig

LabelMap = Mapping[str, Mapping[str, int]]
"""Model → label → version."""


def assign(
    models: Iterable[ModelConfig],
    current: LabelMap,
    is_available: Callable[[str, int], bool],
    allow_unavailable: bool,
) -> LabelMap:
    """The label map that `models` ask for, whole or not at all.

    A label may name a version that is AVAILABLE. With `allow_unavailable`, a label that does not exist
    yet may also name one that is not; moving an existing label needs an AVAILABLE target always.

    Raises ServingError (FAILED_PRECONDITION).
    """
    assigned: dict[str, dict[str, int]] = {}
    for model in models:
        for label, version in model.labels.items():
            known = current.get(model.name, {}).get(label)
            is_new = known is None or known == version
            if not is_available(model.name, version) and not (allow_unavailable and is_new):
                raise ServingError(
                    Code.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model {model.name}, "
                    "which is not currently available for inference",
                )
            assigned.setdefault(model.name, {})[label] = version
    return assigned


def resolve(labels: LabelMap, model: str, label: str) -> int:
    """The version that a label names. Raises ServingError (INVALID_ARGUMENT)."""
    try:
        return labels[model][label]
    except KeyError:
        raise ServingError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}") from None
