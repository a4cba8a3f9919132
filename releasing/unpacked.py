"""Runs a command in a released archive: `python -m releasing.unpacked dist/rekindle-1.2.3.zip make test`.

Whoever takes the archive has no git and no environment; so the command sees a folder of its own, away from
this one, and none of this environment's variables.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

LEFT_OUT = ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")


def unpack(archive: Path, folder: Path) -> Path:
    """The folder that the archive holds, its files as executable as they were."""
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            written = Path(packed.extract(entry, folder))
            written.chmod((entry.external_attr >> 16) & 0o777)
    (root,) = folder.iterdir()
    return root


def run(archive: Path, command: Sequence[str]) -> int:
    """Unpack, run, take away; the exit status is the command's."""
    with tempfile.TemporaryDirectory(prefix="rekindle-archive-") as name:
        root = unpack(archive, Path(name))
        variables = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
        return subprocess.run(command, cwd=root, env=variables, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    if len(sys.argv) < 3 or not Path(sys.argv[1]).is_file():
        sys.exit(
            "usage: python -m releasing.unpacked ARCHIVE.zip COMMAND …; make one by `make release VERSION=…`"
        )
    sys.exit(run(Path(sys.argv[1]), sys.argv[2:]))
