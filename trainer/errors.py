"""How a training run can end other than well.

TrainerError            the sentence a person reads
├── DataError           the dataset cannot be trained on as it is
├── ParentError         the version to start from, or to compare with, cannot be used
├── DivergedError       the network's answers are no numbers any more
├── BusyError           another process works on this run
└── CancelledError      somebody asked the run to stop
"""

from __future__ import annotations


class TrainerError(Exception):
    """A stated end of a run; `code` is for programs, the message for people."""

    code = "training_failed"


class DataError(TrainerError):
    """The dataset cannot be trained on as it is; the message says what to change."""

    code = "data_unusable"


class ParentError(TrainerError):
    """The version to start from, or to compare with, cannot be used."""

    code = "parent_unusable"


class DivergedError(TrainerError):
    """The network's weights or answers are not finite."""

    code = "diverged"


class CancelledError(TrainerError):
    """Somebody asked the run to stop, by SIGTERM or by the run's `cancel` file."""

    code = "cancelled"


class BusyError(TrainerError):
    """Another process works on this run, and will end it."""

    code = "busy"


BUSY_EXIT_CODE = 75
"""Of the command line, by which `trainer watch` tells it from a failure; sysexits.h calls it TEMPFAIL."""
