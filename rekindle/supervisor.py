"""Keeps a few child processes running together, and ends them together.

They start in order and stop in the opposite order: on Ctrl-C, SIGTERM or a closed terminal, when one of
them dies, and, by rekindle.guard, when the supervisor itself is killed. What the children are is the
caller's business.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import IO, Self, cast

from rekindle.child import Child, Command, start
from rekindle.console import Console

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
POLL_SECONDS = 0.2


class StopRequestedError(Exception):
    """Someone asked the supervisor to stop: Ctrl-C, SIGTERM, or a closed terminal."""


class ChildFailedError(Exception):
    """A child could not be started, did not become ready in time, or died; the message says which and how."""


class Supervisor:
    """A context in which children run; leaving it stops them all."""

    def __init__(self, console: Console, patience_seconds: float = 15.0) -> None:
        self._console = console
        self._patience_seconds = patience_seconds
        self._children: list[Child] = []
        # SimpleQueue, since a signal handler may interrupt the very thread that waits on it.
        self._events: SimpleQueue[signal.Signals | Child] = SimpleQueue()

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("signals can be received in the main thread only")
        self._former = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        for number, former in self._former.items():
            if number != signal.SIGHUP or former is not signal.SIG_IGN:  # nohup ignores it, and means it
                signal.signal(number, self._receive)
        self._guard = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", str(Path(__file__).with_name("guard.py"))],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._events.put(signal.Signals(number))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(self._children):
            self._stop(child)
        self._guard.communicate()
        for number, former in self._former.items():
            signal.signal(number, former)

    def _stop(self, child: Child) -> None:
        if child.exit_status is None:
            self._console.say(f"Stopping the {child.name}")
        child.stop(self._patience_seconds)
        self._tell_guard(-child.process.pid)

    def _tell_guard(self, group: int) -> None:
        try:
            print(group, file=cast("IO[str]", self._guard.stdin), flush=True)
        except BrokenPipeError:  # somebody killed the guard; the children still run
            self._console.say("The guard is gone: if this process is killed, its children stay")

    def start(self, command: Command) -> Child:
        """Start a child that is to run until the end. Raises ChildFailedError."""
        try:
            child = start(command, self._console.child_line, self._events.put)
        except OSError as error:
            raise ChildFailedError(f"the {command.name} cannot be started: {error}") from error
        self._children.append(child)
        self._tell_guard(child.process.pid)
        return child

    def finish(self, command: Command) -> None:
        """Run a child to its end. Raises ChildFailedError unless it succeeds, StopRequestedError."""
        child = self.start(command)
        while child.exit_status is None:
            self._next_event(POLL_SECONDS, expected=child)
        if child.exit_status != 0:
            raise self._failure(child)
        self.stop(child)

    def stop(self, child: Child) -> None:
        """Stop one child; the others go on."""
        self._children.remove(child)
        self._stop(child)

    def wait_until(self, is_ready: Callable[[], bool], what: str, patience_seconds: float) -> None:
        """Wait until `is_ready()`, with a line of progress.

        Raises ChildFailedError when a child dies meanwhile or the bound is reached, StopRequestedError.
        """
        deadline = time.monotonic() + patience_seconds
        with self._console.progress(what):
            while not is_ready():
                if time.monotonic() > deadline:
                    raise ChildFailedError(f"{what}: not ready after {patience_seconds:.0f} seconds")
                self._next_event(POLL_SECONDS)

    def wait(self) -> None:
        """Wait until someone asks to stop (StopRequestedError) or a child dies (ChildFailedError)."""
        while True:
            self._next_event(None)

    def _next_event(self, timeout_seconds: float | None, expected: Child | None = None) -> None:
        try:
            event = self._events.get(timeout=timeout_seconds)
        except Empty:
            return
        if isinstance(event, signal.Signals):
            raise StopRequestedError(event.name)
        if event is not expected and event in self._children:
            raise self._failure(event)

    def _failure(self, child: Child) -> ChildFailedError:
        child.stop(0.0)  # the last of its lines are read, and what it left of its group is ended
        lines = "".join(f"\n    {line}" for line in child.last_lines)
        return ChildFailedError(f"the {child.name} {child.how_it_ended()}; its last lines:{lines}")
