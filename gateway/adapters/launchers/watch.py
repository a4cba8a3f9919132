"""A training run left for a standing `python -m trainer watch`: its spec is the whole message.

The watcher that creates the run's claim carries it out; who claims a run that should never start, and
gives it its end, is this launcher.
"""

from __future__ import annotations

import asyncio

from contract.layout import write_atomically
from contract.training import Problem, RunState, TrainingResult, TrainingSpec
from contract.values import now
from gateway.adapters.run_folders import FileRunFolders
from gateway.errors import LauncherError
from gateway.ports.training import Launched, LaunchState


class WatchLauncher:
    """A gateway.ports.training.TrainingLauncher."""

    name = "watch"
    settle_seconds = 0.0

    def __init__(self, folders: FileRunFolders) -> None:
        self._folders = folders

    async def launch(self, spec: TrainingSpec) -> str:
        """Nothing to do: the spec is there."""
        return "watch"

    async def state(self, run_id: str) -> Launched:
        """A run with a spec waits for ever: a watcher that dies leaves it to the next."""
        return await asyncio.to_thread(self._state, run_id)

    def _state(self, run_id: str) -> Launched:
        paths = self._folders.paths(run_id)
        if paths.claim.exists():
            return Launched(LaunchState.RUNNING)
        if paths.spec.exists():
            return Launched(LaunchState.WAITING)
        return Launched(LaunchState.GONE, "its spec is not there")

    async def cancel(self, run_id: str, *, is_repeated: bool) -> None:
        """A watcher sees the file `cancel`; where none has claimed the run, none ever will."""
        await asyncio.to_thread(self._cancel, run_id)

    def _cancel(self, run_id: str) -> None:
        paths = self._folders.paths(run_id)
        try:
            with paths.claim.open("xb"):
                pass
            spec = TrainingSpec.model_validate_json(paths.spec.read_bytes())
            error = Problem(code="cancelled", message="the run was cancelled before it started")
            result = TrainingResult(
                run_id=run_id, model=spec.model, state=RunState.CANCELLED, error=error, started_at=now()
            )
            write_atomically(paths.result, result.to_json())
        except FileExistsError:
            return
        except (OSError, ValueError) as error:
            raise LauncherError(f"the run {run_id} cannot be taken back: {error}") from error

    async def logs(self, run_id: str, start: int, limit: int) -> bytes:
        """From log.txt, which the watcher writes."""
        return await asyncio.to_thread(self._folders.log, run_id, start, limit) or b""
