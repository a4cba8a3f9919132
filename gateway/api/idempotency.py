"""Idempotency-Key on predictions: the same request sent again gets the first answer, computed and kept once.

Kept in this process, for a while and to a bound: with several gateways a repetition may reach another one,
which then computes it again. That harms nobody; it only is a second row in the history.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from gateway.errors import InvalidParameterError, KeyInUseError, KeyReusedError

HEADER = b"idempotency-key"
REPLAYED = {"Idempotency-Replayed": "true"}
LONGEST_KEY = 255
ANSWERS = 10_000
ANSWER_BYTES = 32 * 2**20
"""An answer has a few hundred bytes, with embeddings some thousands a picture; beyond either bound the oldest
are forgotten."""


@dataclass(slots=True)
class Remembrance:
    """One key: what was asked, and the answer once there is one."""

    digest: bytes
    expires_at: float
    answer: bytes | None = None


class Answers:
    """The answers of this process by caller and key. Lives on one event loop."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: how long an answer is kept."""
        self._seconds = seconds
        self._kept: OrderedDict[tuple[str, str], Remembrance] = OrderedDict()
        self._bytes = 0

    @contextmanager
    def asked(self, caller: str, key: str, digest: bytes) -> Iterator[Remembrance]:
        """What is known of a key; whoever finds no answer computes it and sets it inside the block.

        Raises KeyReusedError for another request under the same key, KeyInUseError while the first runs,
        InvalidParameterError for a key that is too long.
        """
        if not 0 < len(key) <= LONGEST_KEY:
            raise InvalidParameterError(
                f"the Idempotency-Key has {len(key)} characters; expected 1 to {LONGEST_KEY}"
            )
        self._forget()
        place = (caller, key)
        known = self._kept.get(place)
        if known is None:
            known = self._kept[place] = Remembrance(digest, monotonic() + self._seconds)
            try:
                yield known
            finally:
                if known.answer is None:  # it failed: the next one tries again
                    del self._kept[place]
                else:
                    self._bytes += len(known.answer)
            return
        if known.digest != digest:
            raise KeyReusedError(
                f"the Idempotency-Key {key[:80]!r} belongs to another request; take a new one"
            )
        if known.answer is None:
            raise KeyInUseError(f"the request with the Idempotency-Key {key[:80]!r} is still running")
        yield known

    def _forget(self) -> None:
        now = monotonic()
        while self._kept:
            place, oldest = next(iter(self._kept.items()))
            is_full = len(self._kept) > ANSWERS or self._bytes > ANSWER_BYTES
            if oldest.answer is None or (oldest.expires_at > now and not is_full):
                return
            del self._kept[place]
            self._bytes -= len(oldest.answer)


def digest_of(parts: Iterable[bytes]) -> bytes:
    """SHA-256 of all of them, each with its length."""
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8))
        found.update(part)
    return found.digest()
