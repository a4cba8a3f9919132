"""k8s/base and k8s/monitoring, rendered from the chart: `make manifests`. A test compares.

Without Helm's own labels, and without the tests of `helm test`; everything of the chart's templates/metrics
goes to k8s/monitoring, so that a cluster with a monitoring of its own leaves it out.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = "# Rendered from helm/rekindle with k8s/values.yaml by `make manifests`; do not edit.\n"
KUBERNETES = "1.34.4"
SOURCE = re.compile(r"^# Source: rekindle/templates/(\S+)$", re.MULTILINE)
HELMS_OWN = re.compile(
    r"^ +(helm\.sh/chart|app\.kubernetes\.io/managed-by|app\.kubernetes\.io/version): .*\n", re.MULTILINE
)


def rendered(helm: str) -> dict[Path, str]:
    """The files and what stands in them. Raises CalledProcessError."""
    values = str(ROOT / "k8s" / "values.yaml")
    command = [helm, "template", "rekindle", str(ROOT / "helm" / "rekindle"), "--namespace", "rekindle"]
    command += ["--kube-version", KUBERNETES, "--skip-tests", "--values", values]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    parts: dict[str, list[str]] = {"base": [], "monitoring": []}
    for document in re.split(r"^---\n", HELMS_OWN.sub("", text), flags=re.MULTILINE):
        if (found := SOURCE.search(document)) and not found[1].startswith("tests/"):
            room = "monitoring" if found[1].startswith("metrics/") else "base"
            parts[room].append(_placed("\n".join(line.rstrip() for line in document.splitlines()) + "\n"))
    return {
        ROOT / "k8s" / room / "rekindle.yaml": HEAD + "".join(f"---\n{document}" for document in documents)
        for room, documents in parts.items()
    }


def _placed(document: str) -> str:
    """With its namespace. Kustomize's own `namespace` would move the one binding in kube-system, too."""
    if "\n  namespace: " in document or re.search(r"^kind: (Cluster|APIService)", document, re.MULTILINE):
        return document
    return re.sub(
        r"^(metadata:\n  name: .*\n)", r"\1  namespace: rekindle\n", document, count=1, flags=re.MULTILINE
    )


def main(helm: str) -> int:
    """Write the files."""
    for path, text in rendered(helm).items():
        path.write_text(text)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "helm"))
