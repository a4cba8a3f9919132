"""--ssl_config_file → gRPC's server credentials."""

from __future__ import annotations

from pathlib import Path

import grpc

from model_server import config_files
from model_server.errors import invalid_argument


def credentials(path: Path) -> grpc.ServerCredentials:
    """Key, certificate and, with client_verify, the authority that must have signed a client's certificate.

    Raises ServingError when the file cannot be used, OSError when it cannot be read.
    """
    config = config_files.read("SSLConfig", path)
    if "PRIVATE KEY" not in config.server_key or "CERTIFICATE" not in config.server_cert:
        raise invalid_argument(f"{path}: server_key and server_cert must hold a key and a certificate in PEM")
    if config.client_verify and not config.custom_ca:
        raise invalid_argument(f"{path}: client_verify needs custom_ca, which signs clients' certificates")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )
