"""Whether an answer is right, and not only a 200: what a load test accepts from the gateway.

A server that loses its head under load mixes up requests: it answers fast, with the labels of somebody
else's picture. So every answer is held against the request, and against the first answer that the same
version gave to the same picture.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from load_tests.callers.pictures import Picture

TOLERANCE = 0.02
"""Of a score: batches of other sizes round otherwise, and bfloat16 rounds more."""


class WrongAnswerError(Exception):
    """The answer does not belong to the request; the message says what was expected."""


@dataclass
class Answers:
    """Checks answers, and remembers the first one to each picture by each version."""

    model: str
    _first: dict[tuple[int, str], dict[str, float]] = field(default_factory=dict)

    def check(self, content: bytes, asked: Sequence[Picture], *, are_named: bool) -> list[str]:
        """The ids of the predictions. Raises WrongAnswerError.

        `are_named`: the request named its files, as a form does.
        """
        answer = _parsed(content)
        _expect(answer.get("model") == self.model, f"model {self.model!r}", answer.get("model"))
        version = answer.get("version")
        if not isinstance(version, int):
            raise WrongAnswerError(f"expected a version, found {version!r}")
        predictions = answer.get("predictions", [])
        _expect(len(predictions) == len(asked), f"{len(asked)} predictions", len(predictions))
        for picture, prediction in zip(asked, predictions, strict=True):
            name = picture.name if are_named else None
            _expect(prediction.get("filename") == name, f"filename {name!r}", prediction.get("filename"))
            self._check_scores(version, picture, prediction)
        ids = [str(prediction["id"]) for prediction in predictions]
        _expect(len(set(ids)) == len(ids), "an id for each", ids)
        return ids

    def _check_scores(self, version: int, picture: Picture, prediction: dict[str, Any]) -> None:
        error, ranked = prediction.get("error"), prediction.get("classifications", [])
        _expect(error is None and bool(ranked), f"labels of {picture.name}", error or ranked)
        scores = {str(one["label"]): float(one["score"]) for one in ranked}
        _expect(len(scores) == len(ranked), "each label once", ranked)
        _expect(all(0 <= score <= 1 for score in scores.values()), "scores from 0 to 1", scores)
        _expect(all(a >= b for a, b in pairwise(scores.values())), "the best score first", scores)
        first = self._first.setdefault((version, picture.digest), scores)
        best, best_before = next(iter(scores.items())), next(iter(first.items()))
        same = abs(best[1] - best_before[1]) <= TOLERANCE and first.get(best[0], -1) >= best[1] - TOLERANCE
        _expect(same, f"{best_before} for {picture.name} by version {version}", best)


def check_history(content: bytes, model: str, limit: int) -> list[tuple[str, str]]:
    """The ids and best labels on a page of the history of one model. Raises WrongAnswerError."""
    page = _parsed(content)
    rows = page.get("predictions", [])
    _expect(len(rows) <= limit, f"at most {limit} rows", len(rows))
    _expect(all(row.get("model") == model for row in rows), f"rows of {model!r}", rows)
    moments = [str(row.get("at")) for row in rows]
    _expect(moments == sorted(moments, reverse=True), "the newest first", moments)
    return [(str(row["id"]), str(row["classifications"][0]["label"])) for row in rows]


def check_feedback(content: bytes, label: str) -> None:
    """The row after feedback. Raises WrongAnswerError."""
    row = _parsed(content)
    _expect(row.get("feedback") == label, f"feedback {label!r}", row.get("feedback"))


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except ValueError as error:
        raise WrongAnswerError(f"no JSON: {content[:200]!r}") from error
    _expect(isinstance(parsed, dict), "an object", parsed)
    return dict(parsed)


def _expect(is_so: bool, what: str, found: object) -> None:
    if not is_so:
        raise WrongAnswerError(f"expected {what}, found {str(found)[:300]}")
