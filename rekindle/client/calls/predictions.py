"""The requests about pictures: classifying them, the history, feedback, and the labelling queue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rekindle.answers.base import Answer
from rekindle.answers.predictions import HistoryPage, Predictions, Queue, Remembered
from rekindle.client.calls.call import Call, Picture, given, url_path


def predict(
    model: str,
    pictures: Sequence[Picture],
    top_k: int | None = None,
    version: int | None = None,
    label: str | None = None,
    store: bool | None = None,
    embedding: bool | None = None,
) -> Call[Predictions]:
    """Classify pictures; computing it twice harms nobody, so it may be repeated."""
    files = [("images", _part(number, picture)) for number, picture in enumerate(pictures)]
    params = given(top_k=top_k, version=version, label=label, store=store, embedding=embedding)
    options = {"files": files, "params": params}
    return Call(Predictions, "POST", url_path("models", model, "predictions"), options)


def _part(number: int, picture: Picture) -> tuple[str, bytes, str]:
    if isinstance(picture, Path):
        return picture.name, picture.read_bytes(), "application/octet-stream"
    return f"picture-{number}", picture, "application/octet-stream"


def history(cursor: str | None = None, limit: int | None = None, **wanted: Any) -> Call[HistoryPage]:
    """One page; `wanted`: model, version, label, caller, min_score, max_score, since, until, feedback."""
    params = given(cursor=cursor, limit=limit, **wanted)
    return Call(HistoryPage, "GET", "/v1/predictions", {"params": params})


def history_csv(**wanted: Any) -> Call[bytes]:
    """All that match, as CSV."""
    return Call(bytes, "GET", "/v1/predictions.csv", {"params": given(**wanted)})


def remembered(prediction: str) -> Call[Remembered]:
    """One prediction."""
    return Call(Remembered, "GET", url_path("predictions", prediction))


def picture(prediction: str) -> Call[bytes]:
    """Its kept picture."""
    return Call(bytes, "GET", url_path("predictions", prediction, "image"))


def give_feedback(prediction: str, label: str) -> Call[Remembered]:
    """What it truly shows."""
    body = {"json": {"label": label}}
    return Call(Remembered, "PUT", url_path("predictions", prediction, "feedback"), body)


def take_back_feedback(prediction: str) -> Call[Remembered]:
    """As if none had been given."""
    return Call(Remembered, "DELETE", url_path("predictions", prediction, "feedback"))


def labelling_queue(model: str, by: str | None = None, limit: int | None = None) -> Call[Queue]:
    """What to label next."""
    params = given(model=model, by=by, limit=limit)
    return Call(Queue, "GET", "/v1/labelling-queue", {"params": params})


def skip(prediction: str) -> Call[Answer]:
    """Put aside in the queue."""
    return Call(Answer, "POST", url_path("labelling-queue", prediction, "skip"))


def unskip(prediction: str) -> Call[Answer]:
    """Back into the queue."""
    return Call(Answer, "DELETE", url_path("labelling-queue", prediction, "skip"))
