"""--enable_batching: batches as the parameters say, and a queue that refuses what it cannot hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
from model_servers import eventually, image_request, running, value_of
from test_model_server_merging import Servable, first_value, signature

from contract import tfserving_api as api
from model_server.errors import Code, ServingError
from model_server.inference import batch_parameters, together
from model_server.inference.batch_parameters import BatchParameters
from model_server.inference.batching import BatchingRun
from model_server.runtime.tensors import Array

A_LONG_TIME = 600.0


class Callers:
    """Callers of one servable behind a gate, on threads of their own."""

    def __init__(self, servable: Servable, **parameters: object) -> None:
        observer = SimpleNamespace(
            batch=lambda *_: None, queued=lambda *_: None, queued_for_batch=lambda _: None
        )
        settings = BatchParameters(**{"num_batch_threads": 1, **parameters})  # type: ignore[arg-type]
        self.servable = servable
        self.run = BatchingRun(settings, observer)
        self._threads = ThreadPoolExecutor(32)
        self._asked = 0

    def ask(
        self, value: float, rows: int = 1, timeout: float | None = None, columns: int = 2
    ) -> Future[list[Array]]:
        """Send a request; returns when it waits, runs or has been answered."""
        self._asked += rows
        arguments = (signature(), {"x": np.full([rows, columns], value, np.float32)}, ["y"], timeout)
        future = self._threads.submit(self.run, self.servable, *arguments)
        eventually(lambda: self.seen() >= self._asked or future.done())
        return future

    def block(self, value: float) -> Future[list[Array]]:
        """A request that runs until the gate opens, so that those after it wait."""
        future = self.ask(value)
        eventually(lambda: self.servable.sizes == [1])
        return future

    def seen(self) -> int:
        """Examples that wait or run; for a moment one that a thread has just taken is neither."""
        queued = sum(batch.examples for queue in list(self.run._queues.values()) for batch in list(queue))
        return queued + sum(self.servable.sizes)


@pytest.fixture
def servable() -> Iterator[Servable]:
    """Behind a gate that opens at the end."""
    made = Servable()
    yield made
    made.gate.set()


def test_a_batch_runs_when_it_is_full(servable: Servable) -> None:
    """However long its timeout is."""
    servable.gate.set()
    callers = Callers(servable, max_batch_size=3, batch_timeout_seconds=A_LONG_TIME)
    futures = [callers.ask(float(value)) for value in range(3)]
    assert [first_value(future) for future in futures] == [0.0, 2.0, 4.0]
    assert servable.sizes == [3]


def test_a_batch_runs_when_its_first_request_has_waited_long_enough(servable: Servable) -> None:
    """However empty it is."""
    servable.gate.set()
    callers = Callers(servable, max_batch_size=100, batch_timeout_seconds=0.01)
    assert first_value(callers.ask(1.0)) == 2.0
    assert servable.sizes == [1]


def test_batches_are_filled_up_to_an_allowed_size(servable: Servable) -> None:
    """The graph sees 4 rows for 3 examples; the callers see their own."""
    callers = Callers(servable, max_batch_size=8, allowed_batch_sizes=(1, 4, 8))
    first = callers.block(0.0)
    futures = [callers.ask(float(value)) for value in range(1, 4)]
    servable.gate.set()
    assert [first_value(future) for future in (first, *futures)] == [0.0, 2.0, 4.0, 6.0]
    assert all(len(future.result()[0]) == 1 for future in futures)
    assert servable.sizes == [1, 4]


def test_a_full_queue_refuses(servable: Servable) -> None:
    """UNAVAILABLE in upstream's words; what waits is answered."""
    callers = Callers(servable, max_batch_size=1, max_enqueued_batches=2)
    futures = [callers.block(0.0), callers.ask(1.0), callers.ask(2.0)]
    with pytest.raises(
        ServingError, match="The batch scheduling queue to which this task was submitted is full"
    ) as raised:
        callers.ask(9.0).result(60)
    assert raised.value.code is Code.UNAVAILABLE
    servable.gate.set()
    assert [first_value(future) for future in futures] == [0.0, 2.0, 4.0]


def test_a_request_above_the_limit_is_refused(servable: Servable) -> None:
    """INVALID_ARGUMENT, with both sizes."""
    with pytest.raises(ServingError, match="Task size 5 is larger than maximum input batch size 4"):
        Callers(servable, max_batch_size=4).ask(1.0, rows=5).result(60)


def test_a_large_request_is_split_where_that_is_allowed(servable: Servable) -> None:
    """And its answer is put together again."""
    servable.gate.set()
    callers = Callers(servable, max_batch_size=10, max_execution_batch_size=4)
    (array,) = callers.ask(1.0, rows=10).result(60)
    assert array.tolist() == [[2.0, 2.0]] * 10
    assert servable.sizes == [4, 4, 2]


def test_a_bad_request_fails_alone_in_its_batch(servable: Servable) -> None:
    """Its neighbours are answered."""
    callers = Callers(servable)
    first = callers.block(0.0)
    good, bad = callers.ask(1.0), callers.ask(-1.0)
    servable.gate.set()
    assert (first_value(first), first_value(good)) == (0.0, 2.0)
    with pytest.raises(ServingError, match="negative"):
        bad.result(60)


