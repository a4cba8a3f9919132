"""BentoML with adaptive batching: one worker, batches of up to 64.

`bentoml serve server:Model`.
"""

from pathlib import Path
from typing import Any

import bentoml

from load_tests.peers import classifier


@bentoml.service(
    workers=1, traffic={"timeout": 60, "max_concurrency": 512}, logging={"access": {"enabled": False}}
)
class Model:
    """The service."""

    def __init__(self) -> None:
        self.model = classifier.from_environment()

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=30_000)
    def predict(self, images: list[Path]) -> list[Any]:
        """All of a batch at once; a form with one `images` file a request."""
        pictures = [self.model.decode(path.read_bytes()) for path in images]
        return [self.model.answer(row) for row in self.model.scores(pictures)]
