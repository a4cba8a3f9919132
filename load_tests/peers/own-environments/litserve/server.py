"""LitServe with its dynamic batching: decoding in the worker, batches of up to 64 within 5 ms."""

from typing import Any

import litserve as ls
from fastapi import Request

from load_tests.peers import classifier


class Api(ls.LitAPI):
    """The documented steps of a LitAPI."""

    def setup(self, device: str) -> None:
        """Once in each worker."""
        self.model = classifier.from_environment()

    def decode_request(self, request: Request) -> bytes:
        """A form with one `images` file."""
        return self.model.decode(request["images"].file.read())

    def batch(self, inputs: list[bytes]) -> list[bytes]:
        """The model takes a list."""
        return inputs

    def predict(self, pictures: list[bytes]) -> Any:
        """All of a batch at once."""
        return self.model.scores(pictures)

    def unbatch(self, output: Any) -> list[Any]:
        """A row for each."""
        return list(output)

    def encode_response(self, row: Any) -> list[dict[str, Any]]:
        """The best labels."""
        return self.model.answer(row)


if __name__ == "__main__":
    api = Api(max_batch_size=64, batch_timeout=0.005)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=1, track_requests=False)
    server.run(host="127.0.0.1", port=classifier.port(), log_level="warning", generate_client_file=False)
