"""The prediction history in SQL: appended in batches, read by key ranges, summed up in roll-ups.

Pages are cut by (at, id) and never by OFFSET, so that the millionth row costs what the first does; each
filter that people use has an index that ends in that pair.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json
from sqlalchemy import (
    Column,
    Connection,
    Row,
    Select,
    and_,
    case,
    delete,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from contract.values import now
from gateway.adapters.database.connection import Database
from gateway.adapters.database.inserting import insert_into, insert_rows
from gateway.adapters.database.tables import minutes, pictures, predictions
from gateway.ports.history import (
    Cursor,
    HistoryFilter,
    MinuteRow,
    PictureFile,
    PredictionRow,
    VersionAccuracy,
)

MICROSECONDS_A_MINUTE = 60_000_000
_FIELDS = PredictionRow._fields
_JSON = _FIELDS.index("classifications")


def shown_columns() -> list[Column[Any]]:
    """The columns that a PredictionRow has."""
    return [predictions.c[name] for name in _FIELDS]


class SqlHistory:
    """A gateway.ports.history.History."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, rows: Sequence[PredictionRow], files: Sequence[PictureFile]) -> None:
        """Insert pictures and predictions and add to the roll-ups, all in one transaction."""
        try:
            await self._database.write(_append, rows, files)
        except IntegrityError:  # some are there already
            await self._database.write(_append_new, rows, files)

    async def page(self, wanted: HistoryFilter, after: Cursor | None, limit: int) -> list[PredictionRow]:
        """The newest predictions that match, behind the cursor."""
        return await self._database.read(_page, wanted, after, limit)

    async def find(self, prediction_id: str) -> PredictionRow | None:
        """One prediction, or None."""
        return await self._database.read(_find, prediction_id)

    async def give_feedback(self, prediction_id: str, label: str | None, caller: str) -> PredictionRow | None:
        """Set or take back the true label."""
        return await self._database.write(_give_feedback, prediction_id, label, caller)

    async def extension_of(self, sha256: str) -> str | None:
        """The extension of a kept picture, or None."""
        return await self._database.read(_extension_of, sha256)

    async def accuracies(self, model: str | None) -> list[VersionAccuracy]:
        """Accuracy by feedback for each version that has any."""
        return await self._database.read(_accuracies, model)

    async def totals(self, model: str | None, since: int, until: int) -> list[MinuteRow]:
        """Roll-ups of some minutes, summed over them."""
        return await self._database.read(_totals, model, since, until)

    async def forget(self, before: int, limit: int) -> int:
        """Delete predictions older than `before` that have no feedback."""
        return await self._database.write(_forget, before, limit)

    async def surplus_pictures(self, keep_bytes: int, limit: int) -> list[tuple[str, str]]:
        """The oldest pictures beyond `keep_bytes`, and those that no prediction refers to."""
        return await self._database.read(_surplus_pictures, keep_bytes, limit)

    async def forget_pictures(self, hashes: Sequence[str]) -> None:
        """Delete the rows of pictures."""
        await self._database.write(_forget_pictures, hashes)


def _append(connection: Connection, rows: Sequence[PredictionRow], files: Sequence[PictureFile]) -> None:
    stored_at = microseconds_now()
    if files:
        kept = [
            {"sha256": f.sha256, "extension": f.extension, "bytes": len(f.content), "stored_at": stored_at}
            for f in {file.sha256: file for file in files}.values()
        ]
        connection.execute(insert_into(connection, pictures).on_conflict_do_nothing(), kept)
    if rows:
        insert_rows(connection, predictions, _FIELDS, [_as_stored(row) for row in rows])
        _roll_up(connection, rows)


def _as_stored(row: PredictionRow) -> Sequence[Any]:
    return *row[:_JSON], to_json(row[_JSON]).decode(), *row[_JSON + 1 :]


def _append_new(connection: Connection, rows: Sequence[PredictionRow], files: Sequence[PictureFile]) -> None:
    _append(connection, _without_known(connection, rows), files)


def _without_known(connection: Connection, rows: Sequence[PredictionRow]) -> list[PredictionRow]:
    """A batch whose fate was unknown is written again; what is there already must not count twice."""
    known: set[str] = set()
    ids = [row.id for row in rows]
    for start in range(0, len(ids), 500):
        chunk = predictions.c.id.in_(ids[start : start + 500])
        known.update(connection.execute(select(predictions.c.id).where(chunk)).scalars())
    return [row for row in rows if row.id not in known]


