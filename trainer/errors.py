"""How a training run can end other than well.

TrainerError            the sentence a person reads
├── DataError           the dataset cannot be trained on as it is
└── CancelledError      somebody asked the run to stop
"""

from __future__ import annotations


class TrainerError(Exception):
    """A stated end of a run; `code` is for programs, the message for people."""

    code = "training_failed"


class DataError(TrainerError):
    """The dataset cannot be trained on as it is; the message says what to change."""

    code = "data_unusable"


class CancelledError(TrainerError):
    """Somebody asked the run to stop, by SIGTERM or by the run's `cancel` file."""

    code = "cancelled"
