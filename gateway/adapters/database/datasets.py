"""The dataset index and the imports in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete, func, select, tuple_, update

from gateway.adapters.database.connection import Database
from gateway.adapters.database.history import microseconds_now
from gateway.adapters.database.inserting import insert_into
from gateway.adapters.database.tables import examples, imports
from gateway.ports.datasets import (
    Example,
    ExampleFilter,
    FileReport,
    Import,
    ImportState,
    LabelCount,
    Progress,
)

_EXAMPLE = [examples.c[name] for name in Example.__dataclass_fields__]
_LISTED = [imports.c[name] for name in Import.__dataclass_fields__ if name != "report"]
_UNFINISHED = ("queued", "running")
AT_ONCE = 500
"""Hashes in one IN (…)."""


class SqlDatasetIndex:
    """A gateway.ports.datasets.DatasetIndex."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, dataset: str, hashes: Sequence[str]) -> Mapping[str, Example]:
        """Those of the pictures that the dataset has."""
        return await self._database.read(_known, dataset, hashes)

    async def add(self, new: Sequence[Example]) -> Mapping[str, Example]:
        """Add what is not there; all of them as they now are."""
        return await self._database.write(_add, new)

    async def put(self, found: Sequence[Example]) -> None:
        """Add, or correct where the picture lies."""
        await self._database.write(_put, found)

    async def relabel(self, example: Example, label: str) -> None:
        """Another label for one example."""
        await self._database.write(_relabel, example, label)

    async def remove(self, dataset: str, hashes: Sequence[str]) -> None:
        """Forget examples."""
        await self._database.write(_remove, dataset, hashes)

    async def remove_some(self, dataset: str, limit: int) -> int:
        """Forget at most `limit` examples of a dataset; how many it were."""
        return await self._database.write(_remove_some, dataset, limit)

    async def counts(self, dataset: str | None = None) -> Sequence[LabelCount]:
        """Examples by dataset, split and label, sorted."""
        return await self._database.read(_counts, dataset)

    async def page(self, wanted: ExampleFilter, after: str | None, limit: int) -> Sequence[Example]:
        """The examples that match with a hash above `after`."""
        return await self._database.read(_page, wanted, after, limit)

    async def everywhere(self, sha256: str) -> Sequence[Example]:
        """One picture in every dataset."""
        return await self._database.read(_everywhere, sha256)