def _roll_up(connection: Connection, rows: Sequence[PredictionRow]) -> None:
    sums: dict[tuple[int, str, int, str], list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    for row in rows:
        entry = sums[(row.at // MICROSECONDS_A_MINUTE, row.model, row.version, row.label)]
        entry[0] += 1
        entry[1] += row.score
        entry[2] += row.milliseconds
    names = ("predictions", "score_sum", "milliseconds_sum")
    keys = ("minute", "model", "version", "label")
    statement = insert_into(connection, minutes)
    added = {name: minutes.c[name] + statement.excluded[name] for name in names}
    values = [dict(zip(keys + names, (*key, *entry), strict=True)) for key, entry in sorted(sums.items())]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=added), values)


def _conditions(wanted: HistoryFilter) -> list[Any]:
    columns = predictions.c
    equal = {
        columns.model: wanted.model,
        columns.version: wanted.version,
        columns.label: wanted.label,
        columns.caller: wanted.caller,
    }
    conditions: list[Any] = [column == value for column, value in equal.items() if value is not None]
    if wanted.min_score is not None:
        conditions.append(columns.score >= wanted.min_score)
    if wanted.max_score is not None:
        conditions.append(columns.score <= wanted.max_score)
    if wanted.since is not None:
        conditions.append(columns.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(columns.at < wanted.until)
    if wanted.feedback is not None:
        conditions.append(
            {
                "given": columns.feedback.is_not(None),
                "missing": columns.feedback.is_(None),
                "right": columns.feedback == columns.label,
                "wrong": and_(columns.feedback.is_not(None), columns.feedback != columns.label),
            }[wanted.feedback]
        )
    return conditions


def page_query(wanted: HistoryFilter, after: Cursor | None, limit: int) -> Select[Any]:
    """The SELECT of one page."""
    query = select(*shown_columns()).where(*_conditions(wanted))
    if after is not None:
        query = query.where(tuple_(predictions.c.at, predictions.c.id) < after)
    return query.order_by(predictions.c.at.desc(), predictions.c.id.desc()).limit(limit)


def _page(
    connection: Connection, wanted: HistoryFilter, after: Cursor | None, limit: int
) -> list[PredictionRow]:
    return [row_of(row) for row in connection.execute(page_query(wanted, after, limit))]


def _find(connection: Connection, prediction_id: str) -> PredictionRow | None:
    found = connection.execute(
        select(*shown_columns()).where(predictions.c.id == prediction_id)
    ).one_or_none()
    return row_of(found) if found else None


def _give_feedback(
    connection: Connection, prediction_id: str, label: str | None, caller: str
) -> PredictionRow | None:
    given = {"feedback": label, "feedback_at": microseconds_now(), "feedback_by": caller}
    values = given if label is not None else dict.fromkeys(given)
    connection.execute(update(predictions).where(predictions.c.id == prediction_id).values(values))
    return _find(connection, prediction_id)


def _extension_of(connection: Connection, sha256: str) -> str | None:
    query = select(pictures.c.extension).where(pictures.c.sha256 == sha256)
    return connection.execute(query).scalar_one_or_none()


def _accuracies(connection: Connection, model: str | None) -> list[VersionAccuracy]:
    columns = predictions.c
    right = func.sum(case((columns.feedback == columns.label, 1), else_=0))
    query = select(columns.model, columns.version, func.count(), right).where(columns.feedback.is_not(None))
    if model is not None:
        query = query.where(columns.model == model)
    grouped = query.group_by(columns.model, columns.version).order_by(columns.model, columns.version)
    return [VersionAccuracy(row[0], row[1], row[2], int(row[3])) for row in connection.execute(grouped)]


def _totals(connection: Connection, model: str | None, since: int, until: int) -> list[MinuteRow]:
    columns = minutes.c
    keys = (columns.model, columns.version, columns.label)
    sums = [func.sum(columns[name]) for name in ("predictions", "score_sum", "milliseconds_sum")]
    query = select(*keys, *sums).where(columns.minute >= since, columns.minute < until)
    if model is not None:
        query = query.where(columns.model == model)
    found = connection.execute(query.group_by(*keys).order_by(*keys))
    return [
        MinuteRow(since, model, version, label, int(count), float(scores), float(milliseconds))
        for model, version, label, count, scores, milliseconds in found
    ]


def _forget(connection: Connection, before: int, limit: int) -> int:
    old = select(predictions.c.id).where(predictions.c.at < before, predictions.c.feedback.is_(None))
    chosen = old.order_by(predictions.c.at).limit(limit).scalar_subquery()
    return connection.execute(delete(predictions).where(predictions.c.id.in_(chosen))).rowcount


def _surplus_pictures(connection: Connection, keep_bytes: int, limit: int) -> list[tuple[str, str]]:
    unused = ~select(predictions.c.id).where(predictions.c.picture == pictures.c.sha256).exists()
    columns = (pictures.c.sha256, pictures.c.extension, pictures.c.bytes)
    orphans = select(*columns).where(unused).limit(limit)
    found = {row.sha256: row.extension for row in connection.execute(orphans)}
    surplus = (connection.execute(select(func.sum(pictures.c.bytes))).scalar() or 0) - keep_bytes
    oldest = select(*columns).order_by(pictures.c.stored_at).limit(limit if surplus > 0 else 0)
    for row in connection.execute(oldest):
        if surplus <= 0:
            break
        found[row.sha256] = row.extension
        surplus -= row.bytes
    return list(found.items())


def _forget_pictures(connection: Connection, hashes: Sequence[str]) -> None:
    # The foreign key would do it too, but SQLite finds no index for a list of deletions.
    gone = list(hashes)
    connection.execute(update(predictions).where(predictions.c.picture.in_(gone)).values(picture=None))
    connection.execute(delete(pictures).where(pictures.c.sha256.in_(gone)))


def row_of(row: Row[Any]) -> PredictionRow:
    """A row of `shown_columns`."""
    values = dict(row._mapping)
    values["classifications"] = [tuple(pair) for pair in values["classifications"]]
    return PredictionRow(**values)


def microseconds_now() -> int:
    """Microseconds since 1970, UTC."""
    return math.floor(now().timestamp() * 1_000_000)
