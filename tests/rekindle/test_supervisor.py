"""The supervisor over real processes: order, signals, deaths, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROGRAM = str(Path(__file__).with_name("run_supervisor.py"))
ROOT = Path(__file__).resolve().parents[2]

Launch = Callable[..., "Running"]


class Running:
    """A supervisor in a process of its own, and what its children noted."""

    def __init__(self, log: Path, *children: str) -> None:
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, PROGRAM, str(log), *children],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def notes(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def started(self, name: str) -> int:
        """Wait until the child runs; its process id."""
        marked = f"{name} started"
        eventually(lambda: self.process.poll() is not None or any(marked in note for note in self.notes()))
        return next(int(note.split()[-1]) for note in self.notes() if note.startswith(marked))

    def output(self) -> str:
        return self.process.communicate(timeout=60)[0]


def eventually(is_true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Poll until it is true; fail after a generous bound."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"not true after {seconds} seconds"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """True while it lives; where nobody reaps orphans, a dead one stays as a zombie."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    running: list[Running] = []

    def start(*children: str, log: str = "log") -> Running:
        running.append(Running(tmp_path / log, *children))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_ends_the_children_in_the_opposite_order(
    launch: Launch, number: signal.Signals
) -> None:
    """Ctrl-C, SIGTERM and a closed terminal stop the last child first, and the exit status is 0."""
    running = launch("first", "second")
    pids = [running.started("first"), running.started("second")]
    running.process.send_signal(number)
    output = running.output()
    assert running.process.returncode == 0, output
    assert running.notes()[-2:] == ["second SIGTERM", "first SIGTERM"]
    assert output.index("Stopping the second") < output.index("Stopping the first") < output.index("Stopped.")
    assert not any(is_running(pid) for pid in pids)


def test_ctrl_c_in_a_terminal_does_not_reach_the_children(launch: Launch) -> None:
    """A signal to the supervisor's process group is not delivered to a child, which has its own."""
    running = launch("only")
    pid = running.started("only")
    assert os.getpgid(pid) == pid != os.getpgid(running.process.pid)


def test_the_lines_of_the_children_carry_their_names(launch: Launch) -> None:
    """What a child writes is shown behind its name."""
    running = launch("first", "second")
    running.started("first")
    running.started("second")
    running.process.send_signal(signal.SIGTERM)
    output = running.output()
    assert "first        │ hello from first" in output
    assert "second       │ hello from second" in output


def test_a_child_that_dies_is_named_with_its_last_lines_and_the_others_stop(launch: Launch) -> None:
    """The exit status is not 0, the message says which child, how it ended and what it last wrote."""
    running = launch("healthy", "broken:fails")
    pid = running.started("healthy")
    output = running.output()
    assert running.process.returncode == 1
    assert "the broken exited with status 3; its last lines:" in output
    assert "\n    the reason why\n" in output
    assert "healthy SIGTERM" in running.notes()
    assert not is_running(pid)


def test_a_child_killed_from_outside_is_named_with_the_signal(launch: Launch) -> None:
    """A child that the system kills, for example for its memory, is reported by the signal's name."""
    running = launch("victim")
    os.kill(running.started("victim"), signal.SIGKILL)
    output = running.output()
    assert running.process.returncode == 1
    assert "the victim was ended by SIGKILL" in output


def test_a_child_that_ends_by_itself_counts_as_dead(launch: Launch) -> None:
    """Also a success is an end that nobody asked for."""
    running = launch("short:ends")
    assert "the short exited with status 0" in running.output()
    assert running.process.returncode == 1


def test_a_child_that_ignores_sigterm_is_killed_after_the_bound(launch: Launch) -> None:
    """Stopping takes no longer than the bound, whatever a child does."""
    running = launch("stubborn:deaf", log="deaf")
    pid = running.started("stubborn")
    running.process.send_signal(signal.SIGINT)
    running.output()
    assert running.process.returncode == 0
    assert "stubborn SIGTERM" in running.notes()
    assert not is_running(pid)


def test_a_grandchild_ends_with_its_parent(launch: Launch) -> None:
    """Stopping a child stops what it started."""
    running = launch("parent:grandchild")
    pid = running.started("parent-grandchild")
    running.process.send_signal(signal.SIGTERM)
    running.output()
    eventually(lambda: not is_running(pid))


def test_no_orphan_stays_when_the_supervisor_is_killed(launch: Launch) -> None:
    """SIGKILL of the supervisor ends every child and grandchild all the same."""
    running = launch("first", "second:grandchild")
    pids = [running.started(name) for name in ("first", "second", "second-grandchild")]
    running.process.kill()
    eventually(lambda: not any(is_running(pid) for pid in pids))
    assert "first SIGTERM" in running.notes()


def test_a_program_that_does_not_exist_is_one_sentence(launch: Launch, tmp_path: Path) -> None:
    """A child that cannot be started is reported, not raised through."""
    from rekindle.child import Command
    from rekindle.console import Console
    from rekindle.supervisor import ChildFailedError, Supervisor

    with (
        Supervisor(Console()) as supervisor,
        pytest.raises(ChildFailedError, match=r"the ghost cannot be started: .*no-such-program"),
    ):
        supervisor.start(Command("ghost", [str(tmp_path / "no-such-program")]))
