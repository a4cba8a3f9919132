"""What a worker does that is not the chief: the same data, the same fit, and nothing else.

It writes no file of the run. The chief's result is the run's; when the chief goes away, so does the fit.
"""

from __future__ import annotations

import logging

import tensorflow as tf

from contract.layout import CARD, RunPaths
from contract.training import ProgressEvent
from trainer.errors import CancelledError, TrainerError
from trainer.progress import Reporter
from trainer.run import finished, fitted_candidate
from trainer.spec import read_spec

log = logging.getLogger(__name__)
CANCELLED_EXIT_CODE = 143
"""As of the chief's process, and of one that SIGTERM ends."""


class _Listener(Reporter):
    """Says what happens here, and leaves progress.jsonl to the chief."""

    def event(self, event: ProgressEvent) -> None:
        """Log the event."""
        log.info("%s: %s", event.phase, event.message)


def assist(paths: RunPaths) -> int:
    """Take part in the fit of the run, unless it has been done; the exit status. Raises TrainerError."""
    if finished(paths) is not None or (paths.candidate / CARD).exists():
        log.info("run %s needs no further fit", paths.run_id)
        return 0
    spec, listener = read_spec(paths), _Listener(paths)
    try:
        with listener.running():
            fitted_candidate(spec, paths, listener)
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError) as error:
        raise TrainerError(f"another worker of the run went away: {error.message}") from error
    except CancelledError:
        return CANCELLED_EXIT_CODE
    return 0
