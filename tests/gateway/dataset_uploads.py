"""Archives for the tests of datasets, and what their reports say."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import httpx
from gateway_harness import RunningGateway

EXAMPLES = "/v1/datasets/animals/examples"


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w") -> bytes:
    """A tar of these files."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


async def send(gateway: RunningGateway, body: bytes, kind: str = "application/zip") -> httpx.Response:
    """POST an archive as the whole body."""
    return await gateway.client.post(EXAMPLES, content=body, headers={"Content-Type": kind})


def counts(report: dict[str, Any]) -> tuple[int, int, int, int]:
    """Added, duplicates, conflicts, refused."""
    return report["added"], report["duplicates"], report["conflicts"], report["refused"]


def reasons(report: dict[str, Any]) -> dict[str, str]:
    """The reason for each refused file."""
    return {file["name"]: file["reason"] for file in report["files"] if file["outcome"] == "refused"}


def files_below(data: Path, dataset: str = "animals") -> set[str]:
    """Every file of a dataset, hidden ones included."""
    root = data / dataset
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
