"""Drift in SQL: blocks are folded into windows and deleted in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from gateway.adapters.database.connection import Database
from gateway.adapters.database.inserting import insert_into
from gateway.adapters.database.tables import drift_blocks, drift_states, drift_windows
from gateway.ports.drift import Block, DriftState, Fold, Sums, Window

_AT_ONCE = 400


class SqlDrift:
    """A gateway.ports.drift.DriftStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, blocks: Sequence[Block]) -> None:
        """Keep blocks."""
        await self._database.write(_save, blocks)

    async def take(self, model: str, version: int, fold: Fold) -> tuple[DriftState, Sequence[Window]]:
        """Fold the blocks that wait into the state."""
        if not await self._database.read(_waits, model, version):  # the usual second: nothing to lock
            return fold(await self.state(model, version), ())
        return await self._database.write(_take, model, version, fold)

    async def state(self, model: str, version: int) -> DriftState:
        """As it was left."""
        return await self._database.read(_state, model, version)

    async def standing(self, model: str, version: int, limit: int) -> tuple[DriftState, list[Window]]:
        """The state, and the newest windows, newest first, of one moment."""
        return await self._database.read(_standing, model, version, limit)

    async def forget(self, before: int) -> None:
        """Delete what is older."""
        await self._database.write(_forget, before)


def _save(connection: Connection, blocks: Sequence[Block]) -> None:
    values = [
        {"id": one.id, "at": one.at, "model": one.model, "version": one.version, "sums": one.sums.as_json()}
        for one in blocks
    ]
    connection.execute(insert_into(connection, drift_blocks).on_conflict_do_nothing(), values)


def _waits(connection: Connection, model: str, version: int) -> bool:
    columns = drift_blocks.c
    query = select(columns.id).where(columns.model == model, columns.version == version).limit(1)
    return connection.execute(query).one_or_none() is not None


def _take(
    connection: Connection, model: str, version: int, fold: Fold
) -> tuple[DriftState, Sequence[Window]]:
    """The row of the state is locked first, so that a second taker waits and then finds nothing left."""
    empty = DriftState(model, version)
    connection.execute(insert_into(connection, drift_states).values(_values(empty)).on_conflict_do_nothing())
    columns = drift_states.c
    own = (columns.model == model, columns.version == version)
    state = _state_of(connection.execute(select(drift_states).where(*own).with_for_update()).one())
    blocks = _blocks(connection, model, version)
    after, windows = fold(state, blocks)
    connection.execute(drift_states.update().where(*own).values(_values(after)))
    if windows:
        connection.execute(insert(drift_windows), [asdict(window) for window in windows])
    gone = drift_blocks.c.id.in_([block.id for block in blocks])
    connection.execute(delete(drift_blocks).where(gone))
    return after, windows


def _blocks(connection: Connection, model: str, version: int) -> list[Block]:
    columns = drift_blocks.c
    waiting = select(drift_blocks).where(columns.model == model, columns.version == version)
    oldest = waiting.order_by(columns.at, columns.id).limit(_AT_ONCE)
    return [
        Block(row.id, row.at, row.model, row.version, Sums(**row.sums)) for row in connection.execute(oldest)
    ]


def _state(connection: Connection, model: str, version: int) -> DriftState:
    columns = drift_states.c
    query = select(drift_states).where(columns.model == model, columns.version == version)
    found = connection.execute(query).one_or_none()
    return _state_of(found) if found else DriftState(model, version)


def _state_of(row: Row[Any]) -> DriftState:
    values = dict(row._mapping)
    return DriftState(**values | {"sums": Sums(**values["sums"])})


def _values(state: DriftState) -> dict[str, Any]:
    values = {name: getattr(state, name) for name in DriftState.__dataclass_fields__}
    return values | {"sums": state.sums.as_json()}


def _standing(
    connection: Connection, model: str, version: int, limit: int
) -> tuple[DriftState, list[Window]]:
    return _state(connection, model, version), _windows(connection, model, version, limit)


def _windows(connection: Connection, model: str, version: int, limit: int) -> list[Window]:
    columns = drift_windows.c
    query = select(drift_windows).where(columns.model == model, columns.version == version)
    newest = query.order_by(columns.at.desc(), columns.id.desc()).limit(limit)
    return [Window(**row._mapping) for row in connection.execute(newest)]


def _forget(connection: Connection, before: int) -> None:
    connection.execute(delete(drift_windows).where(drift_windows.c.at < before))
    connection.execute(delete(drift_blocks).where(drift_blocks.c.at < before))
