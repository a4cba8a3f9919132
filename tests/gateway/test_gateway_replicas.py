"""Spread, loss, freezing and return of replicas, over real gRPC servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc
import pytest
from gateway_fakes import FakeModelServer, FakePredictor, eventually, make_card, picture
from gateway_harness import RunningGateway, StartGateway

from gateway.adapters.discovery import Discovery
from gateway.errors import ReplicaLostError, ReplicaSlowError
from gateway.metrics import Metrics
from gateway.ports.serving import ServedVersion
from gateway.serving import replica as replica_module
from gateway.serving.batching import BatchQueue
from gateway.serving.replicas import Replicas

pytestmark = pytest.mark.anyio

StartModelServer = Callable[..., FakeModelServer]


async def statuses(gateway: RunningGateway, requests: int) -> list[int]:
    """The statuses of so many predictions, one after the other."""
    return [(await gateway.predict(files={"images": picture()})).status_code for _ in range(requests)]


async def test_idle_replicas_share_the_work(
    start_gateway: StartGateway, start_model_server: StartModelServer
) -> None:
    """While one replica is held, the others answer everything; each has a channel of its own."""
    servers = [start_model_server() for _ in range(3)]
    gateway = await start_gateway(*servers)
    await gateway.becomes("/readyz", lambda response: all(response.json()["replicas"].values()))
    servers[0].flowing.clear()
    held = [asyncio.create_task(gateway.predict(files={"images": picture()})) for _ in range(3)]
    await eventually(lambda: bool(servers[0].calls))
    assert await statuses(gateway, 4) == [200] * 4
    servers[0].flowing.set()
    assert {(await request).status_code for request in held} == {200}
    assert all(server.calls for server in servers)


async def test_a_replica_that_dies_loses_no_request_and_takes_part_again(
    start_gateway: StartGateway, start_model_server: StartModelServer
) -> None:
    """One of two servers is killed with calls on it and comes back: every answer is 200."""
    dying, staying = start_model_server(), start_model_server()
    gateway = await start_gateway(dying, staying)
    await gateway.becomes("/readyz", lambda response: all(response.json()["replicas"].values()))
    dying.flowing.clear()
    held = [asyncio.create_task(gateway.predict(files={"images": picture()})) for _ in range(4)]
    await eventually(lambda: bool(dying.calls))
    await asyncio.to_thread(dying.stop)
    assert {(await request).status_code for request in held} == {200}
    assert await statuses(gateway, 5) == [200] * 5
    dying.calls.clear()
    dying.flowing.set()
    dying.start()
    await gateway.becomes("/readyz", lambda response: all(response.json()["replicas"].values()))
    assert await statuses(gateway, 4) == [200] * 4
    assert dying.calls


async def test_the_only_replica_may_restart_within_the_deadline(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """With one server the lost call is repeated on the same after it is back."""
    gateway = await start_gateway(
        model_server, predictor={"outage_patience_seconds": 10, "deadline_seconds": 20}
    )
    model_server.flowing.clear()
    held = asyncio.create_task(gateway.predict(files={"images": picture()}))
    await eventually(lambda: bool(model_server.calls))
    await asyncio.to_thread(model_server.stop)
    model_server.flowing.set()
    model_server.start()
    assert (await held).status_code == 200


async def test_an_outage_is_said_at_once_and_ends_by_itself(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """No server for longer than the patience: 503 with Retry-After, /readyz says which; then 200 again."""
    gateway = await start_gateway(model_server, predictor={"outage_patience_seconds": 0})
    await asyncio.to_thread(model_server.stop)
    await gateway.becomes("/readyz", lambda response: response.status_code == 503)
    ready = (await gateway.client.get("/readyz")).json()
    assert (ready["code"], ready["missing"]) == ("not_ready", ["model_server"])
    refused = await gateway.predict(files={"images": picture()})
    assert (refused.status_code, refused.json()["code"]) == (503, "no_replica")
    assert int(refused.headers["retry-after"]) > 0
    model_server.start()
    await gateway.becomes("/readyz", lambda response: response.status_code == 200)
    assert await statuses(gateway, 1) == [200]


async def test_a_frozen_replica_is_put_aside_and_its_call_answered_by_another(
    start_gateway: StartGateway, start_model_server: StartModelServer
) -> None:
    """Connection open, no answers: within the deadline another replica answers, and it takes part again."""
    frozen, well = start_model_server(), start_model_server()
    gateway = await start_gateway(frozen, well)
    await gateway.becomes("/readyz", lambda response: all(response.json()["replicas"].values()))
    frozen.flowing.clear()
    responses = await asyncio.gather(*(gateway.predict(files={"images": picture()}) for _ in range(8)))
    assert {response.status_code for response in responses} == {200}
    await gateway.becomes("/readyz", lambda response: response.json()["replicas"][frozen.address] is False)
    frozen.flowing.set()
    await gateway.becomes("/readyz", lambda response: all(response.json()["replicas"].values()))


async def test_an_upstream_that_takes_too_long_is_504(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """The only replica holds the call beyond the deadline: 504, and the next request is answered."""
    gateway = await start_gateway(model_server, predictor={"deadline_seconds": 0.3})
    model_server.flowing.clear()
    late = await gateway.predict(files={"images": picture()})
    assert (late.status_code, late.json()["code"]) == (504, "deadline")
    model_server.flowing.set()
    await gateway.becomes("/readyz", lambda response: response.status_code == 200)
    assert await statuses(gateway, 1) == [200]


@pytest.mark.parametrize(
    ("code", "status", "problem"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 502, "replica_rejected"),
        (grpc.StatusCode.INTERNAL, 502, "replica_rejected"),
        (grpc.StatusCode.NOT_FOUND, 503, "no_version"),
    ],
)
async def test_refusals_of_the_model_server(
    gateway: RunningGateway,
    model_server: FakeModelServer,
    code: grpc.StatusCode,
    status: int,
    problem: str,
) -> None:
    """What the server refuses is 502, what it does not hold is 503; the next request is unharmed."""
    model_server.refuse_with = code
    response = await gateway.predict(files={"images": picture()})
    assert (response.status_code, response.json()["code"]) == (status, problem)
    assert ("retry-after" in response.headers) == (status == 503)
    model_server.refuse_with = None
    assert await statuses(gateway, 1) == [200]


async def test_an_answer_of_the_wrong_shape_is_502(
    gateway: RunningGateway, model_server: FakeModelServer
) -> None:
    """Seven classes where the card has four labels cannot be right."""
    model_server.classes = 7
    response = await gateway.predict(files={"images": picture()})
    assert (response.status_code, response.json()["code"]) == (502, "replica_rejected")
    assert "[1, 7] instead of [1, 4]" in response.json()["detail"]


async def test_a_replica_without_the_version_does_not_attract_the_traffic(
    start_gateway: StartGateway, start_model_server: StartModelServer
) -> None:
    """A fresh replica that refuses instantly pauses; the loaded one answers nearly everything."""
    empty, loaded = start_model_server(), start_model_server()
    gateway = await start_gateway(empty, loaded)
    await gateway.becomes("/readyz", lambda response: all(response.json()["replicas"].values()))
    empty.available = {}
    answered = await statuses(gateway, 20)
    assert answered.count(200) >= 18
    assert len(empty.calls) < len(loaded.calls)


# --- the fleet with fake predictors --------------------------------------------------------------

SERVED = ServedVersion("shades", 1, make_card())


class Fleet:
    """Replicas over fake predictors; `names` is what discovery answers."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        self.predictors: dict[str, FakePredictor] = {}
        self.queue = BatchQueue(8, 64, Metrics())
        self.replicas = Replicas(self._discover, self._connect, self.queue, Metrics(), in_flight=1)

    async def _discover(self) -> frozenset[str]:
        return self.names

    def _connect(self, address: str) -> FakePredictor:
        return self.predictors.setdefault(address, FakePredictor(address))

    async def resolve(self, *names: str) -> None:
        self.names = frozenset(names)
        await self.replicas.resolve()

    async def submit(self) -> int:
        deadline = asyncio.get_running_loop().time() + 20
        return (await self.queue.submit(SERVED, [b"\x00"], deadline)).version


