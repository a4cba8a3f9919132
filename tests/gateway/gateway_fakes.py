"""What the gateway's tests share: a real gRPC model server without TensorFlow, and fakes of the ports.

The server speaks contract.tfserving_api over loopback. It can be slow, refuse, freeze, die and come
back, and follow a models.config as TensorFlow Serving does. It "classifies" by brightness: a grey
picture of value v belongs to class v // 64 of LABELS, and its embedding is [v, 1].
"""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from PIL import Image

from contract import layout
from contract import tfserving_api as api
from contract.card import DatasetProfile, Embedding, ModelCard
from contract.evaluation import AverageMetrics, ClassMetrics, Evaluation
from contract.image_spec import ImageSpec
from contract.rollout import Rollout
from contract.tfserving_api import ModelVersionState
from gateway.errors import CardError
from gateway.ports.serving import Scores, ServedVersion, VersionStatus
from gateway.ports.store import StoredModel

LABELS = ["dark", "dim", "light", "bright"]
SIZE = 8
TOP_SCORE = 0.7
EMBEDDING = Embedding(signature="serving_embedding", dimensions=2)


def picture(value: int = 200, width: int = SIZE, height: int = SIZE, form: str = "PNG") -> bytes:
    """An encoded grey picture; its class is LABELS[value // 64]."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (value, value, value)).save(file, form)
    return file.getvalue()


def make_card(
    model: str = "shades",
    labels: Sequence[str] = LABELS,
    size: int = SIZE,
    embedding: Embedding | None = None,
) -> ModelCard:
    """A card that is complete and says little."""
    averages = AverageMetrics(precision=0.9, recall=0.9, f1=0.9)
    classes = [
        ClassMetrics(label=label, examples=1, precision=1, recall=1, f1=1, roc_auc=1) for label in labels
    ]
    evaluation = Evaluation(
        split="validation",
        examples=len(labels),
        accuracy=0.9,
        macro=averages,
        weighted=averages,
        roc_auc=0.99,
        log_loss=0.1,
        expected_calibration_error=0.01,
        calibration=[],
        per_class=classes,
        confusion_matrix=[],
    )
    return ModelCard(
        model=model,
        run_id="run-1",
        labels=list(labels),
        image=ImageSpec(height=size, width=size),
        temperature=1.0,
        dataset=DatasetProfile(name="drawn", digest="0" * 64, examples={}, class_counts={}),
        hyper_parameters={},
        validation=evaluation,
        embedding=embedding,
        parameters=1,
    )


def publish(store: Path, version: int, model: str = "shades", card: ModelCard | None = None) -> Path:
    """Put a complete version into a model store by one rename, as the trainer does."""
    staging = store / model / f".staging-{version}"
    staging.mkdir(parents=True)
    (staging / layout.SAVED_MODEL).write_bytes(b"not a real graph")
    (staging / layout.CARD).write_bytes((card or make_card(model)).to_json())
    return staging.rename(store / model / str(version))


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Poll until the condition holds; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {condition}"
        time.sleep(0.01)


async def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """The same on the event loop."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  the condition belongs to other threads
            await asyncio.sleep(0.01)


