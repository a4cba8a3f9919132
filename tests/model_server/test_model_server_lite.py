"""--prefer_tflite_model: model.tflite answers as its SavedModel would, and a bad one harms nobody."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from lite_models import converted, signature_def, with_metadata, without_signatures, without_suffixes
from model_servers import Running, eventually, image_request, running, value_of

from contract import tfserving_api as api
from model_server.errors import Code, ServingError
from model_server.runtime import lite, memory
from model_server.runtime.lite import LiteServable, LiteSettings
from model_server.runtime.memory import Room

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def content(exports: Path) -> bytes:
    """Version 3 as TF Lite, with three of its signatures."""
    return converted(exports / "3", ["serving_default", "combine", "echo"])


@pytest.fixture(scope="module")
def images_only(exports: Path) -> bytes:
    """Version 3 as TF Lite, with its default signature."""
    return converted(exports / "3", ["serving_default"])


@pytest.fixture(scope="module")
def server(exports: Path, content: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Version 1 a SavedModel alone, version 3 with a TF Lite model beside a SavedModel of version 2."""
    base_path = tmp_path_factory.mktemp("lite") / "tiny"
    shutil.copytree(exports / "1", base_path / "1")
    shutil.copytree(exports / "2", base_path / "3")
    (base_path / "3" / "model.tflite").write_bytes(content)
    config = base_path.parent / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "tiny" base_path: "{base_path}" model_platform: "tensorflow" '
        "model_version_policy { all {} } } }"
    )
    with running(f"--model_config_file={config}", "--prefer_tflite_model") as started:
        yield started


def test_the_tflite_model_is_preferred_and_the_saved_model_the_fallback(server: Running) -> None:
    """Both answer side by side, and the same request fits both."""
    eventually(lambda: server.states() == {3: "AVAILABLE", 1: "AVAILABLE"})
    assert value_of(server.predict(version=3)) == 3
    assert value_of(server.predict(version=1)) == 1


def test_a_batch_may_be_of_any_size(server: Running) -> None:
    """The input is resized, and back again."""
    for images in (1, 7, 300, 1):
        reply = server.call(api.PREDICT, image_request(images=images), api.PredictResponse)
        assert [len(row) for row in api.float_rows(reply.outputs["probabilities"])] == [10] * images


def test_every_signature_of_the_file_answers(server: Running) -> None:
    """Over REST: two named inputs, and text with bytes that are no UTF-8."""
    body = {"signature_name": "combine", "inputs": {"a": [1.0, 2.0], "b": [3.0, 4.0]}}
    reply = server.http.post("/v1/models/tiny:predict", json=body)
    assert (reply.status_code, reply.json()["outputs"]) == (200, {"sum": [4.0, 6.0], "product": [3.0, 8.0]})
    body = {"signature_name": "echo", "instances": [{"b64": "/wA="}, "a\u00e9"]}
    reply = server.http.post("/v1/models/tiny:predict", json=body)
    assert reply.status_code == 200, reply.text
    assert [row["text_bytes"] for row in reply.json()["predictions"]] == [{"b64": "/wA="}, {"b64": "YcOp"}]


def test_the_metadata_are_those_of_the_file(server: Running) -> None:
    """Names, types and shapes, with the batch left open."""
    found = server.http.get("/v1/models/tiny/metadata").json()["metadata"]["signature_def"]["signature_def"]
    assert sorted(found) == ["combine", "echo", "serving_default"]
    images = found["serving_default"]["inputs"]["images"]
    assert images["dtype"] == "DT_UINT8"
    assert [entry["size"] for entry in images["tensor_shape"]["dim"]] == ["-1", "32", "32", "3"]
    assert found["serving_default"]["method_name"] == "tensorflow/serving/predict"


