"""KServe's Python server, protocol v1 with base64 in JSON; its batcher is a sidecar in Go, not part of it."""

import asyncio
import base64
from typing import Any

import kserve

from load_tests.peers import classifier


class Model(kserve.Model):
    """The model, which predicts in a thread so that the loop goes on."""

    def __init__(self) -> None:
        super().__init__("model")
        self.model = classifier.from_environment()
        self.ready = True

    async def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        """Instances with `b64`."""
        return await asyncio.to_thread(self._answer, payload["instances"])

    def _answer(self, instances: list[dict[str, str]]) -> dict[str, Any]:
        pictures = [self.model.decode(base64.b64decode(one["b64"])) for one in instances]
        return {"predictions": [self.model.answer(row) for row in self.model.scores(pictures)]}


if __name__ == "__main__":
    kserve.ModelServer(
        http_port=classifier.port(), enable_grpc=False, access_log_format=None, workers=1
    ).start([Model()])
