"""The command line: upstream's flags with upstream's names, defaults and forms.

`--flag=value`, `--flag value` and, for booleans, a bare `--flag`. Two deliberate differences: an unknown
flag is refused (upstream prints it and starts anyway, so that a typing error goes unnoticed), and
`--bind_address` is ours. Nothing here imports TensorFlow, so that --help and mistakes answer at once.
"""

from __future__ import annotations

import argparse
import difflib
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn


@dataclass(frozen=True)
class Flags:
    """Every flag, parsed and checked. The meaning of each stands in `_declare`."""

    port: int
    rest_api_port: int
    bind_address: str
    model_name: str
    model_base_path: str
    model_config_file: str
    model_config_file_poll_wait_seconds: int
    file_system_poll_wait_seconds: int
    max_num_load_retries: int
    load_retry_interval_micros: int
    allow_version_labels_for_unavailable_models: bool
    enable_model_warmup: bool
    tensorflow_session_parallelism: int
    tensorflow_intra_op_parallelism: int
    tensorflow_inter_op_parallelism: int
    grpc_max_threads: int
    rest_api_num_threads: int
    rest_api_timeout_in_ms: int
    enable_serialization_as_tensor_content: bool
    version: bool


class _Parser(argparse.ArgumentParser):
    """Answers a mistake with one sentence; the usage of every flag would hide it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"model_server: {message}\n")


def parse(arguments: Sequence[str]) -> Flags:
    """Read a command line. Exits with status 2 and a sentence when it cannot be used."""
    parser = _declare()
    values, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(_unknown(unknown[0], parser))
    flags = Flags(**vars(values))
    if not flags.version:
        _check_together(flags, parser)
    return flags


def _unknown(argument: str, parser: argparse.ArgumentParser) -> str:
    name = argument.split("=", 1)[0]
    known = [option for action in parser._actions for option in action.option_strings]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "--help lists the flags."
    return f"unknown argument: {argument}; {hint}"


def _check_together(flags: Flags, parser: argparse.ArgumentParser) -> None:
    if flags.port == flags.rest_api_port:
        parser.error(f"--rest_api_port={flags.port} is the port of gRPC too; give each its own.")
    if not flags.model_base_path and not flags.model_config_file:
        parser.error("both --model_base_path and --model_config_file are empty; say which models to serve.")
    if flags.model_config_file and not Path(flags.model_config_file).is_file():
        parser.error(f"--model_config_file={flags.model_config_file}: there is no such file.")


def _integer(minimum: int, maximum: int = 2**31 - 1) -> Callable[[str], int]:
    def parse_integer(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None
        if not minimum <= value <= maximum:
            raise argparse.ArgumentTypeError(f"expected {minimum} to {maximum}, got {value}")
        return value

    return parse_integer


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "1", "false", "0"):
        return text.lower() in ("true", "1")
    raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address("127.0.0.1" if text == "localhost" else text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected an IP address, got {text!r}") from None


def _declare() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="model_server",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Serves TensorFlow SavedModels over gRPC and REST, as tensorflow_model_server does.",
    )
    _declare_fronts(parser)
    _declare_models(parser)
    _declare_runtime(parser)
    _switch(parser, "version", False, "print the version and exit")
    return parser


def _declare_fronts(parser: argparse.ArgumentParser) -> None:
    port = _integer(1, 65535)
    _value(parser, "port", port, 8500, "TCP port of gRPC")
    _value(parser, "rest_api_port", _integer(0, 65535), 0, "TCP port of REST; 0: no REST")
    _value(parser, "bind_address", _address, "0.0.0.0", "(ours) IP address of both ports")  # noqa: S104
    _value(parser, "grpc_max_threads", _integer(0), 0, "threads that answer gRPC calls; 0: 4 per CPU")
    _value(parser, "rest_api_num_threads", _integer(0), 0, "threads that answer REST; 0: 4 per CPU")
    _value(parser, "rest_api_timeout_in_ms", _integer(1), 30_000, "time limit of a REST prediction")
    _switch(
        parser,
        "enable_serialization_as_tensor_content",
        False,
        "answer tensors as tensor_content instead of typed fields",
    )


def _declare_models(parser: argparse.ArgumentParser) -> None:
    _value(parser, "model_name", str, "default", "name of the one model; ignored with --model_config_file")
    _value(parser, "model_base_path", str, "", "its directory, which holds numbered versions")
    _value(parser, "model_config_file", str, "", "ModelServerConfig in text form: several models, labels")
    seconds = _integer(0)
    _value(parser, "model_config_file_poll_wait_seconds", seconds, 0, "re-read it this often; 0: read once")
    _value(parser, "file_system_poll_wait_seconds", seconds, 1, "look for versions this often; 0: once")
    _value(parser, "max_num_load_retries", _integer(0), 5, "further attempts after a failed load")
    _value(parser, "load_retry_interval_micros", _integer(0, 2**63 - 1), 60_000_000, "wait between attempts")
    _switch(
        parser,
        "allow_version_labels_for_unavailable_models",
        False,
        "let a label that does not exist yet name a version that is not loaded yet",
    )
    _switch(parser, "enable_model_warmup", True, "replay assets.extra/tf_serving_warmup_requests")


def _declare_runtime(parser: argparse.ArgumentParser) -> None:
    threads = _integer(0)
    automatic = "0: the CPU limit of the container"
    _value(parser, "tensorflow_session_parallelism", threads, 0, f"both of the two below; {automatic}")
    _value(parser, "tensorflow_intra_op_parallelism", threads, 0, f"threads inside one op; {automatic}")
    _value(parser, "tensorflow_inter_op_parallelism", threads, 0, f"ops that run at a time; {automatic}")


def _value(
    parser: argparse.ArgumentParser, name: str, kind: Callable[[str], Any], default: Any, text: str
) -> None:
    parser.add_argument(f"--{name}", type=kind, default=default, metavar="VALUE", help=text)


def _switch(parser: argparse.ArgumentParser, name: str, default: bool, text: str) -> None:
    parser.add_argument(
        f"--{name}", type=_boolean, nargs="?", const=True, default=default, metavar="BOOL", help=text
    )
