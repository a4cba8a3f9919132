"""What a release consists of, each made from an exported tree into one folder.

The wheel, the packaged chart, a bill of materials of every lock that is installed somewhere, the archive,
and the sums of them all. Images are built by the release workflow, from the same tree.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from releasing.version import ReleaseError

SUMS = "SHA256SUMS"
ROLES = ("client", "gateway", "model-server", "trainer", "mirror")
"""The locks that are installed where Rekindle runs; the others are tools."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip can hold: equal trees make equal archives."""


def wheel(tree: Path, into: Path, moment: str) -> Path:
    """`rekindle-X.Y.Z-py3-none-any.whl`, by this environment's setuptools, which a lock pins."""
    command = [sys.executable, "-m", "uv", "build", "--wheel", "--no-build-isolation", "--no-config"]
    command += ["--python", sys.executable, "--out-dir", str(into), "--quiet", str(tree)]
    _run(command, tree, SOURCE_DATE_EPOCH=moment)
    for left in ("build/lib", "build/bdist.*", "*.egg-info"):
        for folder in tree.glob(left):
            shutil.rmtree(folder)
    (into / ".gitignore").unlink(missing_ok=True)  # uv's
    return _only(into, "rekindle-*.whl")


def find_helm() -> str:
    """The program that packages the chart. Raises ReleaseError where there is none."""
    helm = shutil.which("helm") or shutil.which("helm", path=os.environ.get("REKINDLE_KUBE_TOOLS", ""))
    if helm is None:
        raise ReleaseError("there is no helm to package the chart with: https://helm.sh/docs/intro/install/")
    return helm


def chart(tree: Path, into: Path) -> Path:
    """`rekindle-X.Y.Z.tgz`, as `helm install` and `helm push` take it. Raises ReleaseError without helm."""
    _run([find_helm(), "package", "helm/rekindle", "--destination", str(into)], tree)
    return _only(into, "rekindle-*.tgz")


def bills_of_materials(tree: Path, into: Path, version: str) -> list[Path]:
    """`rekindle-X.Y.Z-ROLE.cdx.json`: CycloneDX, each package of the role's lock with its hashes."""
    files = []
    for role in ROLES:
        file = into / f"rekindle-{version}-{role}.cdx.json"
        command = [sys.executable, "-m", "cyclonedx_py", "requirements", f"requirements/{role}.lock"]
        command += ["--pyproject", "pyproject.toml", "--output-reproducible", "--output-file", str(file)]
        _run(command, tree)
        files.append(file)
    return files


def site(tree: Path) -> Path:
    """`site/` in the tree: the documentation, built from the tree's own pages."""
    _run([sys.executable, "docs/build_site.py"], tree)
    target = tree / "site"
    shutil.move(tree / "build" / "site", target)
    for left in ("build", ".cache"):
        shutil.rmtree(tree / left, ignore_errors=True)
    return target


def archive(tree: Path, into: Path, version: str) -> Path:
    """`rekindle-X.Y.Z.zip`: all of the tree in one folder, executable files still executable."""
    name = f"rekindle-{version}"
    path = into / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(file for file in tree.rglob("*") if file.is_file()):
            entry = zipfile.ZipInfo(f"{name}/{file.relative_to(tree)}", _EPOCH)
            entry.external_attr = file.stat().st_mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, file.read_bytes())
    return path


def sums(into: Path) -> Path:
    """`SHA256SUMS`, for `sha256sum --check`."""
    files = sorted(file for file in into.iterdir() if file.is_file() and file.name != SUMS)
    lines = (f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    (into / SUMS).write_text("".join(lines), encoding="utf-8")
    return into / SUMS


def _run(command: list[str], folder: Path, **variables: str) -> None:
    done = subprocess.run(  # noqa: S603
        command,
        cwd=folder,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(f"{' '.join(command)} failed:\n{done.stdout}")


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise ReleaseError(f"{folder} has {len(found)} files {pattern}, and should have one")
    return found[0]
