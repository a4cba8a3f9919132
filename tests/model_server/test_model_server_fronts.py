"""What surrounds the two APIs: metrics, health, reflection, TLS, Unix sockets, channel arguments, CORS."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from model_servers import Running, eventually, image_request, running, value_of
from prometheus_client.parser import text_string_to_metric_families

from contract import tfserving_api as api
from model_server.errors import ServingError
from model_server.fronts import tls

pytestmark = pytest.mark.tensorflow

METRICS = "/monitoring/prometheus/metrics"


@pytest.fixture(scope="module")
def server(exports: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with everything that is off by default."""
    folder = tmp_path_factory.mktemp("fronts")
    monitoring = folder / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    with running(
        "--model_name=tiny",
        f"--model_base_path={exports}",
        f"--monitoring_config_file={monitoring}",
        f"--grpc_socket_path={folder / 'grpc.sock'}",
        "--rest_api_enable_cors_support",
        "--enable_grpc_healthcheck_service",
    ) as started:
        yield started


def samples(server: Running) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample by its name and labels, as they are written: the library's parser renames counters."""
    text = server.http.get(METRICS).text
    assert len(list(text_string_to_metric_families(text))) > 10
    found = {}
    for line in text.splitlines():
        if match := re.fullmatch(r"([\w:]+)\{(.*)\} (\S+)", line):
            labels = re.findall(r'(\w+)="([^"]*)"', match[2])
            found[match[1], frozenset(labels)] = float(match[3])
    return found


def value(server: Running, name: str, **labels: str) -> float:
    return samples(server).get((name, frozenset(labels.items())), 0.0)


def test_requests_are_counted_under_upstream_s_names(server: Running) -> None:
    """Count, latency and runtime by model; the two fronts apart."""
    latency = ":tensorflow:serving:request_latency_count"
    before = value(server, ":tensorflow:serving:request_count", model_name="tiny", status="OK")
    grpc_before = value(server, latency, model_name="tiny", API="Predict", entrypoint="GRPC")
    rest_before = value(server, latency, model_name="tiny", API="Predict", entrypoint="REST")
    server.predict()
    server.http.post("/v1/models/tiny:predict", json={"instances": [[[[0, 0, 0]] * 32] * 32]})
    assert value(server, ":tensorflow:serving:request_count", model_name="tiny", status="OK") == before + 2
    assert value(server, latency, model_name="tiny", API="Predict", entrypoint="GRPC") == grpc_before + 1
    assert value(server, latency, model_name="tiny", API="Predict", entrypoint="REST") == rest_before + 1
    assert (
        value(
            server,
            ":tensorflow:serving:runtime_latency_count",
            model_name="tiny",
            API="Predict",
            runtime="TF1",
        )
        > 0
    )
    assert (
        value(server, "rekindle_model_server_requests_total", model_name="tiny", version="3", status="OK")
        >= 2
    )
    assert value(server, "rekindle_model_server_batch_examples_count", model_name="tiny", version="3") >= 2
    assert value(server, "rekindle_model_server_load_seconds_count", model_name="tiny", status="OK") >= 1


def test_names_that_nobody_configured_count_as_one(server: Running) -> None:
    """Strangers cannot fill the memory of a Prometheus."""
    for name in ("a", "b", 'c"\n'):
        with pytest.raises(grpc.RpcError):
            server.predict(name)
    text = server.http.get(METRICS).text
    assert ':tensorflow:serving:request_count{model_name="(unknown)",status="NOT_FOUND"} 3' in text
    assert 'model_name="a"' not in text


def test_metrics_are_off_unless_configured(tiny: Running) -> None:
    """As upstream: no monitoring configuration, no page."""
    assert tiny.http.get(METRICS).status_code == 404


def test_a_browser_may_call_with_cors(server: Running, tiny: Running) -> None:
    """The preflight and the answer carry the headers; without the flag neither does."""
    preflight = server.http.options("/v1/models/tiny:predict", headers={"Origin": "http://a.example"})
    assert preflight.status_code == 200
    for reply in (preflight, server.http.get("/v1/models/tiny")):
        assert reply.headers["access-control-allow-origin"] == "*"
        assert reply.headers["access-control-allow-methods"] == "POST, GET"
        assert reply.headers["access-control-allow-headers"] == "Content-Type"
    assert "access-control-allow-origin" not in tiny.http.get("/v1/models/tiny").headers


def check(channel: grpc.Channel, service: str = "") -> str:
    request = health_pb2.HealthCheckRequest(service=service)
    status = health_pb2_grpc.HealthStub(channel).Check(request, timeout=60).status
    return name_of(status)


def name_of(status: int) -> str:
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(status))


