"""The few files of a model store that change: rollouts, and what model servers are configured by.

They name versions, so they are read before the versions and written after them: whoever reads a name finds
what it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from contract.layout import ModelPaths, model_names, models_config
from contract.rollout import Rollout

SmallFiles = Mapping[str, bytes]
"""Path in the store → content."""
_OF_MODEL = (
    re.compile(r"(?P<model>[^/.][^/]*)/rollout\.json"),
    re.compile(r"config/models/(?P<model>[^/]+)\.config"),
)
_OF_ALL = "config/models.config"
_VERSIONS = re.compile(rb"\bversions:\s*(\d+)")


def paths_among(paths: Iterable[str]) -> list[str]:
    """Those of a store's paths that are small files."""
    return [path for path in paths if path == _OF_ALL or model_of(path) is not None]


def model_of(path: str) -> str | None:
    """Whose file it is; None for that of all models, and for what is none."""
    found = next((match for pattern in _OF_MODEL if (match := pattern.fullmatch(path))), None)
    return found["model"] if found else None


def local(store: Path) -> dict[str, bytes]:
    """Those of a local store."""
    models = model_names(store)
    candidates = [models_config(store)]
    for model in models:
        candidates += [ModelPaths(store, model).rollout, models_config(store, model)]
    found = {}
    for file in candidates:
        with suppress(FileNotFoundError):
            found[file.relative_to(store).as_posix()] = file.read_bytes()
    return found


def named(files: SmallFiles, model: str) -> set[int] | None:
    """The versions that rollout and configuration name; None without a rollout that can be read."""
    try:
        rollout = Rollout.model_validate_json(files.get(f"{model}/rollout.json", b""))
    except ValueError:
        return None
    config = files.get(f"config/models/{model}.config", b"")
    return {*rollout.loaded, *map(int, _VERSIONS.findall(config))}


def without(files: SmallFiles, models: set[str]) -> dict[str, bytes]:
    """Those that may be written although a version of these models did not arrive."""
    return {
        path: content
        for path, content in files.items()
        if model_of(path) not in models and not (models and path == _OF_ALL)
    }
