"""What is wrong with flags that are right one by one: said in one sentence before anything starts."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from model_server.flags import Flags


def mistake(flags: Flags) -> str:
    """What is wrong with flags that are right one by one; otherwise empty."""
    if flags.use_alts_credentials:
        return "--use_alts_credentials cannot be honoured here; use --ssl_config_file for TLS."
    if not flags.port and not flags.grpc_socket_path:
        return "--port=0 without --grpc_socket_path leaves no way in for gRPC; set one of them."
    if flags.port and flags.port == flags.rest_api_port:
        return f"--rest_api_port={flags.port} is the port of gRPC too; give each its own."
    if not flags.model_base_path and not flags.model_config_file:
        return "both --model_base_path and --model_config_file are empty; say which models to serve."
    if flags.batching_parameters_file and not flags.enable_batching:
        return "--batching_parameters_file is set without --enable_batching; set both or none."
    return _missing_file(flags)


def _missing_file(flags: Flags) -> str:
    for flag in fields(flags):
        path = getattr(flags, flag.name)
        if flag.name.endswith("_file") and path and not Path(path).is_file():
            return f"--{flag.name}={path}: there is no such file."
    return ""
