"""Where things lie on the shared volumes, and how they get there whole.

Everything a reader may see arrives by one rename in its own directory; names that begin with a dot
are never read. Attributes may be stale and locks absent (the volume may be NFS), renames are atomic.
What the files say is the records' business: contract.training, contract.card, contract.rollout.
"""

from __future__ import annotations

from contract.layout.datasets import Split, SplitShares, example_path, is_upload, sha256_of, split_of
from contract.layout.files import fsync_tree, walk_files, write_atomically
from contract.layout.models import (
    CARD,
    RESERVED_MODEL_NAMES,
    SAVED_MODEL,
    UPLOADS,
    ModelPaths,
    is_model_name,
    is_version_name,
    model_names,
    models_config,
)
from contract.layout.publishing import publish, published_version
from contract.layout.runs import RunPaths

__all__ = [
    "CARD",
    "RESERVED_MODEL_NAMES",
    "SAVED_MODEL",
    "UPLOADS",
    "ModelPaths",
    "RunPaths",
    "Split",
    "SplitShares",
    "example_path",
    "fsync_tree",
    "is_model_name",
    "is_upload",
    "is_version_name",
    "model_names",
    "models_config",
    "publish",
    "published_version",
    "sha256_of",
    "split_of",
    "walk_files",
    "write_atomically",
]
