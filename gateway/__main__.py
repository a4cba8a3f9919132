"""The command line: `python -m gateway serve | bootstrap | await | check | migrate | reindex | token`.

Settings come from the environment.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from typing import get_args

from gateway import logs
from gateway.access.callers import Role
from gateway.access.tokens import create
from gateway.errors import DatabaseError, GatewayError
from gateway.settings import ProcessRole, Settings, load_settings

MIGRATE_RETRY_SECONDS = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    chosen = _parser().parse_args(arguments)
    logs.configure()
    try:
        return _run(chosen)
    except (GatewayError, ValueError) as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="answer HTTP until SIGTERM or SIGINT")
    serve.add_argument(
        "--role",
        dest="serve_as",
        choices=get_args(ProcessRole),
        help="what to serve, instead of GATEWAY_SERVER__ROLE",
    )
    for name, help_text in {
        "bootstrap": "write rollout.json and models.config from the versions that are there",
        "check": "validate the settings and reach every dependency",
    }.items():
        commands.add_parser(name, help=help_text)
    migrate = commands.add_parser("migrate", help="bring the database to this version's schema")
    migrate.add_argument(
        "--wait-seconds",
        dest="wait_seconds",
        type=float,
        default=0.0,
        help="how long to wait for a database that does not answer yet (default: %(default)g)",
    )
    commands.add_parser("reindex", help="make the index of the datasets again from their files")
    waiting = commands.add_parser("await", help="wait until the model servers have what they start from")
    waiting.add_argument("model", help="whose servers are to start")
    token = commands.add_parser("token", help="make a token and the line for the tokens file")
    token.add_argument("name", help="of the caller; it stands in the history and the audit log")
    token.add_argument("role", type=Role.of, help=f"one of: {', '.join(map(str, Role))}")
    return parser


def _run(chosen: argparse.Namespace) -> int:
    """Carry out the command that was chosen. Raises GatewayError, ValueError."""
    if chosen.command == "token":
        return _token(chosen.name, chosen.role)
    if role := getattr(chosen, "serve_as", None):
        os.environ["GATEWAY_SERVER__ROLE"] = role
    settings = load_settings()
    logs.configure(settings.log.format, settings.log.level)
    match chosen.command:
        case "await":
            return _await(settings, chosen.model)
        case "migrate":
            return _migrate(settings, chosen.wait_seconds)
    plain = {"serve": _serve, "bootstrap": _bootstrap, "check": _check, "reindex": _reindex}
    return plain[chosen.command](settings)


def _serve(settings: Settings) -> int:
    from gateway.app import create_app
    from gateway.server import serve

    serve(create_app(settings), settings)
    return 0


def _bootstrap(settings: Settings) -> int:
    from gateway.bootstrap import bootstrap

    for line in asyncio.run(bootstrap(settings)):
        print(line)
    return 0


def _check(settings: Settings) -> int:
    from gateway.check import faults

    found = asyncio.run(faults(settings))
    for fault in found:
        print(f"gateway: {fault}", file=sys.stderr)
    if not found:
        print("gateway: settings, stores, database, launcher and model servers are well")
    return 1 if found else 0


def _await(settings: Settings, model: str) -> int:
    from gateway.bootstrap import await_config

    await_config(settings.stores.models, model, lambda said: print(f"gateway: {said}", flush=True))
    return 0


def _migrate(settings: Settings, wait_seconds: float) -> int:
    from gateway.adapters.database.migration import migrate

    give_up_at = time.monotonic() + wait_seconds
    while True:
        try:
            print(f"gateway: the database has revision {migrate(settings.database)}")
            return 0
        except DatabaseError as error:
            if time.monotonic() > give_up_at:
                raise
            print(f"gateway: {error}; trying again", file=sys.stderr, flush=True)
            time.sleep(MIGRATE_RETRY_SECONDS)


def _reindex(settings: Settings) -> int:
    from gateway.wiring.datasets import reindexed

    found = asyncio.run(reindexed(settings))
    print(
        f"gateway: {found.examples} examples indexed; {found.skipped} files are no examples, {found.copies} "
        f"are copies under another label or split, {found.gone} rows had lost their file"
    )
    return 0


def _token(name: str, role: Role) -> int:
    token = create(name, role)
    print(f"The token, shown this once: {token.secret}", file=sys.stderr)
    print("Append to the file that GATEWAY_ACCESS__TOKENS_FILE names:", file=sys.stderr)
    print(token.line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