def test_callers_at_once_each_get_their_own(server: Running) -> None:
    """Merged or not, whatever interpreter runs them."""

    def ask(number: int) -> list[float]:
        rows = number % 5 + 1
        body = {"signature_name": "combine", "inputs": {"a": [float(number)] * rows, "b": [1.0] * rows}}
        sums: list[float] = server.http.post("/v1/models/tiny:predict", json=body).json()["outputs"]["sum"]
        return sums

    with ThreadPoolExecutor(16) as threads:
        for number, sums in enumerate(threads.map(ask, range(200))):
            assert sums == [number + 1.0] * (number % 5 + 1)


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [
        ((1, 32, 31, 3), np.uint8, r"arrived as uint8 \[1, 32, 31, 3\], the signature expects uint8"),
        ((1, 3072), np.uint8, "the signature expects"),
        ((0, 32, 32, 3), np.uint8, "arrived empty"),
        ((1, 32, 32, 3), np.float32, "arrived as float32"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    server: Running, shape: tuple[int, ...], dtype: Any, words: str
) -> None:
    """INVALID_ARGUMENT, before the runtime sees them; the next request is answered."""
    request = api.PredictRequest()
    request.model_spec.name = "tiny"
    tensor = request.inputs["images"]
    tensor.dtype = {np.uint8: 4, np.float32: 1}[dtype]
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = np.zeros(shape, dtype).tobytes()
    with pytest.raises(grpc.RpcError, match=words) as raised:
        server.call(api.PREDICT, request, api.PredictResponse)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert value_of(server.predict()) == 3


def test_a_run_that_fails_is_told_and_the_next_one_answered(server: Running) -> None:
    """Shapes that the signature allows and the graph does not; the interpreters go on."""
    for _ in range(lite.INTERPRETERS + 1):
        body = {"signature_name": "combine", "inputs": {"a": [1.0, 2.0], "b": [1.0, 2.0, 3.0]}}
        reply = server.http.post("/v1/models/tiny:predict", json=body)
        assert reply.status_code == 400
        assert "Failed to invoke TfLite interpreter" in reply.json()["error"]
    body = {"signature_name": "combine", "inputs": {"a": [1.0], "b": [2.0]}}
    reply = server.http.post("/v1/models/tiny:predict", json=body)
    assert reply.json()["outputs"] == {"sum": [3.0], "product": [2.0]}


def load(folder: Path, content: bytes, **settings: int) -> LiteServable:
    folder.mkdir(exist_ok=True)
    (folder / "model.tflite").write_bytes(content)
    return LiteSettings(**settings).load(folder)


def first_of(servable: LiteServable, name: str, rows: int = 2) -> float:
    """The first value of a signature's one output for black images."""
    signature = servable.signatures[name]
    (alias,), outputs = signature.inputs, list(signature.outputs)
    (array,) = servable.run(signature, {alias: np.zeros([rows, 32, 32, 3], np.uint8)}, outputs)
    assert array.shape == (rows, 10)
    return float(array[0, 0])


def test_a_file_without_signatures_gets_one(tmp_path: Path, images_only: bytes) -> None:
    """As upstream: serving_default, of the tensors' names without their `:0`."""
    servable = load(tmp_path, without_signatures(images_only))
    (signature,) = servable.signatures.values()
    assert (signature.name, list(signature.inputs)) == ("serving_default", ["serving_default_images"])
    assert first_of(servable, "serving_default") == 3


def test_a_file_without_a_default_signature_gets_one_beside_its_own(tmp_path: Path, content: bytes) -> None:
    """Of the primary graph, which both then run."""
    servable = load(tmp_path, without_signatures(content, "combine"))
    assert sorted(servable.signatures) == ["combine", "serving_default"]
    default, combine = servable.signatures["serving_default"], servable.signatures["combine"]
    assert sorted(default.inputs) == ["combine_a", "combine_b"]
    values = {"a": np.float32([3, 4]), "b": np.float32([5, 6])}
    (product,) = servable.run(combine, values, ["product"])
    assert product.tolist() == [15.0, 24.0]
    named = {f"combine_{alias}": array for alias, array in values.items()}
    (either,) = servable.run(default, named, list(default.outputs))
    assert either.tolist() in ([15.0, 24.0], [8.0, 10.0])


@pytest.mark.parametrize("is_early", [False, True])
def test_signatures_in_the_metadata_come_first(tmp_path: Path, images_only: bytes, is_early: bool) -> None:
    """With the aliases that they give; early converters left the `:0` of the tensors' names out."""
    plain = load(tmp_path, without_signatures(images_only))
    (output,) = (spec.tensor_name for spec in plain.signatures["serving_default"].outputs.values())
    definition = signature_def({"pixels": "serving_default_images:0"}, {"scores": output})
    file = without_suffixes(images_only) if is_early else images_only
    servable = load(tmp_path, with_metadata(file, {"named": definition}))
    assert list(servable.signatures) == ["named"]
    assert servable.signatures["named"].describe() == (
        "named(pixels: uint8 [?,32,32,3]) -> (scores: float [?,10])"
    )
    assert first_of(servable, "named") == 3


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (
            signature_def({"pixels": "nobody"}, {}),
            "pixels references an unknown tensor: Unknown tensor 'nobody'",
        ),
        (b"\xff\xff\xff", "Invalid SignatureDefs found in TfLite model"),
    ],
)
def test_metadata_that_cannot_be_used_fail_the_load(
    tmp_path: Path, images_only: bytes, definition: bytes, words: str
) -> None:
    """In upstream's words."""
    with pytest.raises(ServingError, match=words):
        load(tmp_path, with_metadata(images_only, {"named": definition}))