class SqlImports:
    """A gateway.ports.datasets.ImportStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, new: Import) -> None:
        """Keep a new import."""
        await self._database.write(_create_import, new)

    async def find(self, import_id: str) -> Import | None:
        """One import with its report, or None."""
        return await self._database.read(_find_import, import_id)

    async def page(self, after: tuple[int, str] | None, limit: int) -> Sequence[Import]:
        """The newest imports behind the cursor, without their reports."""
        return await self._database.read(_import_page, after, limit)

    async def unfinished(self) -> Sequence[Import]:
        """What is queued or running, oldest first, with reports."""
        return await self._database.read(_unfinished_imports)

    async def advance(
        self, import_id: str, new: Sequence[Example], progress: Progress, report: Sequence[FileReport] | None
    ) -> Mapping[str, Example] | None:
        """Add examples and say how far the import is, in one transaction."""
        return await self._database.write(_advance_import, import_id, new, progress, report)

    async def end(self, import_id: str, state: ImportState, error: str | None = None) -> bool:
        """Put an unfinished import in a final state."""
        return await self._database.write(_end_import, import_id, state, error)


def _known(connection: Connection, dataset: str, hashes: Sequence[str]) -> dict[str, Example]:
    found = {}
    for start in range(0, len(hashes), AT_ONCE):
        chunk = examples.c.sha256.in_(hashes[start : start + AT_ONCE])
        for row in connection.execute(select(*_EXAMPLE).where(examples.c.dataset == dataset, chunk)):
            found[row.sha256] = _example(row)
    return found


def _add(connection: Connection, new: Sequence[Example]) -> dict[str, Example]:
    if not new:
        return {}
    values = [asdict(example) for example in sorted(new, key=lambda example: example.sha256)]
    connection.execute(insert_into(connection, examples).on_conflict_do_nothing(), values)
    return _known(connection, new[0].dataset, [example.sha256 for example in new])


def _put(connection: Connection, found: Sequence[Example]) -> None:
    if not found:
        return
    statement = insert_into(connection, examples)
    corrected = {name: statement.excluded[name] for name in ("split", "label", "extension", "bytes")}
    statement = statement.on_conflict_do_update(index_elements=["dataset", "sha256"], set_=corrected)
    connection.execute(statement, [asdict(example) for example in found])


def _relabel(connection: Connection, example: Example, label: str) -> None:
    this = (examples.c.dataset == example.dataset, examples.c.sha256 == example.sha256)
    connection.execute(update(examples).where(*this).values(label=label))


def _remove(connection: Connection, dataset: str, hashes: Sequence[str]) -> None:
    for start in range(0, len(hashes), AT_ONCE):
        chunk = examples.c.sha256.in_(hashes[start : start + AT_ONCE])
        connection.execute(delete(examples).where(examples.c.dataset == dataset, chunk))


def _remove_some(connection: Connection, dataset: str, limit: int) -> int:
    some = select(examples.c.sha256).where(examples.c.dataset == dataset).limit(limit).scalar_subquery()
    chosen = delete(examples).where(examples.c.dataset == dataset, examples.c.sha256.in_(some))
    return connection.execute(chosen).rowcount


def _counts(connection: Connection, dataset: str | None) -> list[LabelCount]:
    keys = (examples.c.dataset, examples.c.split, examples.c.label)
    query = select(*keys, func.count().label("examples")).group_by(*keys).order_by(*keys)
    if dataset is not None:
        query = query.where(examples.c.dataset == dataset)
    return [LabelCount(**row._mapping) for row in connection.execute(query)]


def _page(connection: Connection, wanted: ExampleFilter, after: str | None, limit: int) -> list[Example]:
    query = select(*_EXAMPLE).where(examples.c.dataset == wanted.dataset)
    if wanted.split is not None:
        query = query.where(examples.c.split == wanted.split)
    if wanted.label is not None:
        query = query.where(examples.c.label == wanted.label)
    if after is not None:
        query = query.where(examples.c.sha256 > after)
    return [_example(row) for row in connection.execute(query.order_by(examples.c.sha256).limit(limit))]


def _everywhere(connection: Connection, sha256: str) -> list[Example]:
    # Without an index on the hash alone: one look-up by primary key in each dataset instead.
    datasets = connection.execute(select(examples.c.dataset).distinct()).scalars().all()
    query = select(*_EXAMPLE).where(examples.c.dataset.in_(datasets), examples.c.sha256 == sha256)
    return [_example(row) for row in connection.execute(query.order_by(examples.c.dataset))]


def _example(row: Any) -> Example:
    return Example(**row._mapping)


def _create_import(connection: Connection, new: Import) -> None:
    values = asdict(new) | {"progress": new.progress.to_json(), "report": _report_json(new.report)}
    connection.execute(imports.insert().values(values))


def _find_import(connection: Connection, import_id: str) -> Import | None:
    query = select(*_LISTED, imports.c.report).where(imports.c.id == import_id)
    row = connection.execute(query).one_or_none()
    return _import(row) if row else None


def _import_page(connection: Connection, after: tuple[int, str] | None, limit: int) -> list[Import]:
    query = select(*_LISTED)
    if after is not None:
        query = query.where(tuple_(imports.c.created_at, imports.c.id) < after)
    query = query.order_by(imports.c.created_at.desc(), imports.c.id.desc()).limit(limit)
    return [_import(row) for row in connection.execute(query)]


def _unfinished_imports(connection: Connection) -> list[Import]:
    query = select(*_LISTED, imports.c.report).where(imports.c.state.in_(_UNFINISHED))
    return [_import(row) for row in connection.execute(query.order_by(imports.c.created_at, imports.c.id))]


def _advance_import(
    connection: Connection,
    import_id: str,
    new: Sequence[Example],
    progress: Progress,
    report: Sequence[FileReport] | None,
) -> dict[str, Example] | None:
    added = _add(connection, new)
    values: dict[str, Any] = {"state": "running", "progress": progress.to_json()}
    if report is not None:
        values["report"] = _report_json(report)
    this = (imports.c.id == import_id, imports.c.state.in_(_UNFINISHED))
    is_running = connection.execute(update(imports).where(*this).values(values)).rowcount
    return added if is_running else None


def _end_import(connection: Connection, import_id: str, state: ImportState, error: str | None) -> bool:
    this = (imports.c.id == import_id, imports.c.state.in_(_UNFINISHED))
    values = {"state": state, "error": error, "finished_at": microseconds_now()}
    return bool(connection.execute(update(imports).where(*this).values(values)).rowcount)


def _report_json(report: Sequence[FileReport]) -> list[dict[str, Any]]:
    return [asdict(entry) for entry in report]


def _import(row: Any) -> Import:
    values = dict(row._mapping)
    values["progress"] = Progress(**values["progress"])
    values["report"] = [FileReport(**entry) for entry in values.get("report") or ()]
    return Import(**values)
