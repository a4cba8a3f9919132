"""Flask behind gunicorn: one process a core, one TensorFlow thread each, no batching (there is none).

`gunicorn --workers CORES server:app`.
"""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

from load_tests.peers import classifier

app = Flask(__name__)
model = classifier.from_environment()


@app.get("/ready")
def ready() -> str:
    """Once the model is loaded."""
    return "ready"


@app.post("/predict")
def predict() -> Response:
    """A form with one `images` file."""
    picture = model.decode(request.files["images"].read())
    return jsonify(model.answer(model.scores([picture])[0]))
