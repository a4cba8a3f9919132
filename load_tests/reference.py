"""A fixed yardstick: FastAPI that reads a form, decodes the picture and answers JSON of the gateway's shape.

`python -m load_tests.reference PORT`. It has no model, no batching, no history. Do not make it faster: the
regression check (regression.py) measures the gateway against it.
"""

from __future__ import annotations

import sys
import uuid
from typing import Any

import uvicorn
from fastapi import FastAPI, File, UploadFile

from contract import images as image_rule
from contract.image_spec import ImageSpec

SPEC = ImageSpec(height=32, width=32)
RANKED = [{"label": f"class-{number}", "score": 0.1} for number in range(5)]

app = FastAPI()


@app.get("/readyz")
async def ready() -> dict[str, str]:
    """At once."""
    return {"status": "ready"}


@app.post("/predictions")
async def predict(images: list[UploadFile] = File()) -> dict[str, Any]:  # noqa: B008
    """Decode every file, rank nothing."""
    for image in images:
        image_rule.decode(await image.read(), SPEC)
    items = [{"id": uuid.uuid4().hex, "filename": one.filename, "classifications": RANKED} for one in images]
    return {"model": "reference", "version": 1, "predictions": items, "timing_ms": {"total": 0.0}}


if __name__ == "__main__":
    port = int(sys.argv[1])
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", access_log=False)