def test_health_is_serving_when_the_models_are(server: Running, tiny: Running) -> None:
    """For the server and each of its services; without the flag there is no health service."""
    for service in ("", api.PREDICTION_SERVICE, api.MODEL_SERVICE):
        assert check(server.channel, service) == "SERVING"
    with pytest.raises(grpc.RpcError) as raised:
        check(server.channel, "nobody")
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.RpcError) as raised:
        check(tiny.channel)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_health_follows_the_models_and_the_drain(
    tmp_path: Path, publish: Callable[[Path, int], Path]
) -> None:
    """A watcher hears NOT_SERVING when the last version goes, SERVING when one comes, and the drain."""
    heard: list[str] = []
    version = publish(tmp_path / "tiny", 1)
    with running(
        "--model_name=tiny", f"--model_base_path={tmp_path / 'tiny'}", "--enable_grpc_healthcheck_service"
    ) as server:
        watched = health_pb2_grpc.HealthStub(server.channel).Watch(
            health_pb2.HealthCheckRequest(), timeout=120
        )

        def listen() -> None:
            with contextlib.suppress(grpc.RpcError):
                heard.extend(name_of(response.status) for response in watched)

        listener = threading.Thread(target=listen)
        listener.start()
        eventually(lambda: heard == ["SERVING"])
        version.rename(tmp_path / "away")
        eventually(lambda: heard[-1] == "NOT_SERVING")
        publish(tmp_path / "tiny", 2)
        eventually(lambda: heard[-1] == "SERVING")
        server.server.close(seconds=0)
        eventually(lambda: heard[-1] == "NOT_SERVING")
    watched.cancel()
    listener.join(timeout=60)


def test_reflection_describes_every_service(server: Running) -> None:
    """A client that knows nothing finds the services, their methods and their messages."""
    database = ProtoReflectionDescriptorDatabase(server.channel)
    assert {api.PREDICTION_SERVICE, api.MODEL_SERVICE, "grpc.health.v1.Health"} <= set(
        database.get_services()
    )
    file = database.FindFileContainingSymbol(api.PREDICTION_SERVICE)
    assert [method.name for method in file.service[0].method] == [
        path.rpartition("/")[2]
        for path in (api.CLASSIFY, api.REGRESS, api.PREDICT, api.MULTI_INFERENCE, api.GET_MODEL_METADATA)
    ]
    assert database.FindFileContainingSymbol("tensorflow.TensorProto")


def test_a_unix_socket_is_served_too(server: Running) -> None:
    """Beside the port, without TLS."""
    path = server.server._flags.grpc_socket_path
    with grpc.insecure_channel(f"unix:{path}") as channel:
        assert value_of(ask(channel)) == 3


def ask(channel: grpc.Channel) -> Any:
    stub = channel.unary_unary(
        api.PREDICT,
        request_serializer=api.PredictRequest.SerializeToString,
        response_deserializer=api.PredictResponse.FromString,
    )
    return stub(image_request(), timeout=60)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A key and a certificate for localhost that signs itself."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout {key} "
        f"-out {certificate} -addext subjectAltName=DNS:localhost".split(),
        check=True,
        capture_output=True,
    )
    return key.read_text(), certificate.read_text()


def ssl_config(path: Path, certificate: tuple[str, str], client_verify: bool = False) -> Path:
    key, chain = (text.replace("\n", "\\n") for text in certificate)
    path.write_text(
        f'server_key: "{key}" server_cert: "{chain}" custom_ca: "{chain}" '
        f"client_verify: {str(client_verify).lower()}"
    )
    return path


@pytest.mark.parametrize("client_verify", [False, True])
def test_tls_is_served_as_configured(
    exports: Path, tmp_path: Path, certificate: tuple[str, str], client_verify: bool
) -> None:
    """A client that trusts the certificate is answered; with client_verify only one that has its own."""
    config = ssl_config(tmp_path / "ssl.config", certificate, client_verify)
    key, chain = (text.encode() for text in certificate)
    known = grpc.ssl_channel_credentials(chain, key, chain)
    stranger = grpc.ssl_channel_credentials(chain)
    with running(
        "--model_name=tiny", f"--model_base_path={exports}", f"--ssl_config_file={config}"
    ) as server:
        address = f"localhost:{server.grpc_port}"
        with grpc.secure_channel(address, known) as channel:
            assert value_of(ask(channel)) == 3
        with grpc.secure_channel(address, stranger) as channel:
            if client_verify:
                with pytest.raises(grpc.RpcError) as raised:
                    ask(channel)
                assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
            else:
                assert value_of(ask(channel)) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("server_key: 'x'", "must hold a key and a certificate in PEM"),
        ("bogus: 1", "is not a SSLConfig in text form: 1:1"),
    ],
)
def test_a_wrong_tls_configuration_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    """Said at the start, before a model loads."""
    path = tmp_path / "ssl.config"
    path.write_text(text)
    with pytest.raises(ServingError, match=words):
        tls.credentials(path)


def test_connections_are_closed_at_their_age_without_a_failed_call(exports: Path) -> None:
    """grpc.max_connection_age_ms makes clients connect anew, so that they find new replicas."""
    arguments = (
        "--grpc_channel_arguments=grpc.max_connection_age_ms=200,grpc.max_connection_age_grace_ms=5000"
    )
    with running("--model_name=tiny", f"--model_base_path={exports}", arguments) as server:
        seen: list[grpc.ChannelConnectivity] = []
        server.channel.subscribe(seen.append)

        def has_reconnected() -> bool:
            assert value_of(server.predict()) == 3
            return seen.count(grpc.ChannelConnectivity.READY) >= 3

        eventually(has_reconnected)
