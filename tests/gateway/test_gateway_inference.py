"""The Open Inference Protocol: Triton's own client from PyPI, JSON by hand, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from gateway_fakes import LABELS, SIZE, TOP_SCORE, FakeModelServer, picture
from gateway_harness import RunningGateway

np = pytest.importorskip("numpy", reason="only in the development environment")
triton = pytest.importorskip("tritonclient.http", reason="only in the development environment")

pytestmark = pytest.mark.anyio

MODEL = "/v2/models/shades"
INFER = f"{MODEL}/infer"


class TritonClient:
    """Triton's HTTP client in a thread of its own: it blocks, and is bound to one thread."""

    def __init__(self, port: int) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._client = self._thread.submit(triton.InferenceServerClient, f"127.0.0.1:{port}").result()

    async def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call one of its methods."""
        call = functools.partial(getattr(self._client, method), *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def close(self) -> None:
        """Close the client where it lives."""
        self._thread.submit(self._client.close).result()
        self._thread.shutdown()


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[TritonClient]:
    """Triton's client before the gateway."""
    made = TritonClient(gateway.port)
    yield made
    made.close()


def grey(*values: int) -> Any:
    """Images of one colour each: uint8, [N, SIZE, SIZE, 3]."""
    return np.stack([np.full((SIZE, SIZE, 3), value, np.uint8) for value in values])


def tensor(name: str, array: Any, *, binary: bool, datatype: str = "UINT8") -> Any:
    """An input of the client."""
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


async def test_health_and_metadata_by_tritons_client(client: TritonClient) -> None:
    """Live, ready, and the tensors that there are."""
    assert await client("is_server_live")
    assert await client("is_server_ready")
    assert await client("is_model_ready", "shades")
    assert await client("is_model_ready", "shades", "1")
    assert not await client("is_model_ready", "nobody")
    assert "binary_tensor_data" in (await client("get_server_metadata"))["extensions"]
    metadata = await client("get_model_metadata", "shades")
    assert metadata["versions"] == ["1"]
    assert metadata["inputs"][0] == {"name": "images", "datatype": "UINT8", "shape": [-1, SIZE, SIZE, 3]}
    assert metadata["outputs"][0] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, len(LABELS)]}


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("version", ["", "1"])
async def test_tensors_by_tritons_client(client: TritonClient, binary: bool, version: str) -> None:
    """Raw and as JSON, with and without a version: the same numbers."""
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("probabilities", "labels")]
    sent = [tensor("images", grey(10, 200), binary=binary)]
    answer = await client("infer", "shades", sent, version, outputs, request_id="mine")
    scores = answer.as_numpy("probabilities")
    assert scores.shape == (2, len(LABELS))
    assert scores.dtype == np.float32
    assert scores.argmax(1).tolist() == [0, 3]
    assert scores.max() == pytest.approx(TOP_SCORE)
    labels = [item.decode() if isinstance(item, bytes) else item for item in answer.as_numpy("labels")]
    assert labels == ["dark", "bright"]
    assert answer.get_response()["id"] == "mine"
    assert answer.get_response()["model_version"] == "1"


@pytest.mark.parametrize("binary", [True, False])
async def test_encoded_pictures_by_tritons_client(client: TritonClient, binary: bool) -> None:
    """Whole files as BYTES: decoded as everywhere else; in JSON as base64."""
    files = [picture(10, 30, 20), picture(200, form="JPEG")]
    elements = files if binary else [base64.b64encode(file) for file in files]
    sent = [tensor("encoded_images", np.array(elements, np.object_), binary=binary, datatype="BYTES")]
    answer = await client("infer", "shades", sent)
    assert answer.as_numpy("probabilities").argmax(1).tolist() == [0, 3]


async def test_the_history_remembers(gateway: RunningGateway, client: TritonClient) -> None:
    """Tensors without a picture, encoded pictures with it."""
    await client("infer", "shades", [tensor("images", grey(10), binary=True)])
    encoded = np.array([picture(200)], np.object_)
    await client("infer", "shades", [tensor("encoded_images", encoded, binary=True, datatype="BYTES")])
    page = await gateway.becomes(
        "/v1/predictions", lambda answer: answer.is_success and len(answer.json()["predictions"]) == 2
    )
    with_picture, without = page.json()["predictions"]
    assert (with_picture["picture"] is None, without["picture"] is None) == (False, True)


