"""The scores of images become what a caller is told of each picture: labels, best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import RequestError
from gateway.ids import new_id
from gateway.serving.decoding import Decoded, Picture
from gateway.serving.tickets import Answer


@dataclass(frozen=True, slots=True)
class Classification:
    """A label and its score, 0–1."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one picture: ranked classifications, or the error why there are none."""

    id: str
    filename: str | None
    classifications: Sequence[Classification]
    error: RequestError | None = None
    scores: Sequence[float] = ()
    """All scores, in the order of the labels; empty when there are none."""
    embedding: Sequence[float] = ()
    """Empty when it was not asked for, or there is none."""


def ranked_items(
    pictures: Sequence[Picture],
    decoded: Decoded,
    answer: Answer,
    labels: Sequence[str],
    top_k: int,
) -> list[Item]:
    """An item for each picture, in their order; `answer` has the rows of those that could be decoded."""
    rows, embeddings = iter(answer.rows), iter(answer.embeddings)
    return [
        _answered(picture, next(rows), labels, top_k, next(embeddings, ()))
        if isinstance(image, bytes)
        else Item(new_id(), picture.filename, (), image)
        for picture, image in zip(pictures, decoded, strict=True)
    ]


def _answered(
    picture: Picture, row: Sequence[float], labels: Sequence[str], top_k: int, embedding: Sequence[float]
) -> Item:
    ranked = _ranked(row, labels, top_k)
    return Item(new_id(), picture.filename, ranked, scores=row, embedding=embedding)


def _ranked(row: Sequence[float], labels: Sequence[str], top_k: int) -> list[Classification]:
    best = sorted(range(len(row)), key=row.__getitem__, reverse=True)[:top_k]
    return [Classification(labels[index], row[index]) for index in best]
