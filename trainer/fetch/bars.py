"""Progress of what counts bytes or pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

Report = Callable[[int, int | None], None]
"""Called with the bytes that are there, and those in all where the server says."""


@contextmanager
def _bar(task: str, total: int | None, console: Console, *columns: ProgressColumn) -> Iterator[Report]:
    shown = Progress(TextColumn("{task.description}", markup=False), BarColumn(), *columns, console=console)
    with shown as progress:
        task_id = progress.add_task(task, total=total)
        yield lambda done, whole: progress.update(task_id, completed=done, total=whole)


@contextmanager
def byte_bar(task: str, console: Console) -> Iterator[Report]:
    columns = DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    with _bar(task, None, console, *columns) as report:
        yield report


@contextmanager
def counted(task: str, total: int | None, console: Console) -> Iterator[Callable[[int], None]]:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        report(done, total)

    with _bar(task, total, console, MofNCompleteColumn(), TimeRemainingColumn()) as report:
        yield advance
