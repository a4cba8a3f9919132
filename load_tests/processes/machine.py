"""Where and with what was measured: the processor, and the versions of what took part."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "rekindle",
    "locust",
    "tensorflow",
    "fastapi",
    "uvicorn",
    "uvloop",
    "httptools",
    "grpcio",
    "protobuf",
    "pillow",
    "numpy",
)


def hardware() -> dict[str, Any]:
    """Processor, usable cores, memory, and how busy the machine was before."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def software() -> dict[str, str]:
    """Versions of what took part."""
    versions = {"system": platform.platform(), "python": platform.python_version(), "wrk": _wrk_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _wrk_version() -> str:
    output = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return output.partition("Copyright")[0].strip()