def test_rows_of_different_lengths_share_a_batch_where_that_is_allowed(servable: Servable) -> None:
    """Each is filled up to the longest with its own first value, as upstream; the answers stay so long."""
    callers = Callers(servable, pads_inputs=True)
    first = callers.block(0.0)
    futures = [callers.ask(1.0, columns=2), callers.ask(2.0, columns=4), callers.ask(3.0, columns=3)]
    servable.gate.set()
    assert first_value(first) == 0.0
    answers = [future.result(60)[0].tolist() for future in futures]
    assert answers == [[[2.0] * 4], [[4.0] * 4], [[6.0] * 4]]
    assert servable.sizes == [1, 3]


def test_rows_of_different_lengths_run_apart_otherwise(servable: Servable) -> None:
    """Each keeps its length."""
    callers = Callers(servable)
    first = callers.block(0.0)
    futures = [callers.ask(1.0, columns=2), callers.ask(2.0, columns=4)]
    servable.gate.set()
    assert first_value(first) == 0.0
    assert [future.result(60)[0].shape for future in futures] == [(1, 2), (1, 4)]
    assert servable.sizes == [1, 1, 1]


def test_rows_that_cannot_be_put_together_run_apart(
    servable: Servable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For want of memory, say: nobody waits for ever, and the thread of the batches goes on."""

    def fails(*_: object) -> Array:
        raise MemoryError

    monkeypatch.setattr(together, "_joined", fails)
    callers = Callers(servable)
    first = callers.block(0.0)
    futures = [callers.ask(1.0), callers.ask(2.0)]
    servable.gate.set()
    assert [first_value(future) for future in (first, *futures, callers.ask(3.0))] == [0.0, 2.0, 4.0, 6.0]


def test_what_is_filled_up_is_the_end_of_every_dimension() -> None:
    """With the first value of the request's own array; rows are never added by it."""
    array = np.array([[[b"a", b"b"]], [[b"c", b"d"]]], dtype=object)
    filled = together._filled(array, (2, 3))
    assert filled.tolist() == [[[b"a", b"b", b"a"], [b"a"] * 3], [[b"c", b"d", b"a"], [b"a"] * 3]]


def test_a_deadline_passes_in_the_queue(servable: Servable) -> None:
    """That request alone is told."""
    callers = Callers(servable)
    first = callers.block(1.0)
    with pytest.raises(ServingError) as raised:
        callers.ask(2.0, timeout=0.05).result(60)
    assert raised.value.code is Code.DEADLINE_EXCEEDED
    servable.gate.set()
    assert first_value(first) == 2.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_batch_size { value: 0 }", "max_batch_size must be positive, got 0"),
        ("allowed_batch_sizes: 2 allowed_batch_sizes: 1", "entries must be monotonically increasing"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: 4", "must equal max_batch_size; got 4 and 8"),
        ("max_batch: 1", "is not a BatchingParameters in text form"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(tmp_path: Path, text: str, words: str) -> None:
    """At the start, in one sentence."""
    path = tmp_path / "batching.config"
    path.write_text(text)
    with pytest.raises(ServingError, match=words):
        batch_parameters.read(path)


@pytest.mark.tensorflow
def test_waits_for_batches_are_counted_as_upstream_counts_them(exports: Path, tmp_path: Path) -> None:
    """In a histogram whose pool has no name, and only with --enable_batching."""
    monitoring, common = tmp_path / "monitoring.config", tmp_path / "batching.config"
    monitoring.write_text("prometheus_config { enable: true }")
    common.write_text("pad_variable_length_inputs: true")
    arguments = ["--model_name=tiny", f"--model_base_path={exports}", "--enable_batching"]
    arguments += [f"--batching_parameters_file={common}", f"--monitoring_config_file={monitoring}"]
    with running(*arguments) as server:
        assert [value_of(server.predict()) for _ in range(3)] == [3, 3, 3]
        page = server.http.get("/monitoring/prometheus/metrics").text
    name = ":tensorflow:serving:batching_session:queuing_latency"
    assert f'{name}_bucket{{thread_pool_name="",le="100"}}' in page
    assert f'{name}_count{{thread_pool_name=""}} 3' in page


@pytest.mark.tensorflow
def test_a_server_batches_as_its_files_say(tmp_path: Path, publish: Callable[[Path, int], Path]) -> None:
    """The version's own file limits its requests, where the flag lets it; the common file does not."""
    version = publish(tmp_path / "tiny", 1)
    (version / "batching_params.pbtxt").write_text("max_batch_size { value: 4 }")
    common = tmp_path / "batching.config"
    common.write_text("max_batch_size { value: 16 } batch_timeout_micros { value: 0 }")
    arguments = ["--model_name=tiny", f"--model_base_path={tmp_path / 'tiny'}", "--enable_batching"]
    arguments.append(f"--batching_parameters_file={common}")
    with running(*arguments) as server:
        assert value_of(server.call(api.PREDICT, image_request(images=16), api.PredictResponse)) == 1
    with running(*arguments, "--enable_per_model_batching_parameters") as server:
        assert value_of(server.call(api.PREDICT, image_request(images=4), api.PredictResponse)) == 1
        with pytest.raises(grpc.RpcError, match="Task size 16 is larger than maximum input batch size 4"):
            server.call(api.PREDICT, image_request(images=16), api.PredictResponse)
