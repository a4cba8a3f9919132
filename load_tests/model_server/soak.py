"""Swaps and label moves under load: `python -m load_tests.model_server.soak`.

Copies the model's newest version into a store of its own under two numbers, and lets clients predict without
a pause while the configuration swaps one version for the other and moves a label back and forth. Prints the
failures, and the memory before and after: after some swaps, when the allocator has seen the worst, and at the
end. The exit status is 1 when a request failed or the memory grew by more than a tenth.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from contract.layout import ModelPaths, write_atomically
from load_tests.model_server.child import Child, Crowd, child, request

LABEL = "stable"
SETTLING_SWAPS = 5
"""Swaps before the memory is taken for the first time."""


def configuration(base_path: Path, versions: list[int], labelled: int | None) -> bytes:
    """A ModelServerConfig in text form."""
    wanted = " ".join(f"versions: {version}" for version in versions)
    label = f'version_labels {{ key: "{LABEL}" value: {labelled} }}' if labelled else ""
    return (
        f'model_config_list {{ config {{ name: "soak" base_path: "{base_path}" model_platform: "tensorflow" '
        f"model_version_policy {{ specific {{ {wanted} }} }} {label} }} }}"
    ).encode()


def wait_until(is_true: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait for a condition. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)


def swap(server: Child, config: Path, base_path: Path, version: int) -> None:
    """Ask for one version only, and wait until it alone is there."""
    write_atomically(config, configuration(base_path, [version], None))

    def is_alone() -> bool:
        states = server.states("soak")
        others = {state for number, state in states.items() if number != version}
        return states.get(version) == "AVAILABLE" and others <= {"END"}

    wait_until(is_alone, f"version {version} alone")


def move_labels(config: Path, base_path: Path, moves: int, address: str) -> list[str]:
    """Move the label between both versions; the failures of the clients that ask by it."""
    by_label = request("soak")
    by_label.model_spec.version_label = LABEL
    crowd = Crowd(address, [by_label.SerializeToString()], 4)
    for move in range(moves):
        write_atomically(config, configuration(base_path, [1, 2], 1 + move % 2))
        time.sleep(1.5)  # longer than the poll of the configuration: each move is seen
        if move == 0:
            crowd.start()
    crowd.stop()
    print(f"{moves} label moves: {crowd.answered} answers by label, {len(crowd.failures)} failed")
    return crowd.failures


def main() -> int:
    """Measure and print; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="cifar10")
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--clients", type=int, default=32)
    arguments = parser.parse_args()
    paths = ModelPaths(arguments.models, arguments.model)
    source = max((path for path in paths.root.iterdir() if path.name.isdigit()), key=lambda p: int(p.name))
    with tempfile.TemporaryDirectory() as folder:
        return soak(arguments, source, Path(folder))


def soak(arguments: argparse.Namespace, source: Path, folder: Path) -> int:
    """The run itself, in a folder of its own."""
    base_path, config = folder / "soak", folder / "models.config"
    for number in (1, 2):
        shutil.copytree(source, base_path / str(number))
    write_atomically(config, configuration(base_path, [1], None))
    flags = (f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=1")
    with child(*flags, "--allow_version_labels_for_unavailable_models") as server:
        crowd = Crowd(server.address, [request("soak").SerializeToString()], arguments.clients)
        crowd.start()
        before = 0.0
        for number in range(arguments.swaps):
            swap(server, config, base_path, 2 - number % 2)
            if number + 1 == SETTLING_SWAPS:
                before = server.resident_mb()
        after = server.resident_mb()
        print(f"{arguments.swaps} swaps under {arguments.clients} clients: {crowd.answered} answers")
        failures = move_labels(config, base_path, arguments.moves, server.address)
        crowd.stop()
        status, seconds = server.terminate()
    failures += crowd.failures
    growth = after / before - 1 if before else 0.0
    print(f"failed requests: {len(failures)} {failures[:3]}")
    print(f"memory: {before:.0f} MB after {SETTLING_SWAPS} swaps, {after:.0f} MB at the end ({growth:+.1%})")
    print(f"exit status {status} after {seconds:.1f} s")
    return int(bool(failures) or growth > 0.1)


if __name__ == "__main__":
    sys.exit(main())
