"""Datasets as people use them: what there is, one picture, another label, deleting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.errors import UnknownNameError
from gateway.ports.datasets import DatasetFiles, DatasetIndex, Example, ExampleFilter, LabelCount

MEDIA_TYPES = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "tif": "image/tiff",
}
ROWS_AT_ONCE = 5000
"""Deleted in one transaction, so that writers wait for milliseconds only."""


class DatasetService:
    """Reads and changes datasets; files first, then the index. Every method may raise DatabaseError."""

    def __init__(self, index: DatasetIndex, files: DatasetFiles) -> None:
        self._index = index
        self._files = files

    async def counts(self) -> Sequence[LabelCount]:
        """Examples of every dataset by split and label."""
        return await self._index.counts()

    async def page(
        self, wanted: ExampleFilter, after: str | None, limit: int
    ) -> tuple[Sequence[Example], str | None]:
        """One page in the order of the hashes, and behind which hash the next begins.

        Raises UnknownNameError when there is no such dataset.
        """
        rows = await self._index.page(wanted, after, limit + 1)
        if not rows and not await self._index.page(ExampleFilter(wanted.dataset), None, 1):
            raise _no_dataset(wanted.dataset)
        shown = rows[:limit]
        return shown, shown[-1].sha256 if len(rows) > limit else None

    async def find(self, dataset: str, sha256: str) -> Example:
        """One example. Raises UnknownNameError."""
        found = (await self._index.known(dataset, [sha256])).get(sha256)
        if found is None:
            raise UnknownNameError(f"the dataset {dataset!r} has no example {sha256[:80]!r}")
        return found

    async def picture(self, dataset: str, sha256: str) -> tuple[bytes, str]:
        """The picture as it was uploaded, and its media type. Raises UnknownNameError."""
        example = await self.find(dataset, sha256)
        content = await asyncio.to_thread(self._files.get, example)
        if content is None:
            raise _no_file(sha256)
        return content, MEDIA_TYPES.get(example.extension, "application/octet-stream")

    async def relabel(self, dataset: str, sha256: str, label: str) -> tuple[Example, str]:
        """Move a picture below another label; the example as it now is, and its label before."""
        example = await self.find(dataset, sha256)
        if example.label != label:
            try:
                await asyncio.to_thread(self._files.move, example, label)
            except FileNotFoundError:
                raise _no_file(sha256) from None
            await self._index.relabel(example, label)
        return example.under(label), example.label

    async def add(self, example: Example, content: bytes) -> Example:
        """Add one picture unless the dataset has it; the example as it then is."""
        before = (await self._index.known(example.dataset, [example.sha256])).get(example.sha256)
        if before is not None:
            return before
        await asyncio.to_thread(self._files.put, example, content)
        return (await self._index.add([example]))[example.sha256]

    async def delete(self, example: Example) -> None:
        """Remove one example."""
        await asyncio.to_thread(self._files.delete, example)
        await self._index.remove(example.dataset, [example.sha256])

    async def delete_dataset(self, dataset: str) -> int:
        """Remove a dataset; how many examples it had. Raises UnknownNameError."""
        count = sum(row.examples for row in await self._index.counts(dataset))
        if not count:
            raise _no_dataset(dataset)
        await asyncio.to_thread(self._files.delete_dataset, dataset)
        while await self._index.remove_some(dataset, ROWS_AT_ONCE):
            pass
        return count

    async def delete_picture(self, sha256: str) -> Sequence[Example]:
        """Remove one picture from every dataset; the examples that it was."""
        found = await self._index.everywhere(sha256)
        for example in found:
            await self.delete(example)
        return found


def _no_file(sha256: str) -> UnknownNameError:
    return UnknownNameError(
        f"the file of the example {sha256} is gone; `python -m gateway reindex` corrects the index"
    )


def _no_dataset(dataset: str) -> UnknownNameError:
    return UnknownNameError(f"there is no dataset {dataset[:80]!r}; GET /v1/datasets lists them")
