"""The alerts without a stack: they parse, fire and stay silent in promtool's tests, and are explained."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_process import DASHBOARDS, MONITORING, ROOT, RULES, metric_names, program

HERE = Path(__file__).parent
UNIT_TESTS = sorted(HERE.glob("*.yaml"))
RUNBOOK = ROOT / "docs" / "runbook.md"


def rules() -> list[dict[str, Any]]:
    """Every rule of every file."""
    files = [yaml.safe_load(path.read_text()) for path in RULES]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def checks() -> list[dict[str, Any]]:
    """Every check of promtool's unit tests."""
    files = [yaml.safe_load(path.read_text()) for path in UNIT_TESTS]
    return [check for file in files for test in file["tests"] for check in test["alert_rule_test"]]


def test_the_rules_are_valid() -> None:
    """promtool finds no fault."""
    done = subprocess.run([program("promtool"), "check", "rules", *RULES], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_the_alerts_fire_and_stay_silent_as_written(path: Path) -> None:
    """promtool runs the rules on made series."""
    done = subprocess.run([program("promtool"), "test", "rules", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_tested_for_firing_and_for_silence(alert: str) -> None:
    """One check at least expects it, and one at least expects nothing."""
    found = {bool(check.get("exp_alerts")) for check in checks() if check["alertname"] == alert}
    assert found == {True, False}


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_leads_to_its_section_of_the_runbook(alert: str) -> None:
    """The section says what it means, what it does to users, how to find the cause, and what to do."""
    assert ALERTS[alert]["annotations"]["runbook_url"] == f"docs/runbook.md#{alert.lower()}"
    section = re.search(rf"^## {alert}\n(.*?)(?=^## |\Z)", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    assert section is not None
    parts = re.findall(r"^\*\*(\w+)\.\*\* \S", section[1], re.MULTILINE)
    assert parts == ["Meaning", "Impact", "Diagnosis", "Mitigation"]


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    """Headings that look like alerts are alerts."""
    headings = re.findall(r"^## (Rekindle\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert headings == list(dict.fromkeys(headings))
    assert set(headings) == set(ALERTS)


def test_the_dashboards_are_those_of_their_source() -> None:
    """`make reference` was run after the last change."""
    code = (
        "import runpy, json; found = runpy.run_path('__main__.py', run_name='source'); "
        "print(json.dumps(found['texts']()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=MONITORING / "source", capture_output=True, check=True
    )
    assert json.loads(done.stdout) == {path.name: path.read_text() for path in DASHBOARDS}


def test_names_are_found_in_queries() -> None:
    """The reader of PromQL that the other tests rely on sees names, and neither labels nor functions."""
    query = 'sum by (le, x) (rate(a_bucket{b="c_total"}[5m])) / on (n) :d:e:f or max(up) > 3 and vector(1)'
    assert metric_names(query) == {"a_bucket", ":d:e:f", "up"}
