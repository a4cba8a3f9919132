"""What the supervisor shows on the terminal: its own sentences, the children's lines, a line of progress."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from rich.console import Console as RichConsole
from rich.text import Text

STYLES = ("cyan", "magenta", "green", "yellow")
NAME_WIDTH = 12


class Console:
    """One writer for several threads: rich serialises what they print, also beside a progress line."""

    def __init__(self, rich: RichConsole | None = None) -> None:
        self._rich = rich or RichConsole(highlight=False, soft_wrap=True)
        self._styles: dict[str, str] = {}

    def say(self, sentence: str) -> None:
        """A sentence of the supervisor's own."""
        self._rich.print(Text(sentence), soft_wrap=True)

    def child_line(self, name: str, line: str) -> None:
        """A line that a child wrote, marked with its name; its own colours are kept."""
        style = self._styles.setdefault(name, STYLES[len(self._styles) % len(STYLES)])
        marked = Text.assemble((f"{name:<{NAME_WIDTH}} │ ", style), Text.from_ansi(line))
        self._rich.print(marked, soft_wrap=True)

    def progress(self, what: str) -> AbstractContextManager[object]:
        """A line with a spinner on a terminal; elsewhere the sentence once."""
        if self._rich.is_terminal:
            return self._rich.status(what)
        self.say(what)
        return nullcontext()
