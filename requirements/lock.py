"""Writes requirements/<role>.lock from the dependency groups in pyproject.toml, and says if one is stale.

Every lock names one version and the hashes of each package, for every platform and Python that the
project supports, and no index: whoever installs it chooses where from. `development` is resolved first
and constrains the others, so that they share one set of versions and fit into one environment.
`--check` needs no network: the first line of each lock is the digest of what it was made from.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "requirements"
FIRST = "development"
ROLES = (
    FIRST,
    *("gateway", "model-server", "trainer", "mirror", "client", "load-tests"),
    *("test", "official-client", "installer", "docs"),
)
MARK = "# made by `make lock` from "


def lock_path(role: str) -> Path:
    """`requirements/<role>.lock`."""
    return FOLDER / f"{role}.lock"


def digest(body: str) -> str:
    """SHA-256 of what a lock is made from and of what was made: a change of either shows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    source = [project["dependency-groups"], project["project"]["requires-python"], body]
    return hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()


def stale() -> list[str]:
    """The roles whose lock is missing, or does not belong to pyproject.toml as it stands."""
    return [role for role in ROLES if not _is_fresh(lock_path(role))]


def _is_fresh(path: Path) -> bool:
    if not path.is_file():
        return False
    first, _, body = path.read_text(encoding="utf-8").partition("\n")
    return first == MARK + digest(body)


def resolve(role: str, *, upgrade: bool) -> None:
    """Resolve one group with uv; versions in the present lock are kept where they still fit."""
    path = lock_path(role)
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-config", "--system-certs"]
    command += ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header"]
    command += ["--group", role, "--output-file", str(path.relative_to(ROOT))]
    if role != FIRST:
        command += ["--constraint", str(lock_path(FIRST).relative_to(ROOT))]
    if upgrade:
        command.append("--upgrade")
    subprocess.run(command, check=True, cwd=ROOT, env=_neutral_environment(), stdout=subprocess.DEVNULL)  # noqa: S603
    body = "".join(line for line in path.read_text("utf-8").splitlines(True) if not line.startswith(MARK))
    path.write_text(f"{MARK}{digest(body)}\n{body}", encoding="utf-8")


def _neutral_environment() -> dict[str, str]:
    """The environment without settings that a lock could pick up from the machine it is made on."""
    kept = ("UV_CACHE_DIR", "UV_DEFAULT_INDEX", "UV_OFFLINE")
    return {name: value for name, value in os.environ.items() if not name.startswith("UV_") or name in kept}


def main() -> int:
    """Write the locks, or with --check say which are stale; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say which locks are stale")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    arguments = parser.parse_args()
    if not arguments.check:
        for role in ROLES:
            resolve(role, upgrade=arguments.upgrade)
    if names := stale():
        print(f"stale: requirements/{{{','.join(names)}}}.lock; run `make lock` and commit", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
