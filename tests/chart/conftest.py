"""Helm and kubeconform, where they are: on PATH, or in the folder that REKINDLE_KUBE_TOOLS names.

Where they are not, these tests are skipped, and the summary says so in capitals.
"""

from __future__ import annotations

import os
import shutil

import pytest

_MISSING: set[str] = set()


def program(name: str) -> str:
    """The path of a program; skips the test where there is none."""
    places = os.pathsep.join(filter(None, [os.environ.get("PATH"), os.environ.get("REKINDLE_KUBE_TOOLS")]))
    if (found := shutil.which(name, path=places)) is None:
        _MISSING.add(name)
        pytest.skip(f"{name} is neither on PATH nor in REKINDLE_KUBE_TOOLS")
    return found


@pytest.fixture(scope="session")
def helm() -> str:
    """Helm 3."""
    return program("helm")


@pytest.fixture(scope="session")
def kubeconform() -> str:
    """kubeconform."""
    return program("kubeconform")


@pytest.fixture(scope="session")
def kubectl() -> str:
    """kubectl, for kustomizations."""
    return program("kubectl")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Nobody shall believe that the chart was tested where it was not."""
    for name in sorted(_MISSING):
        terminalreporter.write_line(
            f"THE CHART WAS NOT FULLY TESTED: {name} is missing here", red=True, bold=True
        )
