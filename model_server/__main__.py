"""`python -m model_server`: flags, then a server, then its life until a signal ends it.

TensorFlow is imported late: --help, --version and mistakes in the flags answer at once.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib import metadata

from contract.version import version
from model_server import command_line, logs
from model_server.errors import ServingError
from model_server.flags import Flags
from model_server.signals import StopRequest

log = logging.getLogger(__name__)


def main() -> None:
    """Run the server until a signal; never returns."""
    flags = command_line.parse(sys.argv[1:])
    if flags.version:
        print(f"TensorFlow ModelServer: {version()} (rekindle)")
        print(f"TensorFlow Library: {metadata.version('tensorflow')}")
        sys.exit(0)
    stop = StopRequest()
    logs.configure()
    status = run(flags, stop)
    logging.shutdown()
    # A load may still be under way in a thread, which an ordinary exit would wait for.
    os._exit(status)


def run(flags: Flags, stop: StopRequest) -> int:
    """The life of the process; returns its exit status."""
    from model_server.composition import ModelServer
    from model_server.fronts.endpoints import PortError

    try:
        server = ModelServer(flags)
        stop.begin()
        if server.open(stop.is_set):
            log.info("ready")
            stop.wait()
    except PortError as error:
        log.error("Failed to start server. Error: %s", error)
        return 1
    except ServingError as error:
        log.error("Failed to start server. Error: %s%s", error, _way_out(error))
        return 1
    except (OSError, UnicodeDecodeError) as error:
        log.error("Failed to start server. Error: cannot read --model_config_file: %s", error)
        return 1
    server.close()
    log.info("stopped", extra=server.metrics.totals())
    return 0


def _way_out(error: ServingError) -> str:
    if "assign label" in error.message:
        return "; --allow_version_labels_for_unavailable_models lets a new label name a version that loads"
    return ""


if __name__ == "__main__":
    main()
