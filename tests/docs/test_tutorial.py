"""The commands of README and tutorial, in their order, in a fresh copy of the repository."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from documents import ROOT, Block, blocks

from rekindle.loopback import free_ports

pytestmark = [pytest.mark.stack, pytest.mark.tensorflow, pytest.mark.timeout(1800)]

LEFT_OUT = (".*", "__pycache__", "build", "dist", "node_modules", "runs", "models", "data", "*.egg-info")
START_SECONDS, RETRY_SECONDS = 900, 90


@dataclass
class Clone:
    """A copy of the repository, with ports of its own."""

    folder: Path
    ports: list[int] = field(default_factory=lambda: free_ports(3))
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a new terminal."""
        names = ("REKINDLE_HTTP_PORT", "REKINDLE_GRPC_PORT", "REKINDLE_REST_PORT")
        ports = dict(zip(names, map(str, self.ports), strict=True))
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "PYTHON"))
        }
        return {**kept, **ports, "REKINDLE_URL": f"http://127.0.0.1:{self.ports[0]}"}

    def run(self, block: Block) -> None:
        """Carry out one block as its mark says."""
        if block.mark == "background":
            self._start(block)
            return
        deadline = time.monotonic() + (RETRY_SECONDS if block.mark == "retry" else 0)
        while (done := self._bash(block)).returncode and time.monotonic() < deadline:
            time.sleep(0.5)
        assert done.returncode == 0, f"{block}:\n{block.code}\n{done.stdout}"

    def _code(self, block: Block) -> str:
        return block.code.replace("127.0.0.1:8000", f"127.0.0.1:{self.ports[0]}")

    def _bash(self, block: Block) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._code(block)],
            cwd=self.folder,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def _start(self, block: Block) -> None:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {self._code(block).strip()}"],
            cwd=self.folder,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.running.append(process)
        lines: list[str] = []
        has_started = threading.Event()

        def read() -> None:
            assert process.stdout is not None
            with process.stdout as output:
                for line in output:
                    lines.append(line)
                    if block.why in line:
                        has_started.set()
            has_started.set()

        threading.Thread(target=read, daemon=True).start()
        assert has_started.wait(START_SECONDS), "".join(lines)
        assert process.poll() is None, "".join(lines)

    def close(self) -> None:
        """End what goes on in the background."""
        for process in self.running:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    """What somebody has after `git clone`."""
    folder = tmp_path / "rekindle"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    bundled = Path("models", "cifar10", "1")
    shutil.copytree(ROOT / bundled, folder / bundled)
    (folder / "data").mkdir()
    copy = Clone(folder)
    yield copy
    copy.close()


def test_the_tutorial_and_the_readme_do_what_they_say(clone: Clone) -> None:
    """Every block succeeds, from `make run` to the rollback; the README's on the stack of the tutorial."""
    done = 0
    for document in (Path("docs/tutorial.md"), Path("README.md")):
        for block in blocks(document):
            if block.mark != "not run":
                clone.run(block)
                done += 1
    assert done >= 10
