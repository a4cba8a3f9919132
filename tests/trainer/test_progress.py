"""What a run says while it lasts."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from contract.layout import RunPaths
from contract.training import ProgressEvent
from trainer.progress import Reporter, read_events


def test_each_event_is_one_line_of_the_log_as_it_is(tmp_path: Path) -> None:
    """However long it is, and with brackets that a console could take for its markup."""
    paths = RunPaths(tmp_path, "run")
    paths.root.mkdir(parents=True)
    file = io.StringIO()
    reporter = Reporter(paths, Console(file=file, width=80))
    message = f"class [red] has {'no ' * 40}pictures"
    event = ProgressEvent(at=datetime.now(UTC), phase="load", message=message)
    reporter.event(event)
    assert file.getvalue() == f"load {message}\n"
    assert read_events(paths) == [event]
