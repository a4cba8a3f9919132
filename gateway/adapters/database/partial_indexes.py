"""Indexes of some rows of a table, apart from the tables; importing this adds them to the schema.

To state a condition loads every dialect that it is stated for, PostgreSQL's in a gateway on SQLite too.
The database knows its indexes; only migrations ask for them here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, text

from gateway.adapters.database.tables import canary_trials, predictions, runs

_WAITS = "feedback IS NULL AND skipped_at IS NULL AND picture IS NOT NULL"


def _index(name: str, *columns: Column[Any], where: str, is_unique: bool = False) -> None:
    Index(name, *columns, unique=is_unique, sqlite_where=text(where), postgresql_where=text(where))


_index("ix_predictions_entropy", predictions.c.model, predictions.c.entropy, where=_WAITS)
_index("ix_predictions_margin", predictions.c.model, predictions.c.margin, where=_WAITS)
_index(
    "ix_predictions_feedback",
    *(predictions.c[name] for name in ("model", "version", "feedback", "label")),
    where="feedback IS NOT NULL",
)
_index("uq_runs_one_active_a_model", runs.c.model, where="state IN ('queued', 'running')", is_unique=True)
_index(
    "uq_canary_trials_one_running_a_model",
    canary_trials.c.model,
    where="outcome = 'running'",
    is_unique=True,
)
