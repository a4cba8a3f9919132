"""Each peer in a virtual environment of its own, with pinned packages: their needs exclude each other.

`own-environments/<peer>` holds its requirements (`requirements.txt` is `uv pip compile requirements.in`) and
its server; the environments themselves are made below build/ when they are needed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SERVERS = Path(__file__).with_name("own-environments")
ENVIRONMENTS = ROOT / "build" / "peers"


class InstallError(Exception):
    """A peer cannot be installed; the message is the installer's."""


def python_of(peer: str) -> Path:
    """The interpreter of its environment."""
    return ENVIRONMENTS / peer / "bin" / "python"


def server_of(peer: str) -> Path:
    """What it runs."""
    return SERVERS / peer / "server.py"


def prepare(peer: str) -> None:
    """Make the environment unless it is there with these requirements. Raises InstallError."""
    requirements = SERVERS / peer / "requirements.txt"
    stamp = ENVIRONMENTS / peer / "requirements.sha256"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    uv = [sys.executable, "-m", "uv"]
    _run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(ENVIRONMENTS / peer)])
    _run([*uv, "pip", "install", "--quiet", "--python", str(python_of(peer)), "-r", str(requirements)])
    stamp.write_text(digest)


def _run(command: list[str]) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise InstallError(f"{' '.join(command)}: {ended.stderr[-2000:]}")
