"""Bring the database to the schema of this version, whoever else tries the same at the same moment.

Whether anything is to be done is one plain query; only then Alembic is imported, and in `migrated_child`
in a process of its own, because it costs 20 MB that a gateway would keep for ever.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from gateway.adapters.database.connection import make_engine, transaction
from gateway.errors import ConfigurationError, DatabaseError
from gateway.settings import DatabaseSettings

HEAD = "0002"
"""The newest revision in gateway/migrations; a test compares."""

ADVISORY_LOCK = 7_310_579_113
"""PostgreSQL's lock under which one gateway migrates and the others wait; a number that nobody else uses."""

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "migrations"


def revision(settings: DatabaseSettings) -> str | None:
    """The revision that the database has; None for an empty one. Raises DatabaseError."""
    engine = make_engine(settings)
    try:
        return transaction(engine.execution_options(is_reading=True), _revision)
    finally:
        engine.dispose()


def _revision(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def migrate(settings: DatabaseSettings) -> str:
    """Upgrade to HEAD in this process; returns it. Raises DatabaseError, ConfigurationError."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # it names each of its plugins
    engine = make_engine(settings)
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))

    def upgrade(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":  # SQLite's BEGIN IMMEDIATE is such a lock already
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    try:
        transaction(engine, upgrade)
    except CommandError as error:
        raise ConfigurationError(
            f"the database was made by a newer version of the gateway ({error}); "
            "use that version, or another database"
        ) from error
    except DBAPIError as error:
        raise DatabaseError(f"the database cannot be migrated: {error.orig}") from error
    finally:
        engine.dispose()
    return HEAD


def migrate_if_needed(settings: DatabaseSettings) -> None:
    """Do nothing, or migrate in a child process. Raises DatabaseError with what the child said."""
    if revision(settings) == HEAD:
        return
    command = [sys.executable, "-m", "gateway", "migrate"]
    environment = {**os.environ, "GATEWAY_DATABASE__URL": settings.url}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
    if ended.returncode:
        raise DatabaseError(f"the database cannot be migrated: {ended.stderr.strip()[-500:]}")
