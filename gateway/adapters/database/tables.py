"""Every table of the gateway, in one schema for SQLite and PostgreSQL. Migrations follow this file.

Moments are integers: microseconds since 1970 in UTC, which sort, compare and index the same everywhere.
What is only carried along is JSON. Rows are owned as gateway.ports says: predictions, feedback and the
audit log live here alone; runs and examples are an index of what lies on the volumes. Indexes of some rows
only are in partial_indexes.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

pictures = Table(
    "pictures",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("extension", String(8), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("stored_at", BigInteger, nullable=False, index=True),
)
"""Pictures of the history, each once; the file lies in the picture store under its hash."""

predictions = Table(
    "predictions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("model", String(63), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("role", String(16), nullable=False),  # stable, canary, or named by the caller
    Column("label", String(255), nullable=False),
    Column("score", Float, nullable=False),
    Column("margin", Float, nullable=False),  # best score minus second best
    Column("entropy", Float, nullable=False),  # in nats, of all scores
    Column("classifications", JSON, nullable=False),
    Column("filename", String(255)),
    Column("caller", String(128), nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("milliseconds", Float, nullable=False),
    Column("picture", String(64), ForeignKey("pictures.sha256", ondelete="SET NULL")),
    Column("feedback", String(255)),
    Column("feedback_at", BigInteger),
    Column("feedback_by", String(128)),
    Column("skipped_at", BigInteger),  # put aside in the labelling queue
    Column("skipped_by", String(128)),
    Index("ix_predictions_at_id", "at", "id"),
    Index("ix_predictions_model_at_id", "model", "at", "id"),
    Index("ix_predictions_model_version_at_id", "model", "version", "at", "id"),
    Index("ix_predictions_model_label_at_id", "model", "label", "at", "id"),
    Index("ix_predictions_picture", "picture"),
)

minutes = Table(
    "minutes",
    metadata,
    Column("minute", BigInteger, primary_key=True),  # minutes since 1970, UTC
    Column("model", String(63), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("label", String(255), primary_key=True),
    Column("predictions", BigInteger, nullable=False),
    Column("score_sum", Float, nullable=False),
    Column("milliseconds_sum", Float, nullable=False),
)
"""Roll-ups of the predictions: what charts and statistics read instead of millions of rows."""

activity = Table(
    "activity",
    metadata,
    Column("resolution", String(6), primary_key=True),  # minute, hour
    Column("at", BigInteger, primary_key=True),  # seconds since 1970, UTC
    Column("source", String(128), primary_key=True),  # the process, which alone writes this row
    Column("answered", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("latencies", JSON, nullable=False),
)
"""How prediction requests ended; the bounds of the latencies are gateway.statistics.latencies'."""

