"""MLServer with its adaptive batching: a custom runtime, batches of up to 64 within 5 ms, one worker.

`python server.py` writes the two settings files that `mlserver start` reads, and becomes it.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from load_tests.peers import classifier

if "mlserver" in sys.modules or os.environ.get("PEER_STARTED"):
    from mlserver import MLModel
    from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

    class Model(MLModel):
        """The runtime."""

        async def load(self) -> bool:
            """Once in the worker."""
            self.model = classifier.from_environment()
            return True

        async def predict(self, payload: InferenceRequest) -> InferenceResponse:
            """All of a batch at once: base64 pictures in one BYTES tensor."""
            contents: list[Any] = list(payload.inputs[0].data)
            pictures = [self.model.decode(base64.b64decode(content)) for content in contents]
            rows = self.model.scores(pictures)
            answers = [json.dumps(self.model.answer(row)) for row in rows]
            output = ResponseOutput(name="answers", shape=[len(rows), 1], datatype="BYTES", data=answers)
            return InferenceResponse(model_name=self.name, outputs=[output])


def main() -> None:
    """Write the settings and become `mlserver start`."""
    folder = Path(tempfile.mkdtemp(prefix="mlserver-"))
    port = classifier.port()
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": int(os.environ["PEER_OTHER_PORT"]),
        "metrics_endpoint": None,
        "parallel_workers": 1,
        "debug": False,
        "logging_settings": None,
    }
    model = {
        "name": "model",
        "implementation": "server.Model",
        "max_batch_size": 64,
        "max_batch_time": 0.005,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
    os.environ["PEER_STARTED"] = "1"
    path = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path)
    os.execv(Path(sys.executable).with_name("mlserver"), ["mlserver", "start", str(folder)])


if __name__ == "__main__":
    main()
