"""SIGTERM and SIGINT, taken by a thread of their own.

A handler would run between any two lines of the main thread, locks held; `sigwait` in a thread does not.
"""

from __future__ import annotations

import logging
import os
import signal
import threading

log = logging.getLogger(__name__)

_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})


class StopRequest:
    """Becomes set by the first signal; a second one ends the process at once."""

    def __init__(self) -> None:
        """Block the signals in this thread and all that it starts: call it first, in the main thread."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        self._event = threading.Event()
        self._has_begun = False
        threading.Thread(target=self._run, name="signals", daemon=True).start()

    def begin(self) -> None:
        """From now on there is something to drain; before, the first signal ends the process at once."""
        self._has_begun = True

    def is_set(self) -> bool:
        """Whether the process was asked to stop."""
        return self._event.is_set()

    def wait(self) -> None:
        """Wait for a signal."""
        self._event.wait()

    def _run(self) -> None:
        name = signal.Signals(signal.sigwait(_SIGNALS)).name
        if not self._has_begun:
            os._exit(0)
        log.info("stopping: no new calls, the running ones may end", extra={"signal": name})
        self._event.set()
        name = signal.Signals(signal.sigwait(_SIGNALS)).name
        log.warning("stopping at once", extra={"signal": name})
        logging.shutdown()
        os._exit(1)
