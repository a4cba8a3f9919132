"""Fixtures of the gateway's tests: a model store, model servers, and a gateway on a real socket."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_fakes import FakeModelServer, publish
from gateway_harness import RunningGateway, StartGateway, running_gateway
from sqlalchemy import text

from gateway.adapters.database.connection import make_engine
from gateway.adapters.database.migration import migrate
from gateway.adapters.database.tables import metadata
from gateway.settings import DatabaseSettings, Settings
from load_tests.processes.postgresql import PostgreSQL, binaries, settled_port


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """asyncio is the only loop that the gateway runs on."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
async def _one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """Holds one event loop for all tests: gRPC may call into a loop after its last channel was closed."""
    yield  # noqa: PT022  a generator keeps the loop until the end of the session


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own GATEWAY_ variables do not reach the tests."""
    for name in list(os.environ):
        if name.upper().startswith("GATEWAY_"):
            monkeypatch.delenv(name)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A model store with version 1 of the model `shades`."""
    root = tmp_path / "models"
    publish(root, 1)
    return root


@pytest.fixture
def start_model_server() -> Iterator[Callable[..., FakeModelServer]]:
    """Starts model servers, and stops them after the test."""
    servers: list[FakeModelServer] = []

    def start(**options: Any) -> FakeModelServer:
        servers.append(FakeModelServer(**options).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def model_server(start_model_server: Callable[..., FakeModelServer]) -> FakeModelServer:
    """One model server that holds version 1 of `shades`."""
    return start_model_server()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the newest schema and no rows."""
    path = tmp_path_factory.mktemp("database") / "empty.sqlite3"
    migrate(DatabaseSettings(url=f"sqlite:///{path}"))
    return path


@pytest.fixture
def fresh_database(migrated: Path) -> Callable[[Path], str]:
    """Makes an empty, migrated SQLite database in a folder unless there is one; gives its URL."""

    def make(folder: Path) -> str:
        path = folder / "gateway.sqlite3"
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            shutil.copyfile(migrated, path)
        return f"sqlite:///{path}"

    return make


@pytest.fixture
async def start_gateway(store: Path, fresh_database: Callable[[Path], str]) -> AsyncIterator[StartGateway]:
    """Starts gateways on the model store; settings of the groups are given as keyword dictionaries."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            *servers: FakeModelServer, is_ready: bool = True, **groups: dict[str, Any]
        ) -> RunningGateway:
            targets = [server.address for server in servers] or ["127.0.0.1:1"]
            # One call at a time, so that a held call holds its replica.
            predictor = {"targets": targets, "in_flight_per_replica": 1} | groups.pop("predictor", {})
            data = store.parent / "data"
            stores = {"models": store, "data": data, "pictures": data / ".history"}
            stores |= {"runs": store.parent / "runs"} | groups.pop("stores", {})
            database = {"url": fresh_database(data)} | groups.pop("database", {})
            rollout = {"poll_seconds": 0.05} | groups.pop("rollout", {})
            history = {"flush_seconds": 0.01} | groups.pop("history", {})
            settings = Settings(
                predictor=predictor,
                stores=stores,
                rollout=rollout,
                database=database,
                history=history,
                **groups,
            )
            return await stack.enter_async_context(running_gateway(settings, is_ready=is_ready))

        yield start


@pytest.fixture
async def gateway(start_gateway: StartGateway, model_server: FakeModelServer) -> RunningGateway:
    """A gateway before one model server, ready to predict."""
    return await start_gateway(model_server)


REQUIRED = os.environ.get("REKINDLE_REQUIRE_ALL_TESTS") == "1"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A running PostgreSQL, shared by the session.

    Not in pytest's own folder: a second pytest that starts closes that to the user `postgres`.
    """
    if binaries() is None and not REQUIRED:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="rekindle-postgresql-") as folder:
        server = PostgreSQL(Path(folder), settled_port()).start()
        yield server
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings of each database in turn, with the schema and no rows."""
    if request.param == "sqlite":
        return {}
    server: PostgreSQL = request.getfixturevalue("postgresql")
    settings = DatabaseSettings(url=server.url)
    migrate(settings)
    engine = make_engine(settings)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)}"))
    engine.dispose()
    return {"url": server.url}
