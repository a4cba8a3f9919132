"""Creates a virtual environment and installs locks into it; `make run` and `make test` begin here.

Standard library only, and old syntax where it matters: it is the first thing that runs on a stranger's
machine. uv, itself installed by pip from a lock, does the work in seconds where pip takes minutes. uv does
not read pip's settings, so the ones that say where packages come from are passed on; if uv fails all the
same, pip does the work. A second call with the same locks returns at once.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
OLDEST, NEWEST = (3, 11), (3, 13)
INSTALLER = "installer"

UV_OPTIONS = {
    "index-url": "--default-index",
    "extra-index-url": "--index",
    "find-links": "--find-links",
    "trusted-host": "--allow-insecure-host",
}
"""pip's setting → uv's option: where packages come from."""
UV_VARIABLES = {"cert": "SSL_CERT_FILE", "client-cert": "SSL_CLIENT_CERT", "proxy": "ALL_PROXY"}
"""pip's setting → the environment variable with which uv is told the same."""


def main() -> int:
    """Install the named locks; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("roles", nargs="+", help="names of locks in requirements/, without .lock")
    parser.add_argument("--venv", type=Path, default=FOLDER.parent / ".venv")
    parser.add_argument("--pip", action="store_true", help="install with pip, not with uv")
    arguments = parser.parse_args()
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        sys.exit(f"Python {sys.version.split()[0]} is too old or too new: run this with 3.11, 3.12 or 3.13")
    environment = Environment(arguments.venv)
    missing = environment.missing([FOLDER / f"{role}.lock" for role in arguments.roles])
    if not missing:
        return 0
    print(f"Installing {', '.join(path.stem for path in missing)} into {arguments.venv}", flush=True)
    try:
        environment.create()
        environment.install(missing, use_uv=not arguments.pip)
    except subprocess.CalledProcessError as error:
        return _explain(error)
    environment.remember(missing)
    return 0


def _explain(error: subprocess.CalledProcessError) -> int:
    print(
        "The packages could not be installed (see above). Needed: the package index or a mirror that pip is"
        " configured for, and 64-bit Linux or macOS on Apple silicon, for which TensorFlow has wheels.",
        file=sys.stderr,
    )
    return error.returncode or 1


class Environment:
    """A virtual environment, and in it a note of the locks that it holds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.note = folder / "installed-locks.json"

    def missing(self, locks: list[Path]) -> list[Path]:
        """The locks that are not installed as they stand now."""
        installed = self._installed()
        return [lock for lock in locks if installed.get(lock.stem) != _digest(lock)]

    def _installed(self) -> dict[str, str]:
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) and self._runs() else {}

    def _runs(self) -> bool:
        """False where the interpreter that the environment was made with is gone."""
        return os.access(self.python, os.X_OK)

    def create(self) -> None:
        """Make the environment, unless it is there and works."""
        if not self._runs():
            venv.create(self.folder, clear=self.folder.exists(), with_pip=True, symlinks=True)

    def install(self, locks: list[Path], *, use_uv: bool) -> None:
        """Install locks, every package checked against its hash. Raises CalledProcessError."""
        files = [option for lock in locks for option in ("--requirement", str(lock))]
        if use_uv and self._install_with_uv(files):
            return
        self._run("pip", "install", "--require-hashes", "--no-deps", "--progress-bar=off", *files)

    def _install_with_uv(self, files: list[str]) -> bool:
        try:
            installer = str(FOLDER / f"{INSTALLER}.lock")
            self._run("pip", "install", "--quiet", "--require-hashes", "--requirement", installer)
            options, variables = translated(self.pip_settings())
            command = ("uv", "pip", "install", "--python", str(self.python), "--require-hashes", *options)
            self._run(*command, *files, variables=variables)
        except subprocess.CalledProcessError:
            print("uv could not install the packages; trying pip, which takes minutes", flush=True)
            return False
        return True

    def pip_settings(self) -> dict[str, str]:
        """pip's settings from its files and its environment variables, the latter last."""
        command = [str(self.python), "-m", "pip", "config", "list"]
        listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
        pairs = (line.split("=", 1) for line in listing.splitlines() if "=" in line)
        return {name.split(".", 1)[-1]: str(ast.literal_eval(value)) for name, value in pairs}

    def _run(self, *module_and_arguments: str, variables: dict[str, str] | None = None) -> None:
        command = [str(self.python), "-m", *module_and_arguments]
        environment = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", **(variables or {}), **os.environ}
        subprocess.run(command, check=True, env=environment)  # noqa: S603

    def remember(self, locks: list[Path]) -> None:
        """Note what was installed, so that the next call finds nothing to do."""
        note = {**self._installed(), **{lock.stem: _digest(lock) for lock in locks}}
        self.note.write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")


def translated(settings: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """pip's settings as options and environment variables of uv.

    With hashes the same file is right wherever it comes from, so uv may take the best match of all
    indexes, as pip does. The system's certificates count, as they do for pip.
    """
    options = ["--system-certs", "--index-strategy", "unsafe-best-match", "--quiet"]
    for name, option in UV_OPTIONS.items():
        for value in settings.get(name, "").split():
            options += [option, value]
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        options.append("--no-index")
    return options, {UV_VARIABLES[name]: value for name, value in settings.items() if name in UV_VARIABLES}


def _digest(lock: Path) -> str:
    try:
        return hashlib.sha256(lock.read_bytes()).hexdigest()
    except FileNotFoundError:
        known = ", ".join(sorted(path.stem for path in FOLDER.glob("*.lock")))
        sys.exit(f"there is no {lock}; the locks are: {known}")


if __name__ == "__main__":
    sys.exit(main())
