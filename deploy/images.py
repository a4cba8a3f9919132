"""Every image that the chart can ask for, into deploy/air-gapped/images.txt: by `make manifests`.

A network without a way out gets them as files, so the list must be whole: both kinds of model server, and the
bundled database, Prometheus and adapter.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from demand import ROOT, rendered

LIST = ROOT / "deploy" / "air-gapped" / "images.txt"
EVERYTHING = (
    ("gateway.access.allowUnprotected=true", "modelServer.flavour=tensorflow-serving"),
    ("gateway.access.allowUnprotected=true", "modelServer.flavour=rekindle"),
    ("gateway.access.allowUnprotected=true", "objectStore.models=s3://bucket/models"),
)


def images(helm: str) -> list[str]:
    """Their names, sorted. Raises CalledProcessError."""
    found: set[str] = set()
    for settings in EVERYTHING:
        found |= set(_images(rendered(helm, None, *settings)))
    return sorted(found)


def _images(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _images(each)
    elif isinstance(value, dict):
        if isinstance(value.get("image"), str):
            yield value["image"]
        for each in value.values():
            yield from _images(each)


def main(helm: str) -> int:
    """Write the list."""
    LIST.write_text("\n".join(images(helm)) + "\n")
    print(LIST)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "helm"))
