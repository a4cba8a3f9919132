"""Shadow comparisons in SQL: counts that add up, and rows for the disagreements alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, and_, case, delete, func, select

from gateway.adapters.database.connection import Database
from gateway.adapters.database.history import MICROSECONDS_A_MINUTE
from gateway.adapters.database.inserting import insert_into
from gateway.adapters.database.tables import disagreements, predictions, shadows
from gateway.ports.shadows import Disagreement, ShadowCount, Verdicts

_KEYS = ("minute", "model", "stable", "shadow", "label", "shadow_label")
_SUMS = (
    *("comparisons", "difference_sum", "stable_milliseconds_sum", "shadow_milliseconds_sum"),
    "failures",
)


class SqlShadows:
    """A gateway.ports.shadows.ShadowStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, counts: Sequence[ShadowCount], differing: Sequence[Disagreement]) -> None:
        """Add the counts to what is there, and the disagreements."""
        if counts or differing:
            await self._database.write(_save, counts, differing)

    async def totals(self, model: str, shadow: int, since: int) -> list[ShadowCount]:
        """Summed over minutes and stable versions."""
        return await self._database.read(_totals, model, shadow, since)

    async def latest(self, model: str, shadow: int, limit: int) -> list[Disagreement]:
        """The newest disagreements."""
        return await self._database.read(_latest, model, shadow, limit)

    async def verdicts(self, model: str, shadow: int) -> Verdicts:
        """By the feedback on the predictions."""
        return await self._database.read(_verdicts, model, shadow)

    async def forget(self, before: int) -> None:
        """Delete what is older."""
        await self._database.write(_forget, before)


def _save(connection: Connection, counts: Sequence[ShadowCount], differing: Sequence[Disagreement]) -> None:
    if counts:
        statement = insert_into(connection, shadows)
        added = {name: shadows.c[name] + statement.excluded[name] for name in _SUMS}
        upsert = statement.on_conflict_do_update(index_elements=_KEYS, set_=added)
        connection.execute(upsert, [asdict(count) for count in counts])
    if differing:
        rows = [asdict(one) for one in differing]
        connection.execute(insert_into(connection, disagreements).on_conflict_do_nothing(), rows)


def _totals(connection: Connection, model: str, shadow: int, since: int) -> list[ShadowCount]:
    columns = shadows.c
    keys = (columns.label, columns.shadow_label)
    sums = [func.sum(columns[name]) for name in _SUMS]
    wanted = (columns.model == model, columns.shadow == shadow, columns.minute >= since)
    latest = func.max(columns.stable)
    query = select(latest, *keys, *sums).where(*wanted).group_by(*keys).order_by(*keys)
    return [_total(since, model, shadow, tuple(row)) for row in connection.execute(query)]


def _total(since: int, model: str, shadow: int, row: tuple[Any, ...]) -> ShadowCount:
    stable, label, shadow_label, comparisons, difference, stable_ms, shadow_ms, failures = row
    return ShadowCount(
        minute=since,
        model=model,
        stable=stable,
        shadow=shadow,
        label=label,
        shadow_label=shadow_label,
        comparisons=int(comparisons),
        difference_sum=float(difference),
        stable_milliseconds_sum=float(stable_ms),
        shadow_milliseconds_sum=float(shadow_ms),
        failures=int(failures),
    )


def _latest(connection: Connection, model: str, shadow: int, limit: int) -> list[Disagreement]:
    columns = disagreements.c
    query = select(disagreements).where(columns.model == model, columns.shadow == shadow)
    newest = query.order_by(columns.at.desc()).limit(limit)
    return [Disagreement(**row._mapping) for row in connection.execute(newest)]


def _verdicts(connection: Connection, model: str, shadow: int) -> Verdicts:
    columns, true = disagreements.c, predictions.c.feedback
    stable = func.sum(case((true == columns.label, 1), else_=0))
    other = func.sum(case((true == columns.shadow_label, 1), else_=0))
    neither = func.sum(case((and_(true != columns.label, true != columns.shadow_label), 1), else_=0))
    joined = disagreements.join(predictions, predictions.c.id == columns.prediction_id)
    wanted = (columns.model == model, columns.shadow == shadow, true.is_not(None))
    row = connection.execute(select(stable, other, neither).select_from(joined).where(*wanted)).one()
    return Verdicts(*(int(count or 0) for count in row))


def _forget(connection: Connection, before: int) -> None:
    connection.execute(delete(shadows).where(shadows.c.minute < before // MICROSECONDS_A_MINUTE))
    connection.execute(delete(disagreements).where(disagreements.c.at < before))
