"""A model server that stands before the real one and makes some versions worse: fail, wait, or be wrong.

`python -m load_tests.live.proxy PORT TARGET FAULTS`, where FAULTS is a file {"2": {"fails": 0.3}, "3":
{"seconds": 0.2}, "4": {"wrong": 0.15}} that is read again whenever it changes. Calls pass as they are;
`wrong` turns that share of the answers into another class, whichever they were.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any

import grpc

from contract import tfserving_api as api


class Proxy:
    """Both services that a gateway asks."""

    def __init__(self, target: str, faults: Path) -> None:
        self._channel = grpc.aio.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)])
        self._faults = faults
        self._read_at = 0.0
        self._known: dict[str, dict[str, float]] = {}
        self._chance = random.Random(1)

    def fault(self, version: int) -> dict[str, float]:
        """What is wrong with a version now."""
        changed_at = self._faults.stat().st_mtime_ns
        if changed_at != self._read_at:
            self._known, self._read_at = json.loads(self._faults.read_text()), changed_at
        return self._known.get(str(version), {})

    async def predict(self, request: bytes, context: Any) -> bytes:
        """Pass a Predict on, made worse."""
        parsed = api.PredictRequest.FromString(request)
        fault = self.fault(parsed.model_spec.version.value)
        if self._chance.random() < fault.get("fails", 0.0):
            await context.abort(grpc.StatusCode.INTERNAL, "this version fails as told")
        await asyncio.sleep(fault.get("seconds", 0.0))
        answer = await self._pass_on(api.PREDICT, request, context)
        return self._wronged(answer, fault["wrong"]) if "wrong" in fault else answer

    async def status(self, request: bytes, context: Any) -> bytes:
        """Pass a GetModelStatus on."""
        return await self._pass_on(api.GET_MODEL_STATUS, request, context)

    async def _pass_on(self, method: str, request: bytes, context: Any) -> bytes:
        try:
            call = self._channel.unary_unary(method, bytes, bytes)  # messages pass as they are
            answer: bytes = await call(request, timeout=30)
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "")
        return answer

    def _wronged(self, answer: bytes, share: float) -> bytes:
        response = api.PredictResponse.FromString(answer)
        name = next(iter(response.outputs))
        rows = [list(row) for row in api.float_rows(response.outputs[name])]
        for row in rows:
            if self._chance.random() < share:  # the best and the worst change places
                best, worst = row.index(max(row)), row.index(min(row))
                row[best], row[worst] = row[worst], row[best]
        tensor = response.outputs[name]
        tensor.tensor_content = b""
        del tensor.float_val[:]
        tensor.float_val.extend(score for row in rows for score in row)
        changed: bytes = response.SerializeToString()
        return changed


async def main(port: int, target: str, faults: Path) -> None:
    """Serve until killed."""
    proxy = Proxy(target, faults)
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    for service, name, method in (
        (api.PREDICTION_SERVICE, "Predict", proxy.predict),
        (api.MODEL_SERVICE, "GetModelStatus", proxy.status),
    ):
        handler = grpc.unary_unary_rpc_method_handler(method)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: handler}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
