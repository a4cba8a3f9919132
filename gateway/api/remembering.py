"""Answered pictures into the history: the one place where a prediction becomes something remembered."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import Scope

from gateway.api.access import caller_of
from gateway.api.services import Services
from gateway.history.preparing import Remembered
from gateway.serving.decoding import Picture
from gateway.serving.prediction import Prediction


def remember(services: Services, prediction: Prediction, pictures: Sequence[Picture], scope: Scope) -> None:
    """Hand the answers to the history, which copies nothing and computes nothing now."""
    caller, request_id = caller_of(scope).name, scope["request_id"]
    for item, picture in zip(prediction.items, pictures, strict=True):
        if item.scores:
            services.recorder.remember(
                Remembered(
                    id=item.id,
                    model=prediction.model,
                    version=prediction.version,
                    role=prediction.role,
                    labels=prediction.labels,
                    scores=item.scores,
                    filename=item.filename,
                    caller=caller,
                    request_id=request_id,
                    seconds=prediction.total_seconds,
                    picture=picture.content,
                )
            )
