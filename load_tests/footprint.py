"""What the gateway costs: `python -m load_tests.footprint --models models --model cifar10`.

Prints the gateway's import time and memory in an environment with its own packages (`--python`), then starts
the stack, posts predictions, and prints its resident memory, and that neither TensorFlow, Keras nor numpy is
in it. Linux only (it reads /proc).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from load_tests.processes.cpu_times import resident_megabytes
from load_tests.processes.stack import running_stack

FORBIDDEN = ("tensorflow", "keras", "numpy")
IMPORTS = 7
PROBE = """
import json, sys, time
started = time.perf_counter()
import gateway.app
seconds = time.perf_counter() - started
resident = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS:"))
names = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps({"seconds": seconds, "kibibytes": int(resident), "modules": names}))
"""


@dataclass(frozen=True)
class Import:
    """Of the gateway in fresh processes."""

    seconds: float
    megabytes: float
    """VmRSS after it, in MB (10^6 bytes)."""
    modules: list[str]
    """The top-level ones that it brings."""


def measure_import(python: str) -> Import:
    """Medians of importing the gateway with an interpreter."""
    probes = []
    # As after a first start: with compiled bytecode, which the first probe leaves behind.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(IMPORTS + 1):
        probe = subprocess.run(
            [python, "-c", PROBE], check=True, capture_output=True, text=True, env=environment
        )
        probes.append(json.loads(probe.stdout))
    return Import(
        statistics.median(probe["seconds"] for probe in probes[1:]),
        statistics.median(probe["kibibytes"] for probe in probes[1:]) * 1024 / 1e6,
        probes[0]["modules"],
    )


def mapped_libraries(pid: int) -> set[str]:
    """Which of FORBIDDEN have a file mapped into the process."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return {name for name in FORBIDDEN if f"site-packages/{name}" in maps}


def main() -> int:
    """Measure and print; 1 when something forbidden was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--picture", type=Path, default=Path("docs/pictures/ship.jpg"))
    parser.add_argument("--predictions", type=int, default=1000)
    parser.add_argument("--python", default=sys.executable, help="that imports (default: the one that runs)")
    options = parser.parse_args()
    imported = measure_import(options.python)
    with running_stack(options.models) as stack:
        for _ in range(options.predictions):
            stack.client.predict(options.model, [options.picture])
        resident = resident_megabytes(stack.gateway_pid)
        mapped = mapped_libraries(stack.gateway_pid)
    found = mapped | (set(FORBIDDEN) & set(imported.modules))
    print(f"import of gateway.app      {imported.seconds:.2f} s (median of {IMPORTS})")
    print(f"resident after the import  {imported.megabytes:.1f} MB")
    print(f"after {options.predictions} predictions     {resident:.1f} MB")
    print(f"TensorFlow, Keras, numpy   {', '.join(sorted(found)) or 'absent'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
