"""What `make run` runs: the model server and the gateway on one machine, on 127.0.0.1.

Checks what must be true before anything starts, starts it in order, and says what runs where. Which
processes these are is rekindle.topology's business; how children are kept, rekindle.supervisor's.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from contract.layout import model_names
from rekindle.console import Console
from rekindle.loopback import HOST, free_ports, is_free
from rekindle.supervisor import ChildFailedError, StopRequestedError, Supervisor
from rekindle.topology import PRECISIONS, Stack

START_SECONDS = 300.0
"""How long a model server may take to load its models: a first TensorFlow import from a cold disk is slow."""

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "ship.jpg"


class CannotStartError(Exception):
    """Something that the stack needs is missing or taken; the message says what, and the way out."""


def check(stack: Stack) -> None:
    """Refuse to start without a model or on a busy port. Raises CannotStartError."""
    if not model_names(stack.models):
        raise CannotStartError(
            f"There is no model version in {stack.models}: make one with `make pretrained`,"
            " or name another model store with --models or REKINDLE_MODELS."
        )
    ports = {
        "REKINDLE_HTTP_PORT": (stack.http_port, "gateway"),
        "REKINDLE_GRPC_PORT": (stack.grpc_port, "model server, gRPC"),
        "REKINDLE_REST_PORT": (stack.rest_port, "model server, REST"),
    }
    busy = [f"{port} ({what}; {name})" for name, (port, what) in ports.items() if not is_free(port)]
    if busy:
        example = f"{busy[0].rstrip(')').split('; ')[1]}={free_ports(1)[0]}"
        raise CannotStartError(
            f"Busy on {HOST}: {', '.join(busy)}. Stop what listens there, or choose another port by the"
            f" variable in brackets, for example: make run {example}"
        )


def run(stack: Stack, console: Console) -> None:
    """Start everything and keep it until someone asks to stop.

    Raises CannotStartError, ChildFailedError, StopRequestedError.
    """
    check(stack)
    with Supervisor(console) as supervisor:
        supervisor.finish(stack.bootstrap)
        supervisor.start(stack.model_server)
        supervisor.start(stack.gateway)
        supervisor.wait_until(stack.models_are_available, "Waiting for the model server", START_SECONDS)
        supervisor.wait_until(stack.gateway_is_ready, "Waiting for the gateway", START_SECONDS)
        console.say(_greeting(stack))
        supervisor.wait()


def _greeting(stack: Stack) -> str:
    picture = os.path.relpath(PICTURE) if PICTURE.is_file() else "picture.jpg"
    model = model_names(stack.models)[0]
    return f"""
Rekindle is running; Ctrl-C stops it.
  gateway       {stack.url}  (dashboard; API: {stack.url}/docs)
  model server  {HOST}:{stack.grpc_port} gRPC, http://{HOST}:{stack.rest_port} REST
  models        {stack.models}: {", ".join(model_names(stack.models))}

Try: curl -F images=@{picture} {stack.url}/v1/models/{model}/predictions
"""


def parse(arguments: Sequence[str] | None = None) -> Stack:
    """The stack that the command line and the environment ask for; port 0 means any free one."""
    parser = argparse.ArgumentParser(prog="python -m rekindle.stack", description=__doc__)
    for name, default in (("http-port", 8000), ("grpc-port", 8500), ("rest-port", 8501)):
        _add_option(parser, name, default)
    _add_option(parser, "models", "models")
    _add_option(parser, "data", "data")
    _add_option(parser, "precision", "int8")
    options = parser.parse_args(arguments)
    ports = (options.http_port, options.grpc_port, options.rest_port)
    free = iter(free_ports(len(ports)))
    stores = (Path(options.models).resolve(), Path(options.data).resolve())
    if options.precision not in PRECISIONS:
        parser.error(f"the precision is {options.precision!r}; it may be: {', '.join(PRECISIONS)}")
    return Stack(*stores, *(port or next(free) for port in ports), precision=options.precision)


def _add_option(parser: argparse.ArgumentParser, name: str, default: str | int) -> None:
    """An option whose default an environment variable may give: --http-port, REKINDLE_HTTP_PORT."""
    variable = f"REKINDLE_{name.replace('-', '_').upper()}"
    value = os.environ.get(variable, str(default))
    parser.add_argument(
        f"--{name}", type=type(default), default=value, help=f"default: {variable}, or {default}"
    )


def main() -> int:
    """Run the stack; 0 when it was stopped by a person, 1 with one clear sentence otherwise."""
    console = Console()
    try:
        run(parse(), console)
    except StopRequestedError:
        console.say("Stopped.")
        return 0
    except (CannotStartError, ChildFailedError) as error:
        console.say(f"Rekindle cannot run: {error}" if isinstance(error, ChildFailedError) else str(error))
    return 1


if __name__ == "__main__":
    sys.exit(main())
