"""How the process writes its log."""

from __future__ import annotations

from typing import Literal

from gateway.settings.base import Group


class LogSettings(Group):
    """The log, on stderr."""

    format: Literal["console", "json"] = "console"
    """`console`: `time level logger message key=value …`; `json`: an object a line, for log collectors."""
    level: Literal["debug", "info", "warning", "error"] = "info"