examples = Table(
    "examples",
    metadata,
    Column("dataset", String(63), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("split", String(10), nullable=False),
    Column("label", String(255), nullable=False),
    Column("extension", String(8), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("source", String(16), nullable=False),  # upload, import, feedback, index
    Column("caller", String(128), nullable=False),
    Index("ix_examples_dataset_split_label_sha256", "dataset", "split", "label", "sha256"),
    Index("ix_examples_dataset_label_sha256", "dataset", "label", "sha256"),
)
"""An index of the dataset store; `python -m gateway reindex` makes it again from the files."""

imports = Table(
    "imports",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("dataset", String(63), nullable=False),
    Column("state", String(16), nullable=False),  # queued, running, succeeded, failed, cancelled
    Column("caller", String(128), nullable=False),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("finished_at", BigInteger),
    Column("progress", JSON, nullable=False),
    Column("report", JSON, nullable=False),  # of the first files; lists leave it out
    Column("error", Text),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("model", String(63), nullable=False),
    Column("state", String(16), nullable=False),
    Column("launcher", String(16), nullable=False),
    Column("spec", JSON, nullable=False),
    Column("caller", String(128), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("version", BigInteger),
    Column("accuracy", Float),
    Column("error", JSON),
    Column("reference", Text),  # the launcher's own name for it: a process id, a Job
    Index("ix_runs_created_at", "created_at", "id"),
    Index("ix_runs_model_created_at", "model", "created_at", "id"),
)
"""Training runs; a partial index is the guard that a model has one active run at most."""

schedules = Table(
    "schedules",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("model", String(63), nullable=False),
    Column("cron", String(128), nullable=False),
    Column("spec", JSON, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("caller", String(128), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("next_at", BigInteger, index=True),
    Column("last_at", BigInteger),
    Column("last_outcome", Text),
)

audit = Table(
    "audit",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("caller", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("target", String(255), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("reason", Text),
    Column("request_id", String(128), nullable=False),
    Index("ix_audit_at_id", "at", "id"),
)

shadows = Table(
    "shadows",
    metadata,
    Column("minute", BigInteger, primary_key=True),
    Column("model", String(63), primary_key=True),
    Column("stable", BigInteger, primary_key=True),
    Column("shadow", BigInteger, primary_key=True),
    Column("label", String(255), primary_key=True),  # stable's answer
    Column("shadow_label", String(255), primary_key=True),  # the shadow's
    Column("comparisons", BigInteger, nullable=False),
    Column("difference_sum", Float, nullable=False),  # of |score − score'| of stable's label
    Column("stable_milliseconds_sum", Float, nullable=False),
    Column("shadow_milliseconds_sum", Float, nullable=False),
    Column("failures", BigInteger, nullable=False),
)
"""Answers of a shadow version beside those of stable, counted a minute."""

disagreements = Table(
    "disagreements",
    metadata,
    Column("prediction_id", String(32), primary_key=True),
    Column("shadow", BigInteger, primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("model", String(63), nullable=False),
    Column("stable", BigInteger, nullable=False),
    Column("label", String(255), nullable=False),
    Column("score", Float, nullable=False),
    Column("shadow_label", String(255), nullable=False),
    Column("shadow_score", Float, nullable=False),
    Index("ix_disagreements_model_shadow_at", "model", "shadow", "at"),
)
"""The predictions that a shadow version answered otherwise."""

canary_evidence = Table(
    "canary_evidence",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("model", String(63), nullable=False),
    Column("stable", BigInteger, nullable=False),
    Column("canary", BigInteger, nullable=False),
    Column("blocks", JSON, nullable=False),
    Index("ix_canary_evidence_arms", "model", "stable", "canary"),
)
"""What each gateway saw of a canary and of stable; a row is deleted when it is folded into the trial."""

canary_trials = Table(
    "canary_trials",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("model", String(63), nullable=False),
    Column("stable", BigInteger, nullable=False),
    Column("canary", BigInteger, nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("ended_at", BigInteger),
    Column("watched_seconds", Float, nullable=False),
    Column("state", JSON),
    Column("decision", JSON),
    Index("ix_canary_trials_model_began_at", "model", "began_at"),
)

drift_blocks = Table(
    "drift_blocks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("model", String(63), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("sums", JSON, nullable=False),
    Index("ix_drift_blocks_model_version_at", "model", "version", "at"),
)
"""Sums over some predictions of one gateway; a row is deleted when it is folded into a window."""

drift_states = Table(
    "drift_states",
    metadata,
    Column("model", String(63), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("sums", JSON, nullable=False),  # of the window that fills
    Column("is_alarmed", Boolean, nullable=False),
    Column("since", BigInteger),
    Column("calm_windows", BigInteger, nullable=False),
)

drift_windows = Table(
    "drift_windows",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("model", String(63), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("predictions", BigInteger, nullable=False),
    Column("score", Float, nullable=False),
    Column("parts", JSON, nullable=False),
    Index("ix_drift_windows_model_at", "model", "at"),
)
"""The scores of the windows that are full."""

leases = Table(
    "leases",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("holder", String(128), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
"""Who may do what only one process may: move rollouts, start scheduled runs, delete what is old."""
