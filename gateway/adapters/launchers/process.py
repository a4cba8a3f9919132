"""A training run as a child process, for one machine.

The child has a session of its own, so that a restart of the gateway does not end it; `process.json` in
the run's folder says which process it is, for the gateway that comes after. A number alone is not
enough, since the system gives it out again: the host and the moment of its start belong to it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from contract.layout import RunPaths, write_atomically
from contract.training import TrainingSpec
from gateway.adapters.run_folders import FileRunFolders
from gateway.errors import LauncherError
from gateway.ports.training import Launched, LaunchState

STATE_FIELD, START_FIELD = 0, 19
"""In /proc/<pid>/stat, counted behind the closing bracket of the name."""


class ProcessLauncher:
    """A gateway.ports.training.TrainingLauncher."""

    name = "process"
    settle_seconds = 0.0

    def __init__(self, folders: FileRunFolders, command: Sequence[str]) -> None:
        """`command` is followed by `run --spec <spec.json>`."""
        self._folders = folders
        self._command = command
        self._host = socket.gethostname()

    async def launch(self, spec: TrainingSpec) -> str:
        """Start the child; its output goes to log.txt."""
        return await asyncio.to_thread(self._launch, self._folders.paths(spec.run_id))

    def _launch(self, paths: RunPaths) -> str:
        command = [*self._command, "run", "--spec", str(paths.spec.absolute())]
        try:
            with paths.log.open("ab") as output:
                child = subprocess.Popen(  # noqa: S603  the command comes from the settings
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env=_environment(),
                )
        except OSError as error:
            raise LauncherError(f"the trainer cannot be started by {command[0]!r}: {error}") from error
        known = {"host": self._host, "pid": child.pid, "start": _start_of(child.pid)}
        # Whoever started a process must take its exit status, or it stays as a zombie.
        threading.Thread(target=child.wait, name=f"trainer-{child.pid}", daemon=True).start()
        try:
            write_atomically(_file(paths), json.dumps(known).encode())
        except OSError as error:
            child.kill()  # nobody could find it again
            raise LauncherError(f"the run's folder cannot be written: {error}") from error
        return f"process {child.pid} on {self._host}"

    async def state(self, run_id: str) -> Launched:
        """By the process table; a process of another host is unknown here."""
        known = await asyncio.to_thread(self._known, run_id)
        if known is None:
            return Launched(LaunchState.GONE, "no process was started")
        if known["host"] != self._host:
            return Launched(LaunchState.UNKNOWN, f"it was started on {known['host']}")
        if _lives(known):
            return Launched(LaunchState.RUNNING)
        return Launched(LaunchState.GONE, f"the process {known['pid']} ended")

    async def cancel(self, run_id: str, *, is_repeated: bool) -> None:
        """SIGTERM, which the trainer takes as `cancel`; the second time SIGKILL to all of its session."""
        known = await asyncio.to_thread(self._known, run_id)
        if known is None or known["host"] != self._host or not _lives(known):
            return
        with suppress(ProcessLookupError):
            if is_repeated:
                os.killpg(known["pid"], signal.SIGKILL)
            else:
                os.kill(known["pid"], signal.SIGTERM)

    async def logs(self, run_id: str, start: int, limit: int) -> bytes:
        """From log.txt."""
        return await asyncio.to_thread(self._folders.log, run_id, start, limit) or b""

    def _known(self, run_id: str) -> dict[str, Any] | None:
        try:
            known = json.loads(_file(self._folders.paths(run_id)).read_bytes())
            return {"host": str(known["host"]), "pid": int(known["pid"]), "start": known["start"]}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LauncherError(f"process.json of the run {run_id} cannot be read: {error}") from error


def _file(paths: RunPaths) -> Path:
    return paths.root / "process.json"


def _environment() -> dict[str, str]:
    """The gateway's, without its settings, which may hold the database's password."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith("GATEWAY_")}


def _lives(known: dict[str, Any]) -> bool:
    try:
        os.kill(known["pid"], 0)
    except (ProcessLookupError, PermissionError):  # ours could be asked
        return False
    start = _start_of(known["pid"])
    return start == known["start"] if known["start"] is not None else True


def _start_of(pid: int) -> int | None:
    """Clock ticks from boot to the process' start; None for a zombie, or where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[STATE_FIELD] in "ZX" else int(fields[START_FIELD])
    except (OSError, ValueError, IndexError):
        return None
