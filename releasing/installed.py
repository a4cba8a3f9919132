"""What comes of the wheel in an empty environment: `python -m releasing.installed`, by `make wheel-check`.

For the client and for each role: an environment with nothing in it, the wheel with the role's extra, in the
versions of the development lock; then every module of the role is imported. Prints what each weighs.
"""

from __future__ import annotations

import argparse
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from releasing import artefacts, tree
from releasing.version import ReleaseError

ROOT = Path(__file__).resolve().parent.parent
ROOMS: Mapping[str, Sequence[str]] = {
    "": ("rekindle",),
    "gateway": ("contract", "gateway"),
    "model-server": ("contract", "model_server"),
    "trainer": ("contract", "trainer"),
    "mirror-s3": ("mirror",),
    "mirror-gcs": ("mirror",),
    "mirror-azure": ("mirror",),
}
"""Extra → the packages whose modules must import with it."""
_IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        if not module.name.startswith("gateway.migrations."):  # Alembic runs these
            importlib.import_module(module.name)
"""


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel and one extra."""

    folder: Path
    extra: str

    @property
    def packages(self) -> Path:
        """Where the packages lie."""
        return next(self.folder.glob("lib/python*/site-packages"))

    def megabytes(self) -> float:
        """Of everything that was installed."""
        return sum(file.stat().st_size for file in self.packages.rglob("*") if file.is_file()) / 1e6

    def count(self) -> int:
        """Packages, ours included."""
        return len(list(self.packages.glob("*.dist-info")))

    def run(self, program: str, *arguments: str) -> str:
        """What a program of the environment prints, away from the checkout. Raises ReleaseError."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        done = subprocess.run(  # noqa: S603
            [self.folder / "bin" / program, *arguments],
            cwd=self.folder,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ReleaseError(f"{program} {' '.join(arguments)[:80]}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def import_all(self) -> None:
        """Import every module of the extra's rooms. Raises ReleaseError."""
        self.run("python", "-c", _IMPORT_ALL, *ROOMS[self.extra])


def install(wheel: Path, extra: str, folder: Path) -> Installed:
    """Make an environment with the wheel and one extra. Raises ReleaseError."""
    installer = runpy.run_path(str(ROOT / "requirements" / "install.py"))
    options, variables = installer["translated"](installer["Environment"](Path(sys.prefix)).pip_settings())
    uv = [sys.executable, "-m", "uv"]
    named = f"{wheel}[{extra}]" if extra else str(wheel)
    target = ["--python", str(folder), "--constraint", str(ROOT / "requirements" / "development.lock")]
    for command in ([*uv, "venv", "--quiet", str(folder)], [*uv, "pip", "install", *target, *options, named]):
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=False, env={**variables, **os.environ}
        )
        if done.returncode:
            raise ReleaseError(f"{' '.join(command[2:5])}: {done.stderr}")
    return Installed(folder, extra)


def main() -> int:
    """Build the wheel, or take a built one, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("wheel", nargs="?", type=Path, help="default: one of this tree is built")
    given = parser.parse_args().wheel
    try:
        with tempfile.TemporaryDirectory(prefix="rekindle-wheel-") as name:
            _print_table(given.resolve() if given else _built(Path(name)), Path(name))
    except ReleaseError as error:
        print(f"wheel-check: {error}", file=sys.stderr)
        return 1
    return 0


def _built(folder: Path) -> Path:
    tree.export(ROOT, folder / "tree")
    return artefacts.wheel(folder / "tree", folder, tree.moment(ROOT))


def _print_table(wheel: Path, folder: Path) -> None:
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB\n", flush=True)
    print("| installed | packages | MB |\n|---|---|---|", flush=True)
    for extra in ROOMS:
        installed = install(wheel, extra, folder / f"with-{extra or 'nothing'}")
        count, megabytes = installed.count(), installed.megabytes()  # before imports compile
        installed.import_all()
        print(f"| `rekindle{f'[{extra}]' if extra else ''}` | {count} | {megabytes:.0f} |", flush=True)
        shutil.rmtree(installed.folder)


if __name__ == "__main__":
    sys.exit(main())
