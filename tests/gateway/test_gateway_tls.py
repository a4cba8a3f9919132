"""TLS and mutual TLS to the model servers, over real gRPC servers, and certificates that are renewed."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from gateway_fakes import FakeModelServer, eventually, picture
from gateway_harness import StartGateway

from gateway import check
from gateway.adapters.certificates import CertificateFiles
from gateway.errors import ConfigurationError
from gateway.settings import PredictorSettings, Settings, StoreSettings

pytestmark = pytest.mark.anyio

StartModelServer = Callable[..., FakeModelServer]
NAME = "model-server.example"


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for NAME that signs itself, and its key."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {key} "
        f"-out {certificate} -addext subjectAltName=DNS:{NAME}".split(),
        check=True,
        capture_output=True,
    )
    return certificate, key


def server_credentials(own: tuple[Path, Path], *clients: Path) -> grpc.ServerCredentials:
    """Of a server that asks its callers for one of the clients' certificates."""
    certificate, key = own
    trusted = b"".join(client.read_bytes() for client in clients)
    return grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())], trusted, require_client_auth=True
    )


def tls(server: tuple[Path, Path], own: tuple[Path, Path] | None) -> dict[str, object]:
    """Settings of a gateway that trusts the server, with or without a certificate of its own."""
    found: dict[str, object] = {"tls_ca_file": server[0], "tls_server_name": NAME, "resolve_seconds": 0.05}
    return found if own is None else found | {"tls_certificate_file": own[0], "tls_key_file": own[1]}


async def test_mutual_tls_and_renewal_lose_no_request(
    start_gateway: StartGateway,
    start_model_server: StartModelServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The gateway's certificate is replaced under load, half of it first; every prediction is answered."""
    server, own = make_certificate(tmp_path, "server"), make_certificate(tmp_path, "gateway")
    renewed = make_certificate(tmp_path, "renewed")
    running = start_model_server(credentials=server_credentials(server, own[0], renewed[0]))
    gateway = await start_gateway(running, predictor=tls(server, own))
    statuses: list[int] = []
    ended = asyncio.Event()

    async def predict_on() -> None:
        while not ended.is_set():
            statuses.append((await gateway.predict(files={"images": picture()})).status_code)

    predicting = asyncio.create_task(predict_on())
    [pool] = gateway.services.replicas
    [before] = pool.replicas._members.values()
    await eventually(lambda: len(statuses) > 3)
    try:
        own[1].write_bytes(renewed[1].read_bytes())  # half of the pair: not used
        await eventually(lambda: "certificates cannot be renewed" in caplog.messages)
        assert list(pool.replicas._members.values()) == [before]
        own[0].write_bytes(renewed[0].read_bytes())
        await eventually(lambda: list(pool.replicas._members.values()) != [before])
        count = len(statuses)
        await eventually(lambda: len(statuses) > count + 3)
    finally:
        ended.set()
        await predicting
    assert set(statuses) == {200}


@pytest.mark.parametrize("trusts_server", [True, False])
async def test_without_the_right_certificates_there_is_no_replica(
    start_model_server: StartModelServer, store: Path, tmp_path: Path, trusts_server: bool
) -> None:
    """`check` names the server that a gateway without certificate or with another authority cannot reach."""
    server, other = make_certificate(tmp_path, "server"), make_certificate(tmp_path, "other")
    running = start_model_server(credentials=server_credentials(server, server[0]))
    predictor = tls(server, None) if trusts_server else tls(other, server)
    settings = Settings(
        predictor=PredictorSettings.model_validate(predictor | {"targets": running.address}),
        stores=StoreSettings(models=store, data=tmp_path / "data", pictures=tmp_path / "p", runs=tmp_path),
    )
    found = [fault for fault in await check.faults(settings) if "model server" in fault]
    assert len(found) == 1
    assert running.address in found[0]


def test_files_that_cannot_be_used_stop_the_start(tmp_path: Path) -> None:
    """The sentence names the files and what they must be; a later failure keeps what there was."""
    certificate, key = make_certificate(tmp_path, "one")
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    with pytest.raises(ConfigurationError, match=r"broken\.pem.*must be PEM"):
        CertificateFiles(PredictorSettings(tls_ca_file=broken))
    settings = PredictorSettings(tls_ca_file=certificate, tls_certificate_file=certificate, tls_key_file=key)
    files = CertificateFiles(settings)
    known = files.current
    key.unlink()
    assert not files.have_changed()
    assert files.current is known


def test_a_file_replaced_between_check_and_use_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked is what is used: a key that changes after the check waits for the next reading."""
    (certificate, key), (_, other) = make_certificate(tmp_path, "one"), make_certificate(tmp_path, "other")
    settings = PredictorSettings(tls_ca_file=certificate, tls_certificate_file=certificate, tls_key_file=key)
    files = CertificateFiles(settings)
    known = files.current
    check_pair = ssl.SSLContext.load_cert_chain

    def check_then_renew(context: ssl.SSLContext, *pair: Path) -> None:
        check_pair(context, *pair)
        key.write_bytes(other.read_bytes())

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", check_then_renew)
    assert not files.have_changed()
    assert files.current is known


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"tls_ca_file": "a", "tls_key_file": "k"}, "need each other"),
        ({"tls_server_name": "n"}, "tls_ca_file is missing"),
    ],
)
def test_half_a_configuration_is_refused(given: dict[str, str], sentence: str) -> None:
    """A key without certificate, or a name without an authority, is a mistake, not plain text."""
    with pytest.raises(ValueError, match=sentence):
        PredictorSettings.model_validate(given)