class FakeModelServer:
    """A gRPC server with Predict and GetModelStatus. Start it, point a gateway at `address`."""

    def __init__(
        self,
        port: int = 0,
        config: Path | None = None,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self.port = port
        self.config = config
        self.credentials = credentials
        """Without them the port is plain text."""
        self.available: dict[str, set[int]] = {"shades": {1}}
        self.broken: dict[tuple[str, int], str] = {}
        """(model, version) → the error with which loading it ends."""
        self.calls: list[tuple[str, int, int]] = []
        """(model, version, images) of every Predict that arrived."""
        self.signatures: list[tuple[str, int]] = []
        """The signature and the images of each."""
        self.metadata: list[dict[str, str]] = []
        """Of every Predict that arrived."""
        self.refuse_with: grpc.StatusCode | None = None
        self.refuse_version: int | None = None
        self.slow_version: tuple[int, float] | None = None
        """A version, and the seconds that its answers take."""
        self.classes = len(LABELS)
        self.seconds = 0.0
        self.flowing = threading.Event()
        """Cleared: calls arrive and are held, as by a process that is stopped."""
        self.flowing.set()
        self._closing = threading.Event()
        self._server: grpc.Server | None = None
        self._poller: threading.Thread | None = None

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> FakeModelServer:
        """Listen; on the same port again after a `stop`."""
        self._closing.clear()
        options = [("grpc.so_reuseport", 0)]
        self._server = grpc.server(ThreadPoolExecutor(8), options=options)
        for service, methods in _services(self).items():
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
        if self.credentials is None:
            self.port = self._server.add_insecure_port(self.address)
        else:
            self.port = self._server.add_secure_port(self.address, self.credentials)
        self._server.start()
        if self.config is not None:
            self.read_config()
            self._poller = threading.Thread(target=self._poll)
            self._poller.start()
        return self

    def stop(self) -> None:
        """Die: connections break, calls that run are lost."""
        self._closing.set()
        if self._server is not None:
            self._server.stop(grace=0).wait()
        if self._poller is not None:
            self._poller.join()
            self._poller = None

    def read_config(self) -> None:
        """Load what models.config names and unload the rest, as TensorFlow Serving does."""
        assert self.config is not None
        try:
            parsed = api.config_from_text(self.config.read_text())
        except FileNotFoundError:
            return
        self.available = {
            model.name: {
                version
                for version in model.model_version_policy.specific.versions
                if (model.name, version) not in self.broken
            }
            for model in parsed.model_config_list.config
        }
        self.labels = {model.name: dict(model.version_labels) for model in parsed.model_config_list.config}

    def _poll(self) -> None:
        while not self._closing.wait(0.05):
            self.read_config()

    def _hold(self) -> None:
        while not self.flowing.wait(0.02):
            if self._closing.is_set():
                return

    def predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Score by brightness."""
        tensor = request.inputs["images"]
        count, height, width, _ = api.shape_of(tensor)
        name, version = request.model_spec.name, request.model_spec.version.value
        self.calls.append((name, version, count))
        self.signatures.append((request.model_spec.signature_name, count))
        self.metadata.append({str(key): str(value) for key, value in context.invocation_metadata()})
        self._hold()
        self._closing.wait(self.seconds)
        if self.slow_version is not None and self.slow_version[0] == version:
            self._closing.wait(self.slow_version[1])
        if version == self.refuse_version:
            context.abort(grpc.StatusCode.INTERNAL, "refused as told")
        if self.refuse_with is not None:
            context.abort(self.refuse_with, "refused as told")
        if version not in self.available.get(name, set()):
            context.abort(
                grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Specific({name}, {version})"
            )
        response = api.PredictResponse()
        response.model_spec.name = name
        response.model_spec.version.value = version
        size = height * width * 3
        values = [tensor.tensor_content[start] for start in range(0, count * size, size)]
        _fill(response.outputs["probabilities"], [_row(value, self.classes) for value in values])
        if request.model_spec.signature_name == EMBEDDING.signature:
            _fill(response.outputs["embedding"], [[value, 1.0] for value in values])
        return response

    def status(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Every version that is loaded or broke."""
        self._hold()
        name = request.model_spec.name
        response = api.GetModelStatusResponse()
        for version in self.available.get(name, set()):
            response.model_version_status.add(version=version, state=ModelVersionState.AVAILABLE)
        for (model, version), why in self.broken.items():
            if model == name:
                entry = response.model_version_status.add(version=version, state=ModelVersionState.END)
                entry.status.error_code, entry.status.error_message = 3, why
        if not response.model_version_status:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
        return response


def _row(value: int, classes: int) -> list[float]:
    best = value // 64
    return [TOP_SCORE if index == best else (1 - TOP_SCORE) / (classes - 1) for index in range(classes)]


def _fill(output: Any, rows: Sequence[Sequence[float]]) -> None:
    output.dtype = api.DataType.FLOAT
    output.tensor_shape.dim.add(size=len(rows))
    output.tensor_shape.dim.add(size=len(rows[0]))
    for row in rows:
        output.float_val.extend(row)


def _services(server: FakeModelServer) -> dict[str, dict[str, Any]]:
    predict = grpc.unary_unary_rpc_method_handler(
        server.predict, api.PredictRequest.FromString, api.PredictResponse.SerializeToString
    )
    status = grpc.unary_unary_rpc_method_handler(
        server.status, api.GetModelStatusRequest.FromString, api.GetModelStatusResponse.SerializeToString
    )
    return {
        api.PREDICTION_SERVICE: {"Predict": predict},
        api.MODEL_SERVICE: {"GetModelStatus": status},
    }


class FakePredictor:
    """A gateway.ports.serving.Predictor that answers from memory; each call waits for `may_answer`."""

    def __init__(self, address: str = "fake:1") -> None:
        self._address = address
        self.batches: list[tuple[ServedVersion, list[bytes]]] = []
        self.errors: list[Exception] = []
        """Raised by the next calls, in order."""
        self.check_error: Exception | None = None
        self.known: Mapping[int, VersionStatus] = {}
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_closed = False

    @property
    def address(self) -> str:
        return self._address

    async def predict(self, served: ServedVersion, images: Sequence[bytes], timeout_seconds: float) -> Scores:
        self.batches.append((served, list(images)))
        if self.errors:
            raise self.errors.pop(0)
        await self.may_answer.wait()
        rows = [_row(image[0], len(served.card.labels)) for image in images]
        embeddings = [[image[0], 1.0] for image in images] if served.gives_embedding else ()
        return Scores(served.version, rows, embeddings)

    async def versions(self, model: str, timeout_seconds: float) -> Mapping[int, VersionStatus]:
        return self.known

    async def check(self, timeout_seconds: float) -> None:
        if self.check_error is not None:
            raise self.check_error

    async def aclose(self) -> None:
        self.is_closed = True


class FakeModelStore:
    """A gateway.ports.store.ModelStore in memory."""

    def __init__(self) -> None:
        self.versions: dict[str, list[int]] = {}
        self.rollouts: dict[str, Rollout] = {}
        self.bad_cards: set[tuple[str, int]] = set()
        self.config = ""
        self.own_configs: dict[str, str] = {}
        """models.config of each model by itself."""
        self.config_history: list[str] = []

    def scan(self) -> Sequence[StoredModel]:
        return [
            StoredModel(name, list(versions), self.rollouts.get(name))
            for name, versions in sorted(self.versions.items())
        ]

    def card(self, model: str, version: int) -> ModelCard:
        if (model, version) in self.bad_cards:
            raise CardError(f"version {version} has no model_card.json")
        return make_card(model)

    def delete_version(self, model: str, version: int) -> None:
        self.versions[model].remove(version)

    def write_rollout(self, rollout: Rollout) -> None:
        self.rollouts[rollout.model] = rollout

    def read_config(self, model: str | None = None) -> str:
        return self.config if model is None else self.own_configs.get(model, "")

    def write_config(self, text: str, model: str | None = None) -> None:
        if model is not None:
            self.own_configs[model] = text
            return
        self.config = text
        self.config_history.append(text)
