"""Every metric of the server, in the words of those who record: a request ended, a batch ran, a load failed.

Upstream labels a failed request with whatever model name the caller sent, so that strangers can fill the
memory of a Prometheus; here all names that no one has configured count as one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client import Counter as OwnCounter
from prometheus_client import Histogram as OwnHistogram
from prometheus_client.exposition import generate_latest

from model_server.errors import Code, ServingError
from model_server.metrics.exporter import Counter, Histogram, exponential

UNKNOWN_MODEL = "(unknown)"
RUNTIME = "TF1"
"""As upstream names the runtime of a session."""

_MICROSECONDS = exponential(10, 1.8, 33)
_QUEUE_MICROSECONDS = exponential(100, 1.2, 52)
_EXAMPLES = exponential(1, 2, 15)
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_QUEUE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_LOAD_SECONDS = (0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250)


@dataclass
class Asked:
    """What is known of a request while it runs."""

    model: str
    version: int | None = None


class Metrics:
    """Records and exposes. Every method may be called from any thread, and costs microseconds."""

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        """`is_known(model)`: whether a model of that name is configured."""
        self._is_known = is_known
        serving = ":tensorflow:serving:"
        self._requests = Counter(f"{serving}request_count", ("model_name", "status"))
        self._latency = Histogram(
            f"{serving}request_latency", ("model_name", "API", "entrypoint"), _MICROSECONDS
        )
        self._runtime = Histogram(
            f"{serving}runtime_latency", ("model_name", "API", "runtime"), _MICROSECONDS
        )
        self._examples = Histogram(f"{serving}request_example_counts", ("model",), _EXAMPLES)
        self._example_count = Counter(f"{serving}request_example_count_total", ("model",))
        self._load_attempts = Counter(
            ":tensorflow:cc:saved_model:load_attempt_count", ("model_path", "status")
        )
        self._load_latency = Counter(":tensorflow:cc:saved_model:load_latency", ("model_path",))
        self._warmup = Histogram(f"{serving}model_warmup_latency", ("model_path", "status"), _MICROSECONDS)
        self._batch_queue = Histogram(
            f"{serving}batching_session:queuing_latency", ("thread_pool_name",), _QUEUE_MICROSECONDS
        )
        self._upstream = (
            self._requests,
            self._latency,
            self._runtime,
            self._examples,
            self._example_count,
            self._load_attempts,
            self._load_latency,
            self._warmup,
            self._batch_queue,
        )
        self._declare_own()

    def _declare_own(self) -> None:
        self._own = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._own)
        prefix = "rekindle_model_server"
        of_version = ("model_name", "version")
        self._own_requests = OwnCounter(
            f"{prefix}_requests", "Answered requests.", (*of_version, "status"), registry=self._own
        )
        self._in_flight = Gauge(
            f"{prefix}_requests_in_flight", "Requests that are being answered.", registry=self._own
        )
        self._batch_sizes = OwnHistogram(
            f"{prefix}_batch_examples",
            "Examples in one call into TensorFlow.",
            of_version,
            buckets=_BATCH_SIZES,
            registry=self._own,
        )
        self._queue_seconds = OwnHistogram(
            f"{prefix}_queue_seconds",
            "Seconds that a request waited for its call into TensorFlow.",
            of_version,
            buckets=_QUEUE_SECONDS,
            registry=self._own,
        )
        self._load_seconds = OwnHistogram(
            f"{prefix}_load_seconds",
            "Seconds of a load, warm-up included.",
            ("model_name", "status"),
            buckets=_LOAD_SECONDS,
            registry=self._own,
        )

        self._precision = Gauge(
            f"{prefix}_precision",
            "Of each version and each precision below float32 that was tried: 1 if it computes in it.",
            ("model_path", "precision"),
            registry=self._own,
        )
        self._label_agreement = Gauge(
            f"{prefix}_label_agreement",
            "Share of the reference inputs that get the same label in this precision as in float32.",
            ("model_path", "precision"),
            registry=self._own,
        )

    def request(
        self, api: str, entrypoint: str, model: str, version: int | None, code: Code, seconds: float
    ) -> None:
        """A request has ended. `api` is Predict, Classify, Regress or MultiInference."""
        name = model if self._is_known(model) else UNKNOWN_MODEL
        self._requests.add(name, code.name)
        self._own_requests.labels(name, "" if version is None else str(version), code.name).inc()
        if code is Code.OK:
            self._latency.observe(seconds * 1e6, name, api, entrypoint)

    @contextmanager
    def measured(self, api: str, entrypoint: str, model: str) -> Iterator[Asked]:
        """Record the request that is answered inside the block; a ServingError that leaves it is its end."""
        started = time.perf_counter()
        asked, code = Asked(model), Code.INTERNAL
        self._in_flight.inc()
        try:
            yield asked
            code = Code.OK
        except ServingError as error:
            code = error.code
            raise
        finally:
            self.request(api, entrypoint, model, asked.version, code, time.perf_counter() - started)
            self._in_flight.dec()

    def examples(self, model: str, count: int) -> None:
        """A request of Classify, Regress or MultiInference brought that many tf.Examples."""
        self._examples.observe(count, model)
        self._example_count.add(model, amount=count)

    def ran(self, api: str, model: str, seconds: float) -> None:
        """A request spent that long between its inputs and its outputs."""
        self._runtime.observe(seconds * 1e6, model, api, RUNTIME)

    def batch(self, model: str, version: int, examples: int) -> None:
        """TensorFlow was called once for that many examples."""
        self._batch_sizes.labels(model, str(version)).observe(examples)

    def queued(self, model: str, version: int, seconds: float) -> None:
        """A request waited that long for its call."""
        self._queue_seconds.labels(model, str(version)).observe(seconds)

    def queued_for_batch(self, seconds: float) -> None:
        """With --enable_batching, a request waited that long for its batch; upstream names no pool either."""
        self._batch_queue.observe(seconds * 1e6, "")

    def warmed_up(self, path: str, code: Code, seconds: float) -> None:
        """The warm-up requests of a version have run, or could not be read."""
        self._warmup.observe(seconds * 1e6, path, code.name)

    def load(self, model: str, path: str, code: Code, seconds: float) -> None:
        """A version was loaded, or failed to."""
        status = "success" if code is Code.OK else "fail"
        self._load_attempts.add(path, status)
        self._load_latency.add(path, amount=int(seconds * 1e6))
        self._load_seconds.labels(model, code.name).observe(seconds)

    def precision(self, path: str, precision: str, is_chosen: bool, label_agreement: float | None) -> None:
        """A version computes in this precision, or does not; None where nothing was compared."""
        self._precision.labels(path, precision).set(is_chosen)
        if label_agreement is not None:
            self._label_agreement.labels(path, precision).set(label_agreement)

    def totals(self) -> dict[str, int]:
        """How many requests were answered, and how many are not yet: for the last line of the log."""
        return {"answered": self._requests.total(), "in_flight": int(self._in_flight._value.get())}

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text form."""
        lines = [line for metric in self._upstream for line in metric.lines()]
        return "\n".join([*lines, ""]).encode() + generate_latest(self._own)
