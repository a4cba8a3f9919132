"""The engine, its few threads, and how a fault of the database becomes a DatabaseError.

SQLAlchemy's synchronous engine in a small pool of threads: both drivers then behave the same, and the
hot path never waits for it. A repository hands over a plain function that takes a Connection and runs
in one transaction.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, TimeoutError

from gateway.errors import ConfigurationError, DatabaseError
from gateway.settings import DatabaseSettings

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """One process's way to the database. Close it when the last transaction has been handed over."""

    def __init__(self, settings: DatabaseSettings) -> None:
        """Raises ConfigurationError for a URL that cannot work; connects only when first asked."""
        self.engine = make_engine(settings)
        self._reading = _of_one_moment(self.engine)
        self._threads = ThreadPoolExecutor(settings.connections, thread_name_prefix="database")

    async def read(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`work(connection, …)`, which only reads, in a transaction of its own in a thread; all that it reads
        is of one moment.

        Raises DatabaseError, or what `work` raises.
        """
        return await self._in_thread(self._reading, lambda connection: work(connection, *args, **kwargs))

    async def write(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same for work that writes: all of it is kept, or nothing."""
        return await self._in_thread(self.engine, lambda connection: work(connection, *args, **kwargs))

    async def _in_thread(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, transaction, engine, work)

    async def aclose(self) -> None:
        """Wait for the transactions that run, then close every connection."""
        await asyncio.to_thread(self._threads.shutdown)
        self.engine.dispose()


def _of_one_moment(engine: Engine) -> Engine:
    """The engine for transactions that only read. SQLite's see one moment in any case; PostgreSQL's otherwise
    see what others write between two statements."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    return engine.execution_options(is_reading=True)


def transaction(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction in this thread. Raises DatabaseError, or what `work` raises."""
    try:
        with engine.begin() as connection:
            return work(connection)
    except IntegrityError:  # a constraint that says no is an answer, not a fault
        raise
    except (DBAPIError, TimeoutError) as error:
        raise _translated(error) from error


def _translated(error: Exception) -> DatabaseError:
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()
    return DatabaseError(f"the database cannot be used now: {reason[0] if reason else type(error).__name__}")


def make_engine(settings: DatabaseSettings) -> Engine:
    """An engine for SQLite or PostgreSQL. Raises ConfigurationError."""
    try:
        url = make_url(settings.url)
    except ArgumentError as error:
        raise ConfigurationError(f"GATEWAY_DATABASE__URL is no database URL: {error}") from error
    kind = url.get_backend_name()
    if kind == "sqlite":
        return _sqlite(url, settings)
    if kind == "postgresql":
        return _postgresql(url, settings)
    raise ConfigurationError(f"GATEWAY_DATABASE__URL names {kind!r}; expected sqlite or postgresql")


def _sqlite(url: URL, settings: DatabaseSettings) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(
            "GATEWAY_DATABASE__URL names no file; expected for example sqlite:///data/gateway.sqlite3"
        )
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        connect_args={"timeout": settings.timeout_seconds, "check_same_thread": False},
        pool_size=settings.connections,
        max_overflow=0,
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: sqlite3.Connection, _: object) -> None:
    """Readers beside one writer (WAL), foreign keys, and transactions begun by us, not by the driver."""
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that will write says so at once: one that only finds out later cannot wait its turn."""
    is_reading = connection.get_execution_options().get("is_reading", False)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


def _postgresql(url: URL, settings: DatabaseSettings) -> Engine:
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=settings.connections,
            max_overflow=0,
            pool_timeout=settings.timeout_seconds,
            pool_pre_ping=True,
            connect_args=_postgresql_arguments(settings),
        )
    except (NoSuchModuleError, ImportError) as error:
        raise ConfigurationError(f"PostgreSQL needs the package psycopg: {error}") from error


def _postgresql_arguments(settings: DatabaseSettings) -> dict[str, Any]:
    milliseconds = int(settings.timeout_seconds * 1000)
    return {
        "connect_timeout": max(2, int(settings.timeout_seconds)),  # whole seconds; libpq takes 2 at least
        "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} -c timezone=UTC",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "tcp_user_timeout": milliseconds,
        "application_name": "rekindle-gateway",
    }
