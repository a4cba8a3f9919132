"""Model stores to mirror, and how tests look into them."""

from __future__ import annotations

from pathlib import Path

from contract.layout import ModelPaths, models_config, write_atomically
from contract.rollout import Rollout


def add_version(store: Path, version: int, content: bytes = b"graph", model: str = "shapes") -> Path:
    """A version with a few files, one of them below a folder with a dot in its name."""
    folder = ModelPaths(store, model).version(version)
    for name in ("saved_model.pb", "model_card.json", "variables/variables.index", "assets.extra/warmup"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content + name.encode() + str(version).encode())
    return folder


def set_stable(store: Path, stable: int, model: str = "shapes") -> None:
    """The rollout and what model servers are configured by."""
    rollout = Rollout(model=model, policy="gated", stable=stable)
    write_atomically(ModelPaths(store, model).rollout, rollout.to_json())
    config = f'model_config_list {{ config {{ name: "{model}" versions: {stable} }} }}'
    write_atomically(models_config(store, model), config.encode())
    write_atomically(models_config(store), config.encode())


def files_of(folder: Path) -> dict[str, bytes]:
    """Everything below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
