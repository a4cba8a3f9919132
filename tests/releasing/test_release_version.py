"""One version for everything."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import contract.version
import rekindle
from gateway.app import create_app
from gateway.settings import Settings
from releasing import changelog
from releasing.version import ReleaseError, places, set_everywhere, stated

ROOT = Path(__file__).resolve().parents[2]


def test_every_place_holds_the_version_of_pyproject() -> None:
    """Chart, labels of the images, commands in documents, manifests, changelog: as pyproject.toml says."""
    found = {str(place.file.relative_to(ROOT)): place.version for place in places(ROOT)}
    assert set(found.values()) == {stated(ROOT)}
    assert {"helm/rekindle/Chart.yaml", "trainer/Dockerfile", "k8s/base/rekindle.yaml"} <= set(found)
    assert changelog.section((ROOT / "CHANGELOG.md").read_text())["version"] == stated(ROOT)


def test_programs_say_the_version_of_pyproject() -> None:
    """The package, the OpenAPI document, the model server and the command line."""
    assert contract.version.version() == rekindle.__version__ == stated(ROOT)
    assert create_app(Settings()).openapi()["info"]["version"] == stated(ROOT)
    for module, arguments in (("rekindle", ["--version"]), ("model_server", ["--version"])):
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert stated(ROOT) in done.stdout


def test_an_image_says_its_version() -> None:
    """Its label takes the argument that the release sets, and the code finds pyproject.toml beside it."""
    for dockerfile in ROOT.glob("*/Dockerfile"):
        text = dockerfile.read_text()
        assert 'org.opencontainers.image.version="${VERSION}"' in text
        assert "COPY pyproject.toml /app/" in text
        assert "COPY contract /app/contract" in text


def test_the_chart_takes_the_images_of_its_version() -> None:
    """Without a tag in its values, an image has the chart's appVersion."""
    images = yaml.safe_load((ROOT / "helm/rekindle/values.yaml").read_text())["images"]
    assert {images[name]["tag"] for name in ("gateway", "modelServer", "trainer")} == {""}


@pytest.mark.parametrize("missing", ["helm/rekindle/Chart.yaml", "gateway/Dockerfile"])
def test_a_place_that_is_gone_is_one_sentence(tree: Path, tmp_path: Path, missing: str) -> None:
    """Instead of a release whose parts disagree."""
    copy = tmp_path / "tree"
    shutil.copytree(tree, copy, ignore=shutil.ignore_patterns("models", "tests"))
    (copy / missing).write_text("nothing\n")
    with pytest.raises(ReleaseError, match=f"{re.escape(missing)}: there is no line"):
        set_everywhere(copy, "9.8.7")


def test_a_version_is_set_everywhere(tree: Path, tmp_path: Path) -> None:
    """And nothing else changes: with the old one set again, all files are as they were."""
    copy = tmp_path / "tree"
    shutil.copytree(tree, copy, ignore=shutil.ignore_patterns("models", "tests"))
    before = {place.file: place.file.read_text() for place in places(copy)}
    assert set_everywhere(copy, "19.28.37") == sorted(before)
    assert {place.version for place in places(copy)} == {"19.28.37"}
    set_everywhere(copy, stated(tree))
    assert {file: file.read_text() for file in before} == before
