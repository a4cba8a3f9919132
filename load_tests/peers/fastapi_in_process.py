"""The server that one writes first: FastAPI and TensorFlow in one process, one TensorFlow call a request.

Written as the frameworks' documentation advises, so that it is a fair peer: the SavedModel is loaded once,
uploads are read on the event loop, decoding and the model run in the thread pool, uvicorn runs on uvloop and
httptools. It decodes by the same rule and answers the same JSON as the gateway. No batching across
requests, no history, no rollout: what those cost and bring is what the benchmark shows.
"""

from __future__ import annotations

import argparse
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import uvicorn
from fastapi import FastAPI, File, HTTPException, Request, UploadFile
from starlette.concurrency import run_in_threadpool

from contract import images as image_rule
from contract.card import ModelCard
from contract.layout import CARD, ModelPaths

RAW_TYPES = ("image/", "application/octet-stream")


@dataclass(frozen=True)
class Upload:
    """One picture of a request."""

    content: bytes
    filename: str | None


class Model:
    """A version of a model in this process."""

    def __init__(self, folder: Path) -> None:
        self.version = int(folder.name)
        self.card = ModelCard.model_validate_json((folder / CARD).read_bytes())
        self._loaded = tf.saved_model.load(str(folder))
        self._predict = self._loaded.signatures["serving_default"]
        self.scores(
            [bytes(self.card.image.bytes_per_image)]
        )  # the first call is slow; nobody should wait for it

    def decode(self, content: bytes) -> bytes:
        """uint8 [height, width, 3] as bytes."""
        return image_rule.decode(content, self.card.image)

    def scores(self, pictures: Sequence[bytes]) -> np.ndarray[Any, Any]:
        """float32 [N, classes] of decoded pictures."""
        size = self.card.image
        batch = np.frombuffer(b"".join(pictures), np.uint8).reshape(-1, size.height, size.width, 3)
        outputs = self._predict(**{self.card.input_name: tf.constant(batch)})
        return np.asarray(outputs[self.card.output_name].numpy())

    def answer(self, uploads: Sequence[Upload], top_k: int) -> dict[str, Any]:
        """Decode, predict, rank: the whole work of a request."""
        started = time.perf_counter()
        pictures = [self.decode(upload.content) for upload in uploads]
        decoded = time.perf_counter()
        scores = self.scores(pictures)
        predicted = time.perf_counter()
        return {
            "model": self.card.model,
            "version": self.version,
            "predictions": [
                {
                    "id": uuid.uuid4().hex,
                    "filename": upload.filename,
                    "classifications": self._ranked(row, top_k),
                }
                for upload, row in zip(uploads, scores, strict=True)
            ],
            "timing_ms": {
                "decode": 1000 * (decoded - started),
                "predict": 1000 * (predicted - decoded),
                "total": 1000 * (predicted - started),
            },
        }

    def _ranked(self, row: np.ndarray[Any, Any], top_k: int) -> list[dict[str, Any]]:
        best = np.argsort(-row)[:top_k]
        return [{"label": self.card.labels[index], "score": float(row[index])} for index in best]


def create_app(models: Path, name: str) -> FastAPI:
    """The application, which loads the newest version of the model when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        paths = ModelPaths(models, name)
        app.state.model = Model(paths.version(paths.versions()[-1]))
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    # File(default=[]): a raw body is no form, and then there are no `images` parts.
    @app.post("/v1/models/{model}/predictions")
    async def predict(
        request: Request,
        model: str,
        images: list[UploadFile] = File(default=[]),  # noqa: B008
        top_k: int = 5,
    ) -> dict[str, Any]:
        loaded: Model = request.app.state.model
        if model != loaded.card.model:
            raise HTTPException(404, f"no model {model!r}")
        if request.headers.get("content-type", "").startswith(RAW_TYPES):
            uploads = [Upload(await request.body(), None)]
        else:
            uploads = [Upload(await image.read(), image.filename) for image in images]
        if not uploads:
            raise HTTPException(422, "no `images` parts")
        try:
            return await run_in_threadpool(loaded.answer, uploads, top_k)
        except image_rule.ImageError as error:
            raise HTTPException(400, str(error)) from error

    return app


def main(argv: Sequence[str] | None = None) -> None:
    """Serve on 127.0.0.1 until a signal."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument(
        "--models", type=Path, default=Path("models"), help="model store (default: %(default)s)"
    )
    parser.add_argument("--model", default="cifar10", help="(default: %(default)s)")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args(argv)
    app = create_app(arguments.models, arguments.model)
    uvicorn.run(app, host="127.0.0.1", port=arguments.port, loop="uvloop", http="httptools", access_log=False)


if __name__ == "__main__":
    main()
