"""Progress of runs, read from progress.jsonl as it grows: each line once, and a bounded number of them.

A run that is resumed tells an epoch again; the later value counts.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import ValidationError

from contract.training import ProgressEvent
from gateway.ports.training import RunFolders

RUNS_IN_MEMORY = 32
PART_BYTES = 256 * 1024
PARTS_A_READ = 16
MAX_EPOCHS = 10_000
MAX_CURVES = 16
POINTS_SHOWN = 500


@dataclass
class Progress:
    """What a run has told so far."""

    phase: str | None = None
    message: str = ""
    done: int = 0
    total: int = 0
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """(epoch, value) by name, ascending; thinned out to POINTS_SHOWN, first and last kept."""


@dataclass
class _Known:
    offset: int = 0
    latest: ProgressEvent | None = None
    curves: dict[str, dict[int, float]] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def add(self, event: ProgressEvent) -> None:
        self.latest = event
        if event.epoch is None:
            return
        for name, value in event.values.items():
            is_room = name in self.curves or len(self.curves) < MAX_CURVES
            if is_room and math.isfinite(value) and 0 <= event.epoch <= MAX_EPOCHS:
                self.curves.setdefault(name, {})[event.epoch] = value


class ProgressReader:
    """Remembers how far it has read the runs that were asked for last."""

    def __init__(self, folders: RunFolders) -> None:
        self._folders = folders
        self._runs: OrderedDict[str, _Known] = OrderedDict()

    async def read(self, run_id: str) -> Progress:
        """What the run has told so far; a very long file is caught up with over several calls."""
        known = self._runs.setdefault(run_id, _Known())
        self._runs.move_to_end(run_id)
        if len(self._runs) > RUNS_IN_MEMORY:
            self._runs.popitem(last=False)
        async with known.lock:
            for _ in range(PARTS_A_READ):
                if not await self._read_part(run_id, known):
                    break
        return _shown(known)

    async def _read_part(self, run_id: str, known: _Known) -> bool:
        part = await asyncio.to_thread(self._folders.progress, run_id, known.offset, PART_BYTES)
        if part.end < known.offset:  # the file was begun anew
            known.curves.clear()
            known.latest = None
        known.offset = part.end
        for line in part.content.splitlines():
            with suppress(ValidationError):
                known.add(ProgressEvent.model_validate_json(line))
        return bool(part.content)


def _shown(known: _Known) -> Progress:
    curves = {name: _thinned(sorted(points.items())) for name, points in sorted(known.curves.items())}
    if known.latest is None:
        return Progress(curves=curves)
    latest = known.latest
    return Progress(latest.phase, latest.message[:2000], latest.done, latest.total, curves)


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    step = -(-len(points) // POINTS_SHOWN)
    return points if step <= 1 else [*points[:-1:step], points[-1]]
