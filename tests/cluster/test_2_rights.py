"""What each service account may do, and whether the manifests are what this API server understands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kube import ROOT, figure, run
from release import Stack

ALLOWED = {
    "predict": [],
    "model-server": [],
    "trainer": [],
    "postgresql": [],
    "control": [
        "cronjobs.batch [rekindle-trainer] [get]",
        "events [] [list]",
        "jobs.batch [] [create get list watch delete]",
        "pods [] [get list]",
        "pods/log [] [get]",
    ],
    "prometheus": ["pods [] [get list watch]"],
    "metrics-adapter": [
        "subjectaccessreviews.authorization.k8s.io [] [create]",
        "tokenreviews.authentication.k8s.io [] [create]",
    ],
}
RULE = re.compile(r"(\S+) +\[] +\[(.*?)] +\[(.*?)]$")
"""Resource, names and verbs in a line of `kubectl auth can-i --list`."""


@pytest.mark.parametrize("account", ALLOWED)
def test_rights(stack: Stack, account: str) -> None:
    """`kubectl auth can-i --list` as the account, less what every account may."""
    namespace = stack.namespace.name
    user = f"system:serviceaccount:{namespace}:rekindle-{account}"
    said = run("kubectl", "auth", "can-i", "--list", "--no-headers", "--as", user, "-n", namespace)
    rules = (RULE.match(line) for line in said.splitlines())
    found = [
        f"{rule[1]} [{rule[2]}] [{rule[3]}]" for rule in rules if rule and not rule[1].startswith("self")
    ]
    assert sorted(found) == ALLOWED[account]
    figure("5", f"rekindle-{account} may: {', '.join(sorted(found)) or 'nothing'}")


def test_manifests_against_the_schemas_of_this_api_server(stack: Stack, tmp_path: Path) -> None:
    """kubeconform, strict: every value set of the chart's tests, and the overlays."""
    kubeconform = shutil.which("kubeconform")
    if kubeconform is None:
        pytest.fail(
            "kubeconform is not on PATH: go install github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0"
        )
    run(sys.executable, str(ROOT / "tests" / "chart" / "schemas.py"), str(tmp_path / "schemas"))
    environment = os.environ | {"REKINDLE_SCHEMAS": str(tmp_path / "schemas")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "kubeconform",
        str(ROOT / "tests" / "chart"),
    ]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:]
    figure("5", f"kubeconform strict, schemas of this API server: {ran.stdout.strip().splitlines()[-1]}")
