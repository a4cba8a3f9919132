"""One child process of the supervisor: started, read line by line, and ended with its whole group.

Knows nothing of what the process does; when to start and stop which is rekindle.supervisor's business.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, cast

REMEMBERED_LINES = 20


@dataclass(frozen=True)
class Command:
    """What to start: a name for people, the arguments, and variables added to the environment."""

    name: str
    arguments: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Child:
    """A started process, the leader of its own group, so that Ctrl-C reaches the supervisor alone."""

    command: Command
    process: subprocess.Popen[str]
    last_lines: deque[str]
    _reader: threading.Thread

    @property
    def name(self) -> str:
        """The name of its command."""
        return self.command.name

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self.process.poll()

    def how_it_ended(self) -> str:
        """One phrase for people, e.g. `exited with status 1` or `was ended by SIGKILL`."""
        status = self.process.wait()
        if status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"exited with status {status}"

    def stop(self, patience_seconds: float) -> None:
        """SIGTERM, then SIGKILL after the bound; to the whole group, which may hold its own children."""
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(patience_seconds)
        self._signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join(timeout=1.0)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS: a group of zombies gives EPERM
            os.killpg(self.process.pid, number)


def start(command: Command, on_line: Callable[[str, str], None], on_end: Callable[[Child], None]) -> Child:
    """Start a command; `on_line(name, line)` gets each line it writes, `on_end(child)` its end.

    Both are called from threads. Raises OSError when the program cannot be started.
    """
    process = subprocess.Popen(  # noqa: S603
        command.arguments,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **command.variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    last_lines: deque[str] = deque(maxlen=REMEMBERED_LINES)

    def read() -> None:
        with cast("IO[str]", process.stdout) as lines:
            for line in lines:
                last_lines.append(line.rstrip("\n"))
                on_line(command.name, line.rstrip("\n"))

    def wait() -> None:
        process.wait()
        on_end(child)

    reader = threading.Thread(target=read, name=f"{command.name} lines", daemon=True)
    child = Child(command, process, last_lines, reader)
    reader.start()
    threading.Thread(target=wait, name=f"{command.name} end", daemon=True).start()
    return child
