"""More than 10,000 requests that went wrong, and the server that goes on as if nothing had been."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import mutants
import pytest
from example_models import export
from lite_models import converted
from model_servers import image_request, value_of

from contract import tfserving_api as api
from load_tests.model_server.child import Child, child, predict_method

pytestmark = [pytest.mark.tensorflow, pytest.mark.timeout(600)]

EACH_RPC = 1100
EACH_ROUTE = 900
GROWTH_MB = 250.0
"""What the whole run may add to the memory of the process once it has seen a tenth of it."""

STATED_EQUALS = {
    "UNIMPLEMENTED": "MultiInference with an unknown method_name, and custom model configurations",
    "INTERNAL": "a message that is no protobuf, for which gRPC answers before any handler, and a signature "
    "of a method that Predict does not serve, for which upstream says INTERNAL too",
}
EXPECTED = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "DEADLINE_EXCEEDED", "CANCELLED"}
ROUTES = (
    *("/v1/models/tiny:predict", "/v1/models/tiny/versions/1:predict", "/v1/models/examples:classify"),
    *("/v1/models/examples:regress", "/v1/models/tiny", "/v1/models/tiny/metadata"),
)
STRANGE_PATHS = (
    "",
    "/",
    "/v1",
    "/v1/models",
    "/v1/models/%00",
    "/v1/models/tiny/versions/x",
    "/v1/models/a:b",
)


@pytest.fixture(scope="module")
def server(exports: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """A process of its own, so that a crash is seen as one and its memory can be read.

    Version 1 of `tiny`, which `stable` names, is a TF Lite model.
    """
    folder = tmp_path_factory.mktemp("fuzz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export(folder / "examples" / "3")
    tiny = shutil.copytree(exports, folder / "tiny")
    (tiny / "1" / "model.tflite").write_bytes(
        converted(exports / "1", ["serving_default", "combine", "echo"])
    )
    config = folder / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "tiny" base_path: "{tiny}" model_platform: "tensorflow" '
        "model_version_policy { specific { versions: 1 versions: 2 } } "
        'version_labels { key: "stable" value: 1 } } '
        f'config {{ name: "examples" base_path: "{folder / "examples"}" model_platform: "tensorflow" }} }}'
    )
    arguments = (f"--model_config_file={config}", "--allow_version_labels_for_unavailable_models")
    arguments += ("--prefer_tflite_model",)
    with child(*arguments, log=folder / "server.log") as started:
        yield started


def is_right(server: Child) -> bool:
    """Whether a valid request still gets the right answer, and no call failed by a mistake of ours."""
    assert server.log is not None
    assert "call failed" not in server.log.read_text()
    with grpc.insecure_channel(server.address) as channel:
        response = predict_method(channel)(image_request(version=2).SerializeToString(), timeout=60)
    return server.process.poll() is None and value_of(response) == 2


def code_of(channel: grpc.Channel, path: str, content: bytes) -> str:
    try:
        channel.unary_unary(path)(content, timeout=5)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def is_harmless(path: str, content: bytes) -> bool:
    """A mutant of a reload that would be a good configuration is not sent: it would take the models away."""
    if path != api.RELOAD_CONFIG:
        return True
    try:
        return not api.ReloadConfigRequest.FromString(content).config.HasField("model_config_list")
    except Exception:
        return True


def grpc_mutants(path: str, count: int) -> list[bytes]:
    dice = random.Random(path)
    seeds = mutants.seeds()
    others = [content for found in seeds.values() for content in found]
    found: list[bytes] = []
    while len(found) < count:
        builder = mutants.BUILDERS.get(path)
        if builder is not None and dice.random() < 0.6:
            found.append(builder(dice))
            continue
        content = mutants.mutated(dice.choice(seeds[path]), others, dice)
        if is_harmless(path, content):
            found.append(content)
    return found


@pytest.mark.parametrize("path", list(mutants.seeds()))
def test_grpc_survives_mutants(server: Child, path: str) -> None:
    """Every mutant has an answer with a code that a caller's mistake deserves; memory stays bounded."""
    contents = grpc_mutants(path, EACH_RPC)
    with grpc.insecure_channel(server.address) as channel, ThreadPoolExecutor(8) as threads:
        codes = Counter(
            threads.map(lambda content: code_of(channel, path, content), contents[: EACH_RPC // 10])
        )
        before = server.resident_mb()
        codes += Counter(
            threads.map(lambda content: code_of(channel, path, content), contents[EACH_RPC // 10 :])
        )
    assert codes.total() == EACH_RPC
    assert codes.keys() <= EXPECTED | STATED_EQUALS.keys(), codes
    assert len(codes) > 1, codes
    assert is_right(server)
    assert server.resident_mb() - before < GROWTH_MB


def rest_mutants(route: str, count: int) -> Iterator[tuple[str, str, bytes, dict[str, str]]]:
    """Method, path, body and headers."""
    dice = random.Random(route)
    valid = json.dumps({"instances": [[[[0, 0, 0]] * 32] * 32]}).encode()
    for _ in range(count):
        body = mutants.strange_json(dice)
        if dice.random() < 0.3:
            body = mutants.mutated(valid if dice.random() < 0.5 else body, [valid], dice)
        headers = {}
        if dice.random() < 0.1:
            headers["content-encoding"] = "gzip"
            body = gzip.compress(body) if dice.random() < 0.5 else body
        method = "GET" if ":" not in route else dice.choice(("POST",) * 9 + ("GET", "PUT", "DELETE"))
        path = route if dice.random() < 0.9 else dice.choice(STRANGE_PATHS)
        yield method, path, body, headers


@pytest.mark.parametrize("route", ROUTES)
def test_rest_survives_mutants(server: Child, route: str) -> None:
    """No 5xx, an error is always JSON with its words, and the next valid request is answered."""
    statuses: Counter[int] = Counter()
    before = server.resident_mb()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.rest_port}", timeout=60) as client:
        for method, path, body, headers in rest_mutants(route, EACH_ROUTE):
            reply = client.request(method, path, content=body, headers=headers)
            statuses[reply.status_code] += 1
            if reply.status_code != 200:
                assert reply.json()["error"], (method, path, body[:200])
    assert statuses.total() == EACH_ROUTE
    assert max(statuses) < 500, statuses
    assert is_right(server)
    assert server.resident_mb() - before < GROWTH_MB


def test_the_mutants_are_more_than_ten_thousand() -> None:
    """The sum of the above."""
    assert EACH_RPC * len(mutants.seeds()) + EACH_ROUTE * len(ROUTES) >= 10_000


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"instances": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"instances": [' + b"0, " * 2_000_000, "JSON Parse error"),
        (b" " * 100_000_000, "JSON Parse error"),
        (b"\xff\xfe", "JSON Parse error"),
        (b'{"instances": 1' + b"0" * 5000 + b"}", "JSON Parse error"),
    ],
)
def test_bombs_are_refused(server: Child, body: bytes, words: str) -> None:
    """Deep nesting, endless lists, 100 MB of nothing: a 400 with its reason."""
    reply = httpx.post(
        f"http://127.0.0.1:{server.rest_port}/v1/models/tiny:predict", content=body, timeout=60
    )
    assert reply.status_code == 400
    assert words in reply.json()["error"]
    assert is_right(server)


def test_a_gzip_bomb_is_refused(server: Child) -> None:
    """300 MB that arrive as 300 KB."""
    body = gzip.compress(bytes(300 * 2**20), 1)
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/tiny:predict"
    reply = httpx.post(url, content=body, headers={"content-encoding": "gzip"}, timeout=60)
    assert reply.status_code == 413
    assert is_right(server)


def test_a_message_of_100_mb_is_answered(server: Child) -> None:
    """A tensor that says less than it brings is refused, whatever its size."""
    request = image_request()
    request.inputs["images"].tensor_content = bytes(100_000_000)
    with grpc.insecure_channel(server.address) as channel:
        assert code_of(channel, api.PREDICT, request.SerializeToString()) == "INVALID_ARGUMENT"
    assert is_right(server)
