"""How a thread that ingests writes its batches down: through the event loop that owns the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from gateway.ports.datasets import DatasetIndex, Example, FileReport, ImportStore, Progress

T = TypeVar("T")


class IndexLedger:
    """A gateway.datasets.ingest.Ledger of an upload that is answered at once."""

    def __init__(self, index: DatasetIndex, loop: asyncio.AbstractEventLoop) -> None:
        self._index = index
        self._loop = loop

    def known(self, dataset: str, hashes: Sequence[str]) -> Mapping[str, Example]:
        """Those of the pictures that the dataset has."""
        return self._wait(self._index.known(dataset, hashes))

    def forget(self, dataset: str, hashes: Sequence[str]) -> None:
        """Remove examples whose files are gone."""
        self._wait(self._index.remove(dataset, hashes))

    def commit(
        self, examples: Sequence[Example], progress: Progress, report: Sequence[FileReport] | None
    ) -> Mapping[str, Example] | None:
        """Add the examples."""
        return self._wait(self._index.add(examples))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class ImportLedger(IndexLedger):
    """The same for an import: its progress is written with its examples, and its lease renewed."""

    def __init__(
        self,
        index: DatasetIndex,
        imports: ImportStore,
        import_id: str,
        loop: asyncio.AbstractEventLoop,
        keep_lease: Callable[[], Awaitable[bool]],
    ) -> None:
        super().__init__(index, loop)
        self._imports = imports
        self._import_id = import_id
        self._keep_lease = keep_lease

    def commit(
        self, examples: Sequence[Example], progress: Progress, report: Sequence[FileReport] | None
    ) -> Mapping[str, Example] | None:
        """Add the examples; None when the import was cancelled, or another gateway has taken it over."""
        return self._wait(self._advance(examples, progress, report))

    async def _advance(
        self, examples: Sequence[Example], progress: Progress, report: Sequence[FileReport] | None
    ) -> Mapping[str, Example] | None:
        if not await self._keep_lease():
            return None
        return await self._imports.advance(self._import_id, examples, progress, report)
