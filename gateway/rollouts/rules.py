"""The decisions of a rollout as pure functions, and the text of models.config.

What is read and written when is gateway.rollouts.following's business. TensorFlow Serving refuses a label
on a version that is not AVAILABLE, hence the order of a move: name both versions, wait, move the label.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.text_format import ParseError

from contract import tfserving_api as api
from contract.card import ModelCard
from contract.rollout import Rollout
from contract.tfserving_api import ModelVersionState
from contract.values import now
from gateway.ports.serving import VersionStatus


@dataclass(frozen=True)
class Verdict:
    """What the replicas together say about a version."""

    is_available: bool
    error: str = ""
    """Why it will never be available; empty while it still may."""


@dataclass(frozen=True)
class ConfigEntry:
    """One model in models.config."""

    model: str
    versions: Sequence[int]
    rollout: Rollout


def has_stable(rollout: Rollout, versions: Sequence[int], failed: Collection[int]) -> bool:
    """True when there is a stable version to fall back on."""
    return rollout.stable in versions and rollout.stable not in failed


def next_version(rollout: Rollout, versions: Sequence[int], failed: Collection[int]) -> int | None:
    """The version that should be brought to answer, or None when stable is right.

    With `follow-latest` that is the newest; without a stable version, its predecessor (a gated model
    falls back, it does not jump forward) or else the newest.
    """
    usable = [version for version in versions if version not in failed]
    if not usable:
        return None
    newest = usable[-1]
    if rollout.promoting in usable and rollout.promoting != rollout.stable:
        return rollout.promoting
    if not has_stable(rollout, versions, failed):
        is_gated = rollout.policy == "gated"
        return rollout.previous_stable if is_gated and rollout.previous_stable in usable else newest
    if rollout.policy == "follow-latest" and rollout.stable is not None and newest > rollout.stable:
        return newest
    return None


def reason_to_wait(card: ModelCard) -> str:
    """Why this version answers only when a person says so; empty when it may come by itself."""
    if card.gate is not None and not card.gate.passed:
        failed = ", ".join(check.name for check in card.gate.failed)
        return f"the promotion gate refused it ({failed})"
    if card.lineage is not None and card.lineage.spec.base == "none":
        return "it was trained without base data, so it was judged on uploads alone"
    return ""


def judge(version: int, statuses: Mapping[str, Mapping[int, VersionStatus]]) -> Verdict:
    """AVAILABLE on every replica that answers, at least one; failed as soon as one cannot load it."""
    states = [known.get(version) for known in statuses.values()]
    for address, known in statuses.items():
        status = known.get(version)
        if status is not None and status.state is ModelVersionState.END and status.error:
            return Verdict(False, f"replica {address} could not load it: {status.error}")
    are_available = [state is not None and state.state is ModelVersionState.AVAILABLE for state in states]
    return Verdict(bool(are_available) and all(are_available))


def moved(rollout: Rollout, version: int, versions: Sequence[int]) -> Rollout:
    """The rollout with stable on `version`; what was stable stays loaded, so that going back is one move."""
    previous = rollout.stable if rollout.stable in versions and rollout.stable != version else None
    changes: dict[str, object] = {"stable": version, "previous_stable": previous, "updated_at": now()}
    if rollout.promoting == version:
        changes["promoting"] = None
    if rollout.canary == version:
        changes |= {"canary": None, "canary_share": 0.0}
    if rollout.shadow == version:
        changes["shadow"] = None
    return rollout.model_copy(update=changes)


def without_promotion(rollout: Rollout, version: int) -> Rollout:
    """The rollout that no longer waits for a version which could not be loaded."""
    return rollout.model_copy(update={"promoting": None}) if rollout.promoting == version else rollout


def named_versions(rollout: Rollout, versions: Sequence[int], loading: int | None) -> list[int]:
    """The versions that the model servers must hold, ascending; only such as exist.

    While a version loads, stable's predecessor makes room: a swap holds two versions in memory, not three.
    """
    if loading is None or loading == rollout.stable:
        wanted = rollout.loaded
    else:
        beside = rollout.model_copy(update={"previous_stable": None, "promoting": loading})
        wanted = beside.loaded
    return sorted(set(wanted) & set(versions))


def config_text(entries: Sequence[ConfigEntry], kept: Collection[str], current: str, server_path: str) -> str:
    """The text of models.config.

    Args:
        entries: the models whose rollout is known.
        kept: models whose entries are taken over from the current text, because their rollout is not known.
        current: the current text; unreadable counts as empty.
        server_path: the model store as the model server sees it.
    """
    config = api.ModelServerConfig()
    config.model_config_list.SetInParent()  # an empty list is a configuration too
    models = config.model_config_list.config
    for entry in entries:
        if entry.versions:
            _add(models.add(), entry, server_path)
    models.extend(model for model in _current_models(current) if model.name in kept)
    models.sort(key=lambda model: model.name)
    return api.config_to_text(config)


def _add(config: Any, entry: ConfigEntry, server_path: str) -> None:
    config.name = entry.model
    config.base_path = f"{server_path.rstrip('/')}/{entry.model}"
    config.model_platform = "tensorflow"
    config.model_version_policy.specific.versions.extend(entry.versions)
    rollout = entry.rollout
    for label, version in (
        ("stable", rollout.stable),
        ("canary", rollout.canary),
        ("shadow", rollout.shadow),
    ):
        if version in entry.versions:
            config.version_labels[label] = version


def versions_in(current: str, model: str) -> list[int]:
    """The versions of a model that the text of models.config names."""
    return [
        version
        for entry in _current_models(current)
        if entry.name == model
        for version in entry.model_version_policy.specific.versions
    ]


def _current_models(current: str) -> list[Any]:
    try:
        return list(api.config_from_text(current).model_config_list.config)
    except ParseError:
        return []
