"""How fast a queue is pulled from while something waits in it: what a newcomer's wait is reckoned by."""

from __future__ import annotations

KEPT = 0.8
"""Of what was seen before, at each pull: the last five or so count."""


class Pace:
    """Seconds an image, over the last pulls; the time in which nothing waited says nothing.

    What begins to wait in an empty queue counts too. Otherwise one long stop (of the process, or of its only
    replica) would be remembered for good: so few are let in then that each pull takes them all.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._images = 0.0
        self._waiting_since: float | None = None

    def entered(self, now: float) -> None:
        """Note that something waits, which did not before."""
        if self._waiting_since is None:
            self._waiting_since = now

    def pulled(self, images: int, now: float, *, is_any_left: bool) -> None:
        """Note a pull; `is_any_left`: something still waits after it."""
        if self._waiting_since is not None:
            self._seconds = KEPT * self._seconds + now - self._waiting_since
            self._images = KEPT * self._images + images
        self._waiting_since = now if is_any_left else None

    def interrupted(self) -> None:
        """The time until the next pull says nothing: a call failed, or nobody waits any more."""
        self._waiting_since = None

    def seconds(self, images: int) -> float:
        """Until so many that wait will have been pulled; 0 while nothing is known."""
        return images * self._seconds / self._images if self._images else 0.0