async def test_a_refusal_reads_as_tritons_exception(client: TritonClient) -> None:
    """With our sentence in it."""
    with pytest.raises(
        triton.InferenceServerException if hasattr(triton, "InferenceServerException") else Exception,
        match="no model",
    ):
        await client("infer", "nobody", [tensor("images", grey(1), binary=True)])


def image_input(**changes: Any) -> dict[str, Any]:
    """A request of one black image, with changes to its input."""
    data = [0] * (SIZE * SIZE * 3)
    return {
        "inputs": [
            {"name": "images", "shape": [1, SIZE, SIZE, 3], "datatype": "UINT8", "data": data} | changes
        ]
    }


BAD = [
    (b"", 422),
    (b"{", 422),
    (b"[]", 422),
    (b"\xff\xfe", 422),
    (json.dumps({"inputs": []}).encode(), 422),
    (json.dumps(image_input(name="x")).encode(), 422),
    (json.dumps(image_input(datatype="FP32")).encode(), 422),
    (json.dumps(image_input(shape=[1, 9, 9, 3])).encode(), 422),
    (json.dumps(image_input(shape=[-1, SIZE, SIZE, 3])).encode(), 422),
    (json.dumps(image_input(shape=[0, SIZE, SIZE, 3], data=[])).encode(), 422),
    (json.dumps(image_input(shape=[2, SIZE, SIZE, 3])).encode(), 422),
    (json.dumps(image_input(shape=[2**31, SIZE, SIZE, 3])).encode(), 413),
    (json.dumps(image_input(data=None)).encode(), 422),
    (json.dumps(image_input(data=[256] * (SIZE * SIZE * 3))).encode(), 422),
    (json.dumps(image_input(data=["a"] * (SIZE * SIZE * 3))).encode(), 422),
    (json.dumps(image_input(parameters={"binary_data_size": 10})).encode(), 422),
    (json.dumps(image_input(parameters={"binary_data_size": -1})).encode(), 422),
    (json.dumps(image_input(parameters={"binary_data_size": True})).encode(), 422),
    (json.dumps(image_input() | {"outputs": [{"name": "x"}]}).encode(), 422),
    (json.dumps({"inputs": image_input()["inputs"] * 2}).encode(), 422),
    (
        json.dumps(
            {"inputs": [{"name": "encoded_images", "shape": [1], "datatype": "BYTES", "data": ["%"]}]}
        ).encode(),
        422,
    ),
    (
        json.dumps(
            {"inputs": [{"name": "encoded_images", "shape": [1], "datatype": "BYTES", "data": ["AAAA"]}]}
        ).encode(),
        400,
    ),
    (b'{"inputs":' + b"[" * 10_000, 422),
]


async def test_bad_requests_are_refused_with_a_sentence(gateway: RunningGateway) -> None:
    """Status, our problem, and the member `error` of the protocol."""
    for body, status in BAD:
        answer = await gateway.client.post(INFER, content=body)
        assert answer.status_code == status, (body[:120], answer.text[:300])
        assert answer.json()["error"] == answer.json()["detail"]
    for length in ("-1", "99999", "x", "1" * 30):
        headers = {"Inference-Header-Content-Length": length}
        answer = await gateway.client.post(INFER, json=image_input(), headers=headers)
        assert answer.status_code == 422
    assert (await gateway.client.post(f"{MODEL}/versions/x/infer", json=image_input())).status_code == 422
    assert (await gateway.client.post(f"{MODEL}/versions/9/infer", json=image_input())).status_code == 404
    assert (await gateway.client.post(INFER, json=image_input())).status_code == 200


async def test_raw_bytes_that_nobody_claims_are_refused(gateway: RunningGateway) -> None:
    """And an element longer than its tensor."""
    text = json.dumps(image_input()).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    assert (await gateway.client.post(INFER, content=text + b"xx", headers=headers)).status_code == 422
    entry = {
        "name": "encoded_images",
        "shape": [1],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": 6},
    }
    text = json.dumps({"inputs": [entry]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    body = text + b"\xff\xff\xff\xff" + b"xx"
    assert (await gateway.client.post(INFER, content=body, headers=headers)).status_code == 422


async def test_not_ready_without_a_model_server(start_gateway: Any, model_server: FakeModelServer) -> None:
    """Live all the same."""
    gateway = await start_gateway(is_ready=False)
    assert (await gateway.client.get("/v2/health/live")).status_code == 200
    assert (await gateway.client.get("/v2/health/ready")).status_code == 503
