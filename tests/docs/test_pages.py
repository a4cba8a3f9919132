"""The pages: a site that builds strictly and can be walked, written from the code, true to the files."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from documents import DOCS, DOCUMENTS, PAGES, ROOT, blocks, rows, spans

from gateway.app import create_app
from gateway.settings import Settings

REQUIREMENTS = DOCS / "requirements.md"
RUN = {Path("README.md"), Path("docs/tutorial.md")}
"""By test_tutorial.py."""
NO_METRICS = {"gateway_cpus"}
"""Keys of results of load tests that begin like a metric."""
IMAGES = {f"rekindle/{image}" for image in ("gateway", "model-server", "trainer", "trainer-gpu", "mirror")}
"""Names of images, not of files."""
ROUTE = re.compile(r"(GET|POST|PUT|DELETE) (/\S+)")


def test_the_site_builds_strictly() -> None:
    """`make docs` ends without an error: no broken link, no page that is missing."""
    done = subprocess.run(
        [sys.executable, "docs/build_site.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout + done.stderr
    assert (ROOT / "build" / "site" / "runbook" / "index.html").is_file()


def test_a_broken_link_breaks_the_build(tmp_path: Path) -> None:
    """A link to a file that is not there is an error, and so is one to a heading that is not there."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# One\n\n[two](#nowhere)\n")
    (tmp_path / "zensical.toml").write_text('[project]\nsite_name = "One"\n')
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "anchor does not exist" in done.stdout + done.stderr
    module = runpy.run_path(str(DOCS / "build_site.py"))
    link = module["_LINK"].search("[code](../gateway/nothing.py)")
    with pytest.raises(
        module["BrokenLinkError"], match=r"docs/index.md: there is no \.\./gateway/nothing.py"
    ):
        module["_relinked"](DOCS / "index.md", link)


def test_every_page_is_in_the_navigation_once() -> None:
    """No page is lost, none is named twice."""
    navigation = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    named = list(_named(navigation))
    assert sorted(named) == sorted(str(page.relative_to("docs")) for page in PAGES)


def _named(entry: Any) -> Any:
    if isinstance(entry, str):
        yield entry
    for inner in entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ():
        yield from _named(inner)


def test_the_reference_is_what_the_code_says() -> None:
    """`make reference` was run after the last change of a route, a metric, an option or a target."""
    code = (
        "import json, runpy; found = runpy.run_path('docs/generate/__main__.py', run_name='generate'); "
        "print(json.dumps(found['texts']()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    written = json.loads(done.stdout)
    assert sorted(written) == sorted(path.name for path in (DOCS / "reference").iterdir())
    for name, text in written.items():
        assert (DOCS / "reference" / name).read_text() == text, f"docs/reference/{name}: run `make reference`"


def test_quoted_figures_are_those_of_the_files() -> None:
    """`make reference` was run after the last change of the model's card, a result, or a route."""
    code = (
        "import json, runpy; found = runpy.run_path('docs/generate/__main__.py', run_name='generate'); "
        "print(json.dumps(found['pages']()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    quoting = {str(page) for page in DOCUMENTS if "<!-- `make reference`: " in (ROOT / page).read_text()}
    written = json.loads(done.stdout)
    assert quoting == set(written)
    for page, text in written.items():
        assert (ROOT / page).read_text() == text, f"{page}: run `make reference`"


def test_what_the_requirements_name_is_there() -> None:
    """Every row leads to something; each file, route and make target of it exists."""
    text = REQUIREMENTS.read_text()
    routes = {
        (method.upper(), path)
        for path, each in create_app(Settings()).openapi()["paths"].items()
        for method in each
    }
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for asked, shown in rows(text)[1:]:
        assert spans(shown) or "](" in shown, asked
    for span in spans(text):
        if route := ROUTE.fullmatch(span):
            assert route.groups() in routes, span
        elif target := re.fullmatch(r"make ([a-z0-9-]+)", span):
            assert target[1] in targets, span
        elif "/" in span and not span.startswith("/"):
            assert (ROOT / span).exists(), span


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_paths_in_a_document_exist(document: Path) -> None:
    """What looks like a file of one of our folders is one."""
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"models", "data", "runs", "build"}
    for span in spans((ROOT / document).read_text()):
        path = re.fullmatch(r"([a-z_.-]+)/[A-Za-z0-9_./-]+", span)
        if path and path[1] in tops and span not in IMAGES:
            assert (ROOT / span).exists(), f"{document}: there is no {span}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_settings_and_metrics_in_a_document_exist(document: Path) -> None:
    """A GATEWAY_ variable is one of the settings, a gateway_ name one of the metrics."""
    settings, metrics = ((DOCS / name).read_text() for name in ("settings.md", "reference/metrics.md"))
    text = (ROOT / document).read_text()
    for variable in set(re.findall(r"GATEWAY_[A-Z]+__[A-Z_]+", text)):
        assert f"`{variable}`" in settings, f"{document}: {variable} is no setting"
    for metric in set(re.findall(r"`(gateway_[a-z_]+)`", text)) - NO_METRICS:
        assert f"`{metric}`" in metrics, f"{document}: {metric} is no metric"


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_a_block_that_is_not_run_says_why(document: Path) -> None:
    """Only README and tutorial are run; and shell that bash cannot parse stands nowhere."""
    for block in blocks(document):
        assert block.mark == "not run" or document in RUN, block
        assert bool(block.why) == (block.mark in ("background", "not run")), block
        done = subprocess.run(["bash", "-n"], input=block.code, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block}: {done.stderr}"
