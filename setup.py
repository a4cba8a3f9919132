"""The extras of the wheel: `rekindle[gateway]` and the others are the dependency groups of pyproject.toml.

A standard way for an extra to name a group does not exist, and two lists of the same packages drift apart.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from setuptools import setup

ROLES = ("gateway", "model-server", "trainer", "mirror-s3", "mirror-gcs", "mirror-azure")


def packages(groups: dict[str, list[str | dict[str, str]]], name: str) -> list[str]:
    """What a group needs, with the groups that it includes."""
    found: list[str] = []
    for entry in groups[name]:
        found += [entry] if isinstance(entry, str) else packages(groups, entry["include-group"])
    return found


project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
setup(extras_require={role: packages(project["dependency-groups"], role) for role in ROLES})