def test_a_deadline_passes_while_every_interpreter_is_busy(tmp_path: Path, images_only: bytes) -> None:
    """The one that waits is told, and the next is answered."""
    servable = load(tmp_path, images_only, interpreters=1)
    taken = servable._pool.take(None)
    signature = servable.signatures["serving_default"]
    arguments = (signature, {"images": np.zeros([1, 32, 32, 3], np.uint8)}, ["probabilities"])
    with pytest.raises(ServingError) as raised:
        servable.run(*arguments, 0.01)
    assert raised.value.code is Code.DEADLINE_EXCEEDED
    waiting = threading.Thread(target=servable.run, args=arguments)
    waiting.start()
    servable._pool.put(taken)
    waiting.join(60)
    assert not waiting.is_alive()


def serve_second(
    server: Running, base_path: Path, publish: Callable[[Path, int], Path], content: bytes
) -> dict[str, str]:
    """Publish version 2 with this file; the status with which it ended."""
    staging = publish(base_path / ".staging", 2)
    (staging / "model.tflite").write_bytes(content)
    staging.rename(base_path / "2")
    eventually(lambda: server.states().get(2) == "END")
    status: dict[str, str] = server.http.get("/v1/models/tiny/versions/2").json()["model_version_status"][0][
        "status"
    ]
    return status


@pytest.mark.parametrize("spoilt", ["junk", "half", "empty"])
def test_a_file_that_cannot_be_read_leaves_the_version_that_serves(
    tmp_path: Path, publish: Callable[[Path, int], Path], images_only: bytes, spoilt: str
) -> None:
    """The load fails with a reason; the SavedModel beside it is not served in its place."""
    base_path = tmp_path / "tiny"
    publish(base_path, 1)
    bad = {"junk": b"junk" * 100, "half": images_only[: len(images_only) // 2], "empty": b""}[spoilt]
    arguments = ("--model_name=tiny", f"--model_base_path={base_path}", "--max_num_load_retries=0")
    with running(*arguments, "--prefer_tflite_model") as server:
        status = serve_second(server, base_path, publish, bad)
        assert status["error_code"] == "INVALID_ARGUMENT"
        assert "Cannot build FlatBufferModel from" in status["error_message"]
        assert value_of(server.predict()) == 1


def test_without_the_package_the_load_fails_and_the_server_goes_on(
    tmp_path: Path,
    publish: Callable[[Path, int], Path],
    images_only: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The status says what to install."""
    base_path = tmp_path / "tiny"
    publish(base_path, 1)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    arguments = ("--model_name=tiny", f"--model_base_path={base_path}", "--max_num_load_retries=0")
    with running(*arguments, "--prefer_tflite_model") as server:
        status = serve_second(server, base_path, publish, images_only)
        assert status["error_code"] == "FAILED_PRECONDITION"
        assert "needs the package ai-edge-litert" in status["error_message"]
        assert value_of(server.predict()) == 1


def test_the_memory_of_a_tflite_model_is_checked(
    tmp_path: Path, images_only: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own size, not by the SavedModel's beside it."""
    servable = load(tmp_path, images_only)
    servable.close()
    needed = LiteSettings().memory(tmp_path)
    monkeypatch.setattr(memory, "room", lambda: Room(needed - 1, 2 * needed))
    with (
        pytest.raises(ServingError, match="does not fit into memory"),
        memory.MemoryGuard().reserve(tmp_path, needed),
    ):
        pass


def test_tensorflow_is_not_needed(tmp_path: Path, images_only: bytes) -> None:
    """A process that serves TF Lite alone does not import it."""
    load(tmp_path, images_only)
    code = (
        "import sys; from pathlib import Path; from model_server.runtime.loading import SavedModelLoader\n"
        "from model_server.runtime.lite import LiteSettings\n"
        "from model_server.runtime.session import SessionSettings\n"
        "load = SavedModelLoader(SessionSettings(), preferred_lite=LiteSettings())\n"
        "servable = load('tiny', Path(sys.argv[1]))\n"
        "print(sorted(servable.signatures), 'tensorflow' in sys.modules)"
    )
    version = tmp_path.rename(tmp_path.with_name("1"))
    done = subprocess.run([sys.executable, "-c", code, str(version)], capture_output=True, text=True)
    assert done.stdout == "['serving_default'] False\n", done.stderr


def test_flags_say_how_many_interpreters_there_are() -> None:
    """Pools times interpreters in each."""
    from model_server import command_line, composition
    from model_server.runtime.session import Threads

    def chosen(*arguments: str) -> LiteSettings:
        return composition._lite(command_line.parse(["--model_base_path=/m", *arguments]), Threads(3))

    assert chosen() == LiteSettings(lite.INTERPRETERS, 3)
    assert chosen("--num_tflite_pools=4").interpreters == 4
    assert chosen("--num_tflite_pools=2", "--num_tflite_interpreters_per_pool=3").interpreters == 6
