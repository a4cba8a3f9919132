"""How long a replica may hold a batch while another could help, by what its images have taken before.

Beyond that it counts as frozen: the batch goes to another replica. Taken for frozen while it only works
hard, it would do for nothing what the other then does again, so the time grows with the images.
"""

from __future__ import annotations

SHORTEST_SECONDS = 1.0
"""However fast the replica has been."""

FACTOR = 4.0
"""Times what so many images of the model take. One that needs a second so leaves another as much of the
usual five."""

FIRST_SHARE = 0.5
"""Of the time there is, while it is not known how long the model takes."""

SMOOTHING = 0.2


class Patience:
    """With one replica."""

    def __init__(self) -> None:
        self._seconds_an_image: dict[str, float] = {}

    def learn(self, model: str, images: int, seconds: float) -> None:
        """Note a call that was answered."""
        each = seconds / images
        before = self._seconds_an_image.get(model, each)
        self._seconds_an_image[model] = before + SMOOTHING * (each - before)

    def seconds(self, model: str, images: int, remaining: float) -> float:
        """For a batch of so many images that is waited for during `remaining` seconds."""
        each = self._seconds_an_image.get(model)
        wanted = FIRST_SHARE * remaining if each is None else FACTOR * each * images
        return min(remaining, max(SHORTEST_SECONDS, wanted))
