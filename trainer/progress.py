"""What a run tells while it lasts: progress.jsonl for programs, a progress bar for people.

Also the one place where a request to stop is noticed, since whoever reports progress often enough can
be stopped in time.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from contract.layout import RunPaths
from contract.training import ProgressEvent
from trainer.errors import CancelledError

_REQUESTS_TO_STOP = (signal.SIGTERM, signal.SIGINT)


def read_events(paths: RunPaths) -> list[ProgressEvent]:
    """The events written so far; a line that a kill cut off is left out."""
    events = []
    for line in paths.progress.read_bytes().splitlines() if paths.progress.exists() else []:
        with suppress(ValidationError):
            events.append(ProgressEvent.model_validate_json(line))
    return events


class Reporter:
    """Appends events, draws the bar, raises CancelledError once somebody asked the run to stop."""

    def __init__(self, paths: RunPaths, console: Console | None = None) -> None:
        self._paths = paths
        self._is_stopped = False
        self._is_first_write = True
        self._console = console or Console(file=sys.stderr)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None, note="")

    def stop(self) -> None:
        """Ask the run to end at the next check."""
        self._is_stopped = True

    def check(self) -> None:
        """Raise CancelledError if the run was asked to stop."""
        if self._is_stopped or self._paths.cancel.exists():
            raise CancelledError("the run was asked to stop; run it again to go on from its last epoch")

    def event(self, event: ProgressEvent) -> None:
        """Append one line to progress.jsonl and say it on a console that has no bar."""
        with self._paths.progress.open("ab") as file:
            if file.tell() and self._is_first_write:
                file.write(b"\n")  # a kill may have cut the last line off
            file.write(event.model_dump_json(exclude_defaults=True).encode() + b"\n")
        self._is_first_write = False
        if event.message:
            said = Text.assemble((event.phase, "dim"), " ", event.message)
            self._console.print(said, soft_wrap=True)  # a log has lines, not a width

    def tick(self, what: str, done: int, total: int, note: str = "") -> None:
        """Move the bar, and notice a request to stop."""
        self._bar.update(self._task, description=what, completed=done, total=total, note=note)
        self.check()

    def counter(self, what: str) -> Callable[[int, int], None]:
        """A (done, total) callback that moves the bar."""
        return lambda done, total: self.tick(what, done, total)

    def take_signals(self) -> None:
        """Again where others may have taken them: TensorFlow does when it joins a cluster of workers."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            self.stop()

        for number in _REQUESTS_TO_STOP:
            signal.signal(number, on_signal)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Show the bar, and take SIGTERM and Ctrl-C as requests to stop."""
        previous = {number: signal.getsignal(number) for number in _REQUESTS_TO_STOP}
        self.take_signals()
        try:
            with self._bar:
                yield
        finally:
            for number, action in previous.items():
                signal.signal(number, _as_action(action))


def _as_action(action: Any) -> Any:
    """What signal.getsignal gave, as signal.signal takes it: None means that C code had installed it."""
    return signal.SIG_DFL if action is None else action
