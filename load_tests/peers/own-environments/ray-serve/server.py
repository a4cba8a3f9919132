"""Ray Serve with @serve.batch: one replica, batches of up to 64 within 5 ms."""

import os
import time
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

from load_tests.peers import classifier


@serve.deployment(max_ongoing_requests=256, ray_actor_options={"num_cpus": 1})
class Model:
    """The deployment."""

    def __init__(self) -> None:
        self.model = classifier.from_environment()

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.005)
    async def scores(self, pictures: list[bytes]) -> list[Any]:
        """All of a batch at once."""
        return list(self.model.scores(pictures))

    async def __call__(self, request: Request) -> Any:
        """A form with one `images` file."""
        if request.method == "GET":
            return "ready"
        form = await request.form()
        content = await form["images"].read()  # type: ignore[union-attr]
        return self.model.answer(await self.scores(self.model.decode(content)))


if __name__ == "__main__":
    # 15 otherwise: whoever asks would come first on the same cores.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    ray.init(include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": classifier.port()})
    serve.run(Model.bind())
    while True:
        time.sleep(3600)
