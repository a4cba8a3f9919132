"""`rekindle models`, `rekindle versions` and `rekindle rollout`."""

from __future__ import annotations

import argparse
from typing import Any

from rekindle.answers.models import RolloutState
from rekindle.client import Client
from rekindle.commands.common import (
    CommandError,
    Subparsers,
    add,
    only_model,
    positive,
    print_json,
    print_table,
)


def declare(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    """The commands about models and what answers."""
    add(commands, common, "models", run_models, "list the models")
    versions = add(commands, common, "versions", run_versions, "list the versions of a model")
    versions.add_argument("--model", help="default: the only one there is")
    rollout = add(
        commands, common, "rollout", run_rollout, "show which version answers, or change it (one option)"
    )
    rollout.add_argument("--model", help="default: the only one there is")
    change = rollout.add_mutually_exclusive_group()
    change.add_argument("--promote", type=positive, metavar="VERSION", help="make it stable")
    change.add_argument("--canary", type=positive, metavar="VERSION", help="with --share")
    change.add_argument("--shadow", type=positive, metavar="VERSION", help="compare it with stable, unseen")
    change.add_argument("--end-canary", action="store_true")
    change.add_argument("--end-shadow", action="store_true")
    change.add_argument("--policy", choices=("follow-latest", "gated"))
    change.add_argument("--rollback", action="store_true", help="stable back on its predecessor")
    rollout.add_argument("--share", type=float, help="of the requests, 0–1")
    rollout.add_argument("--reason", help="for the audit log")


def run_models(client: Client, options: argparse.Namespace) -> int:
    """Names, versions and labels."""
    models = client.models()
    if options.json:
        print_json(models)
        return 0
    rows: list[list[object]] = [
        [
            model.name,
            model.stable,
            ", ".join(map(str, model.versions)),
            ", ".join(model.labels or []) or model.error,
        ]
        for model in models
    ]
    print_table(["model", "stable", "versions", "labels"], rows)
    return 0


def run_versions(client: Client, options: argparse.Namespace) -> int:
    """Newest first."""
    model = only_model(client, options.model)
    versions = client.versions(model)
    if options.json:
        print_json(versions)
        return 0
    rows: list[list[object]] = [
        [one.version, one.role, one.state, one.accuracy, one.parent_version, one.run_id, one.error]
        for one in versions
    ]
    print_table(["version", "role", "state", "accuracy", "parent", "run", "error"], rows, title=model)
    return 0


def run_rollout(client: Client, options: argparse.Namespace) -> int:
    """Change what an option names; then show what is so now."""
    model = only_model(client, options.model)
    changes = _changes(options)
    if options.rollback:
        state = client.roll_back(model, options.reason)
    elif changes:
        state = client.change_rollout(model, **changes, **_reason(options))
    else:
        state = client.rollout(model)
    if options.json:
        print_json(state)
    else:
        print(sentence(state))
    return 0


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    if options.share is not None and not (options.canary or options.shadow):
        raise CommandError("--share goes with --canary or --shadow")
    changes: dict[str, Any] = {
        "stable": options.promote,
        "canary": options.canary,
        "shadow": options.shadow,
        "policy": options.policy,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    if options.share is not None:
        changes["canary_share" if options.canary else "shadow_share"] = options.share
    if options.end_canary:
        changes["canary"] = None
    if options.end_shadow:
        changes["shadow"] = None
    return changes


def _reason(options: argparse.Namespace) -> dict[str, str]:
    return {} if options.reason is None else {"reason": options.reason}


def sentence(state: RolloutState) -> str:
    """Which version answers, in words."""
    now = state.rollout
    facts = [f"{now.get('model')}: stable is version {now.get('stable')}, policy {now.get('policy')}"]
    if state.loading is not None:
        facts.append(f"version {state.loading} is loading")
    if now.get("canary") is not None:
        facts.append(f"canary is version {now['canary']} at {now.get('canary_share', 0):.0%}")
    if now.get("shadow") is not None:
        facts.append(f"shadow is version {now['shadow']}")
    facts += [f"version {version} was given up: {why}" for version, why in state.failed.items()]
    return "; ".join(facts)
