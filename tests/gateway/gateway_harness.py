"""A whole gateway on a real loopback socket, for the tests that look at it from outside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from gateway_fakes import eventually

from gateway.api.services import ControlServices
from gateway.app import create_app
from gateway.server import listen
from gateway.settings import ServerSettings, Settings


@dataclass
class RunningGateway:
    """A gateway that listens on loopback."""

    url: str
    port: int
    client: httpx.AsyncClient
    services: ControlServices
    """Of the role `predict`: the fewer of gateway.api.services.Services."""

    async def predict(self, model: str = "shades", **options: Any) -> httpx.Response:
        """POST to the prediction route."""
        return await self.client.post(f"/v1/models/{model}/predictions", **options)

    async def becomes(self, path: str, condition: Callable[[httpx.Response], bool]) -> httpx.Response:
        """GET until the condition holds, at most 20 s."""
        async with asyncio.timeout(20):
            while True:
                response = await self.client.get(path)
                if condition(response):
                    return response
                await asyncio.sleep(0.02)


StartGateway = Callable[..., Awaitable[RunningGateway]]


class _QuietServer(uvicorn.Server):
    """Leaves the signals of the test process alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def running_gateway(settings: Settings, *, is_ready: bool = True) -> AsyncIterator[RunningGateway]:
    """A gateway on a free port, ready to predict unless told otherwise."""
    app = create_app(settings)
    listener = listen(ServerSettings(port=0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(app, ws="none", log_config=None, access_log=False, lifespan="on")
    server = _QuietServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await eventually(lambda: server.started or serving.done())
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
            gateway = RunningGateway(url, port, client, app.state.services)
            if is_ready:
                await gateway.becomes("/readyz", lambda response: response.status_code == 200)
            yield gateway
    finally:
        server.should_exit = True
        await serving
