"""The prediction history: what is remembered, how it is asked for, and the two stores behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

FeedbackFilter = Literal["given", "missing", "right", "wrong"]


class PredictionRow(NamedTuple):
    """One remembered prediction, in the order in which the database takes it. Moments are microseconds since
    1970, UTC.

    A tuple, since one is made of every prediction: a frozen dataclass takes four times as long.
    """

    id: str
    at: int
    model: str
    version: int
    role: str
    """Why this version answered: `stable`, `canary`, or `named` by the caller."""
    label: str
    score: float
    margin: float
    """Best score minus the second best."""
    entropy: float
    """−Σ p·ln p over all scores, in nats."""
    classifications: Sequence[tuple[str, float]]
    filename: str | None
    caller: str
    request_id: str
    milliseconds: float
    picture: str | None = None
    """SHA-256 of the kept picture."""
    feedback: str | None = None
    feedback_at: int | None = None
    feedback_by: str | None = None


FeedbackListener = Callable[[PredictionRow, str | None], Awaitable[None]]
"""Is told of a prediction whose feedback was given, changed or taken back (then it is None), and of the
feedback that it had before."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture to keep: its bytes under their hash."""

    sha256: str
    extension: str
    content: bytes


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which predictions; None matches all."""

    model: str | None = None
    version: int | None = None
    label: str | None = None
    caller: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    since: int | None = None
    until: int | None = None
    feedback: FeedbackFilter | None = None


Cursor = tuple[int, str]
"""`at` and `id` of the last row of a page: the next page begins behind it."""


@dataclass(frozen=True, slots=True)
class VersionAccuracy:
    """What people said about the answers of one version."""

    model: str
    version: int
    feedback: int
    right: int


@dataclass(frozen=True, slots=True)
class MinuteRow:
    """Predictions of one minute with one label."""

    minute: int
    """Minutes since 1970, UTC."""
    model: str
    version: int
    label: str
    predictions: int
    score_sum: float
    milliseconds_sum: float


class History(Protocol):
    """The database's part. Every method raises DatabaseError when it cannot be asked."""

    async def append(self, rows: Sequence[PredictionRow], pictures: Sequence[PictureFile]) -> None:
        """Keep all, or nothing; what is there already (by id) is left as it is."""

    async def page(self, wanted: HistoryFilter, after: Cursor | None, limit: int) -> list[PredictionRow]:
        """The newest predictions that match, behind the cursor."""

    async def find(self, prediction_id: str) -> PredictionRow | None:
        """One prediction, or None."""

    async def give_feedback(self, prediction_id: str, label: str | None, caller: str) -> PredictionRow | None:
        """Set the true label (None takes it back); the prediction as it now is, or None."""

    async def extension_of(self, sha256: str) -> str | None:
        """The file extension of a kept picture, or None."""

    async def accuracies(self, model: str | None) -> list[VersionAccuracy]:
        """Accuracy by feedback for each version that has any."""

    async def totals(self, model: str | None, since: int, until: int) -> list[MinuteRow]:
        """Roll-ups of the minutes `since` ≤ minute < `until`, summed over them (`minute` is `since`)."""

    async def forget(self, before: int, limit: int) -> int:
        """Delete at most `limit` predictions older than `before` that have no feedback; how many."""

    async def surplus_pictures(self, keep_bytes: int, limit: int) -> list[tuple[str, str]]:
        """(sha256, extension) of the oldest pictures beyond `keep_bytes`, and of those nobody refers to."""

    async def forget_pictures(self, hashes: Sequence[str]) -> None:
        """Delete the rows of pictures; predictions that had them go on without."""


class PictureStore(Protocol):
    """The files. Every method blocks: call it in a thread."""

    def put(self, picture: PictureFile) -> None:
        """Keep a picture; one that is there already is left alone. Raises StoreError."""

    def get(self, sha256: str, extension: str) -> bytes | None:
        """The bytes, or None."""

    def delete(self, sha256: str, extension: str) -> None:
        """Remove a picture; one that is not there is none."""
