"""The wheel, the archive, the chart, the bills of materials: made, and used as a stranger would."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from releasing import artefacts
from releasing.installed import ROOMS, install
from releasing.unpacked import unpack
from releasing.version import ReleaseError, stated

ROOT = Path(__file__).resolve().parents[2]
NOT_IN_THE_WHEEL = ("Dockerfile", "container/", "__pycache__")
REQUIRED = os.environ.get("REKINDLE_REQUIRE_ALL_TESTS") == "1"


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once."""
    return artefacts.wheel(tree, tmp_path_factory.mktemp("wheel"), "1700000000")


def test_the_wheel_holds_every_file_of_its_rooms(tree: Path, wheel: Path) -> None:
    """Migrations, pages of the dashboard, descriptors: all but what images are made of."""
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    rooms = ("contract", "gateway", "mirror", "model_server", "rekindle", "trainer")
    files = {
        str(file.relative_to(tree)) for room in rooms for file in (tree / room).rglob("*") if file.is_file()
    }
    assert packed == {file for file in files if not any(part in file for part in NOT_IN_THE_WHEEL)}


def test_the_same_tree_makes_the_same_wheel(tree: Path, wheel: Path, tmp_path: Path) -> None:
    """Byte by byte, so that anybody can check what was published."""
    again = artefacts.wheel(tree, tmp_path, "1700000000")
    assert again.read_bytes() == wheel.read_bytes()


@pytest.mark.timeout(900)  # environments with TensorFlow, on a machine that may be busy
@pytest.mark.parametrize("extra", ROOMS)
def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path, extra: str) -> None:
    """With each extra every module of its role is imported, and its command line answers.

    Skipped only where packages cannot be had; continuous integration sets REKINDLE_REQUIRE_ALL_TESTS.
    """
    try:
        installed = install(wheel, extra, tmp_path / "environment")
    except ReleaseError as error:
        if REQUIRED:
            raise
        pytest.skip(f"THE WHEEL COULD NOT BE INSTALLED, SO THIS SHOWS NOTHING: {error}")
    print(f"rekindle[{extra}]: {installed.count()} packages, {installed.megabytes():.0f} MB")
    installed.import_all()
    assert "usage: rekindle" in installed.run("rekindle", "--help")
    assert installed.run("rekindle", "--version").strip() == stated(ROOT)
    if extra:
        module = ROOMS[extra][-1]
        assert module in installed.run("python", "-m", module, "--help").replace("model server", module)
    if extra == "gateway":
        newest = max((ROOT / "gateway/migrations/versions").glob("*.py")).name.partition("_")[0]
        assert f"has revision {newest}" in installed.run("python", "-m", "gateway", "migrate")
    shutil.rmtree(installed.folder)


def test_an_extra_that_is_not_there_installs_nothing_of_a_role(wheel: Path) -> None:
    """The extras are the roles, and the client alone brings neither TensorFlow nor a web server."""
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith("/METADATA"))
        lines = packed.read(name).decode().splitlines()
    assert [line for line in lines if line.startswith("Provides-Extra")] == [
        f"Provides-Extra: {extra}" for extra in ROOMS if extra
    ]
    always = {line for line in lines if line.startswith("Requires-Dist") and "extra ==" not in line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert len(always) == len(project["project"]["dependencies"])
    assert set(project["project"]["dependencies"]) <= {
        *project["dependency-groups"]["client"][1:],
        *project["dependency-groups"]["contract"],
    }


@pytest.fixture(scope="module")
def archive(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the site of the documentation, which goes into the copy for it."""
    copy = tmp_path_factory.mktemp("archive") / "tree"
    shutil.copytree(tree, copy)
    artefacts.site(copy)
    return artefacts.archive(copy, copy.parent, stated(ROOT))


def test_the_archive_holds_what_was_asked_for(archive: Path, tmp_path: Path) -> None:
    """Source, executed notebook, trained model files, results of load tests, documentation."""
    root = unpack(archive, tmp_path)
    assert root.name == f"rekindle-{stated(ROOT)}"
    for name in ("model.keras", "model.h5", "saved_model.pb", "model_card.json"):
        kept = root / "models" / "cifar10" / "1" / name
        assert kept.read_bytes() == (ROOT / kept.relative_to(root)).read_bytes()
    cells = json.loads((root / "notebook" / "walkthrough.ipynb").read_text())["cells"]
    assert any(cell.get("outputs") for cell in cells)
    assert json.loads((root / "load_tests" / "results" / "replicas.json").read_text())
    assert "Rekindle" in (root / "site" / "index.html").read_text()
    assert os.access(root / ".ci" / "run", os.X_OK)


def test_make_test_runs_in_the_unpacked_archive(archive: Path, tmp_path: Path) -> None:
    """A part of the suite, with this environment; `make release-check` runs all of it with one of its own."""
    root = unpack(archive, tmp_path)
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTEST"))}
    command = [
        "make",
        "test",
        f"VENV={sys.prefix}",
        "TESTS=-q -p no:cacheprovider tests/contract/test_layout.py",
    ]
    done = subprocess.run(command, cwd=root, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_chart_is_packaged(tree: Path, tmp_path: Path) -> None:
    """Under its version, by helm."""
    try:
        artefacts.find_helm()
    except ReleaseError as error:
        pytest.skip(str(error))
    assert artefacts.chart(tree, tmp_path).name == f"rekindle-{stated(ROOT)}.tgz"


def test_a_bill_of_materials_names_each_package_of_a_lock(tree: Path, tmp_path: Path) -> None:
    """With version and hashes, in CycloneDX."""
    for file in artefacts.bills_of_materials(tree, tmp_path, stated(ROOT)):
        found = json.loads(file.read_text())
        assert (found["bomFormat"], found["metadata"]["component"]["name"]) == ("CycloneDX", "rekindle")
        assert found["metadata"]["component"]["version"] == stated(ROOT)
        role = file.name.removeprefix(f"rekindle-{stated(ROOT)}-").removesuffix(".cdx.json")
        lock = (ROOT / "requirements" / f"{role}.lock").read_text()
        named = {(each["name"], each["version"]) for each in found["components"]}
        assert all(f"{name}=={version}" in lock for name, version in named)
        assert len(named) >= lock.count("==") // 2 > 0
        assert all(each["externalReferences"][0]["hashes"] for each in found["components"])


def test_the_sums_are_those_of_the_files(tmp_path: Path) -> None:
    """As `sha256sum --check` reads them; the second time, too."""
    (tmp_path / "a.whl").write_bytes(b"wheel")
    assert artefacts.sums(tmp_path).read_text() == artefacts.sums(tmp_path).read_text()
    assert (tmp_path / "SHA256SUMS").read_text() == f"{hashlib.sha256(b'wheel').hexdigest()}  a.whl\n"
