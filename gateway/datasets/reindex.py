"""The index made again from the files, which are the truth. It may run beside a gateway that works."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from gateway.ports.datasets import DatasetFiles, DatasetIndex, Example, ExampleFilter

log = logging.getLogger(__name__)

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What was found. `skipped`: files that are no example by their path; `copies`: a picture under two
    labels or splits, of which one is in the index; `gone`: rows whose file was missing."""

    examples: int = 0
    skipped: int = 0
    copies: int = 0
    gone: int = 0


async def reindex(index: DatasetIndex, files: DatasetFiles) -> Reindexed:
    """Walk the store, correct the index, then drop the rows without a file. Raises DatabaseError."""
    found = Reindexed()
    walk = files.walk()
    while batch := await asyncio.to_thread(_next, walk):
        examples, skipped = batch
        found = replace(found, skipped=found.skipped + skipped)
        for dataset in {example.dataset for example in examples}:
            here = [example for example in examples if example.dataset == dataset]
            kept = await _correct(index, files, dataset, here)
            copies = found.copies + len(here) - kept
            found = replace(found, examples=found.examples + kept, copies=copies)
    gone = 0
    for dataset in {count.dataset for count in await index.counts()}:
        gone += await _drop_gone(index, files, dataset)
    return replace(found, gone=gone)


def _next(walk: Iterator[tuple[object, Example | None]]) -> tuple[list[Example], int] | None:
    batch = list(islice(walk, BATCH))
    examples = [example for _, example in batch if example is not None]
    for path, example in batch:
        if example is None:
            log.info("not an example", extra={"path": str(path).encode(errors="backslashreplace").decode()})
    return (examples, len(batch) - len(examples)) if batch else None


async def _correct(index: DatasetIndex, files: DatasetFiles, dataset: str, here: list[Example]) -> int:
    """Index what lies here; how many of them are in the index where they lie."""
    rows = await index.known(dataset, [example.sha256 for example in here])
    chosen: dict[str, Example] = {}
    for example in here:
        row = rows.get(example.sha256)
        is_elsewhere = row is not None and _place(row) != _place(example)
        if row is not None and is_elsewhere and await asyncio.to_thread(files.has, row):
            continue
        chosen.setdefault(example.sha256, example)
    await index.put(list(chosen.values()))
    return len(chosen)


async def _drop_gone(index: DatasetIndex, files: DatasetFiles, dataset: str) -> int:
    after: str | None = None
    dropped = 0
    while rows := await index.page(ExampleFilter(dataset), after, BATCH):
        after = rows[-1].sha256
        gone = await asyncio.to_thread(lambda page: [row.sha256 for row in page if not files.has(row)], rows)
        await index.remove(dataset, gone)
        dropped += len(gone)
    return dropped


def _place(example: Example) -> tuple[str, str, str]:
    return example.split, example.label, example.extension
