"""Versions come and go on the disk while clients predict."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from model_servers import Running, eventually, image_request, running, value_of

pytestmark = pytest.mark.tensorflow

Publish = Callable[[Path, int], Path]


class Clients:
    """Predict without pause from several threads, and remember what was answered."""

    def __init__(self, server: Running, count: int) -> None:
        self._server = server
        self._is_over = threading.Event()
        self.answers: list[tuple[int, float]] = []
        self.failures: list[Exception] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                response = self._server.predict()
            except Exception as error:
                self.failures.append(error)
            else:
                self.answers.append((response.model_spec.version.value, value_of(response)))

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()


def test_no_call_fails_while_versions_are_swapped(tmp_path: Path, publish: Publish) -> None:
    """Eight clients, two swaps: every call is answered, by the version that it names."""
    base_path = tmp_path / "tiny"
    publish(base_path, 1)
    with running("--model_name=tiny", f"--model_base_path={base_path}") as server:
        with Clients(server, 8) as clients:
            for number in (2, 3):
                publish(base_path, number)
                eventually(lambda number=number: server.states() == _only(number))
                seen = len(clients.answers)
                eventually(lambda seen=seen: len(clients.answers) > seen + 8)
        assert clients.failures == []
        assert all(version == value for version, value in clients.answers)
        versions = [version for version, _ in clients.answers]
        assert set(versions) == {1, 2, 3}
        assert versions[-1] == 3


def _only(number: int) -> dict[int, str]:
    return {number: "AVAILABLE"} | dict.fromkeys(range(1, number), "END")


def test_a_corrupt_version_leaves_the_old_one_serving(
    tmp_path: Path, publish: Publish, caplog: pytest.LogCaptureFixture
) -> None:
    """Its error is told by status and log; repaired, it is loaded."""
    base_path = tmp_path / "tiny"
    publish(base_path, 1)
    flags = ("--model_name=tiny", f"--model_base_path={base_path}", "--max_num_load_retries=0")
    with running(*flags) as server:
        (base_path / "2").mkdir()
        (base_path / "2" / "saved_model.pb").write_bytes(b"this is no SavedModel")
        (base_path / "3").mkdir()
        eventually(lambda: server.states() == {1: "AVAILABLE", 3: "END"})
        (base_path / "3").rmdir()
        eventually(lambda: server.states() == {1: "AVAILABLE", 2: "END", 3: "END"})
        assert value_of(server.predict()) == 1
        two, three = (
            server.http.get(f"/v1/models/tiny/versions/{number}").json()["model_version_status"][0]["status"]
            for number in (2, 3)
        )
        assert two["error_code"] == "DATA_LOSS"
        assert three["error_code"] == "NOT_FOUND"
        assert "Could not find SavedModel .pb or .pbtxt at supplied export directory" in caplog.text
        (base_path / "2").rename(base_path / ".broken")
        publish(base_path, 2)
        eventually(lambda: server.states()[2] == "AVAILABLE")
        assert value_of(server.predict()) == 2


def config_text(base_path: Path, versions: list[int], **labels: int) -> str:
    chosen = " ".join(f"versions: {number}" for number in versions)
    named = " ".join(f'version_labels {{ key: "{key}" value: {value} }}' for key, value in labels.items())
    return (
        f'model_config_list {{ config {{ name: "tiny" base_path: "{base_path}" '
        f'model_platform: "tensorflow" model_version_policy {{ specific {{ {chosen} }} }} {named} }} }}'
    )


def test_a_label_moves_by_the_configuration_file(tmp_path: Path, publish: Publish, exports: Path) -> None:
    """First the version, then the label, then the old version goes; a half-written file changes nothing."""
    path = tmp_path / "models.config"

    def configure(*arguments: Any, **labels: int) -> None:
        staging = tmp_path / "models.config.new"
        staging.write_text(config_text(exports, *arguments, **labels))
        staging.rename(path)

    def answered_by_label() -> float:
        return value_of(server.predict(version_label="stable"))

    configure([1], stable=1)
    with running(
        f"--model_config_file={path}",
        "--model_config_file_poll_wait_seconds=1",
        "--allow_version_labels_for_unavailable_models",
    ) as server:
        assert answered_by_label() == 1
        configure([1, 2], stable=1)
        eventually(lambda: server.states() == {1: "AVAILABLE", 2: "AVAILABLE"})
        path.write_text(config_text(exports, [2], stable=2)[:60])
        assert answered_by_label() == 1
        configure([2], stable=2)
        eventually(lambda: server.states() == {1: "END", 2: "AVAILABLE"})
        assert answered_by_label() == 2


def warm_up(version: Path, *records: bytes) -> None:
    import tensorflow as tf

    path = version / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda path: path.write_bytes(b"no records" * 100),
            "Please verify your warmup data is in TFRecord format",
        ),
        (lambda path: None, 'Serving signature key "nope" not found.'),
    ],
)
def test_warm_up_requests_are_replayed_and_must_succeed(
    tmp_path: Path,
    publish: Publish,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], None],
    words: str,
) -> None:
    """Good records are replayed before a version is AVAILABLE; a bad one fails the load."""
    import logging

    from contract import tfserving_api as api

    caplog.set_level(logging.INFO)
    good, bad = api.PredictionLog(), api.PredictionLog()
    good.predict_log.request.CopyFrom(image_request(images=3))
    bad.predict_log.request.CopyFrom(image_request(signature_name="nope"))
    base_path = tmp_path / "tiny"
    warm_up(publish(base_path, 1), good.SerializeToString(), good.SerializeToString())
    flags = ("--model_name=tiny", f"--model_base_path={base_path}", "--max_num_load_retries=0")
    with running(*flags) as server:
        replayed = [record for record in caplog.records if record.message == "warm-up requests replayed"]
        assert [record.__dict__["records"] for record in replayed] == [2]
        staging = publish(tmp_path / "staging", 2)
        warm_up(staging, bad.SerializeToString())
        spoil(staging / "assets.extra" / "tf_serving_warmup_requests")
        staging.rename(base_path / "2")
        eventually(lambda: server.states() == {1: "AVAILABLE", 2: "END"})
        status = server.http.get("/v1/models/tiny/versions/2").json()["model_version_status"][0]["status"]
        assert words in status["error_message"]


def test_tensors_may_be_answered_as_content(exports: Path) -> None:
    """--enable_serialization_as_tensor_content answers bytes in place of numbers."""
    with running(
        "--model_name=tiny", f"--model_base_path={exports}", "--enable_serialization_as_tensor_content"
    ) as server:
        response = server.predict()
        assert len(response.outputs["probabilities"].tensor_content) == 40
        assert value_of(response) == 3