async def test_replicas_appear_and_disappear_with_their_names() -> None:
    """A name that leaves is retired after its running call; one that comes is pulled in."""
    fleet = Fleet()
    await fleet.resolve("one:1")
    one = fleet.predictors["one:1"]
    one.may_answer.clear()
    running = asyncio.create_task(fleet.submit())
    await eventually(lambda: bool(one.batches))
    await fleet.resolve("two:1")
    assert await fleet.submit() == 1
    assert fleet.predictors["two:1"].batches
    assert not one.is_closed
    one.may_answer.set()
    assert await running == 1
    await eventually(lambda: one.is_closed)
    assert list(fleet.replicas.states()) == ["two:1"]
    await fleet.replicas.aclose()


async def test_a_slow_probe_never_puts_the_last_replica_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow is better than none; with another one well it is put aside, and lost always is."""
    monkeypatch.setattr(replica_module, "PROBE_SECONDS", 0.01)
    monkeypatch.setattr(replica_module, "PROBE_BACK_SECONDS", 0.01)
    fleet = Fleet()
    await fleet.resolve("one:1")
    one = fleet.predictors["one:1"]
    await eventually(lambda: fleet.replicas.states() == {"one:1": True})
    one.check_error = ReplicaSlowError("slow")
    assert await fleet.submit() == 1
    await fleet.resolve("one:1", "two:1")
    await eventually(lambda: fleet.replicas.states() == {"one:1": False, "two:1": True})
    fleet.predictors["two:1"].check_error = ReplicaLostError("gone")
    await eventually(lambda: not any(fleet.replicas.states().values()))
    await fleet.replicas.aclose()


async def test_discovery_resolves_names_and_keeps_what_it_knew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name stands for all its IPv4 addresses; when it stops resolving the last ones stay."""
    answers: list[list[str] | OSError] = [["10.0.0.1", "10.0.0.2"], OSError("no such name")]

    async def look_up(*_: object, **__: object) -> list[tuple[object, ...]]:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        import socket

        version_6 = (socket.AF_INET6, 1, 6, "", ("fd00::1", 8500, 0, 0))
        return [*((socket.AF_INET, 1, 6, "", (host, 8500)) for host in answer), version_6]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    discovery = Discovery(["models:8500", "127.0.0.1:9", "[::1]:9"])
    expected = {"10.0.0.1:8500", "10.0.0.2:8500", "127.0.0.1:9", "[::1]:9"}
    assert await discovery() == expected
    assert await discovery() == expected
