"""`python -m gateway bootstrap` and `await`: name the versions before the model servers start; wait for it.

A model server needs a models.config to start from, and opens its port only once something is loaded.
This takes the same step as the running gateway, without waiting for servers that are not there yet; into a
store without versions it first brings the bundled ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import sleep

from google.protobuf.text_format import ParseError

from contract import tfserving_api as api
from contract.card import ModelCard
from contract.layout import ModelPaths, model_names, models_config, publish
from gateway.adapters.filesystem import FileModelStore
from gateway.errors import StoreError
from gateway.metrics import Metrics
from gateway.ports.serving import VersionStatus
from gateway.rollouts.service import RolloutService
from gateway.rollouts.state import ModelState
from gateway.settings import Settings


async def bootstrap(settings: Settings) -> Sequence[str]:
    """Write what is missing; return a line for each model. Raises StoreError."""
    if settings.stores.bundled is not None:
        bring(settings.stores.bundled, settings.stores.models)
    service = RolloutService(
        FileModelStore(settings.stores.models),
        _nobody,
        Metrics(),
        server_path=settings.stores.server_path,
        load_timeout_seconds=settings.rollout.load_timeout_seconds,
    )
    await service.step(with_servers=False)
    lines = [_line(state) for state in service.models()]
    return lines or [f"{settings.stores.models}: no model with a complete version yet"]


def bring(bundled: Path, store: Path) -> None:
    """Publish the newest bundled version of each model that the store has no version of. Raises StoreError.

    Under its own run's id, so that of two that start at once only one publishes.
    """
    for name in model_names(bundled):
        source, target = ModelPaths(bundled, name), ModelPaths(store, name)
        if target.versions():
            continue
        newest = source.versions()[-1]
        try:
            card = ModelCard.model_validate_json(source.card(newest).read_bytes())
            publish(source.version(newest), target, card.run_id)
        except (OSError, ValueError) as error:
            raise StoreError(f"the bundled model {name!r} cannot be brought into {store}: {error}") from error


def await_config(store: Path, model: str, say: Callable[[str], None], poll_seconds: float = 0.5) -> None:
    """Return once the model servers of `model` have a configuration to start from; `say` what is missing.

    A model server that is started earlier would exit, or never open its port.
    """
    told = ""
    while missing := _missing(store, model):
        if missing != told:
            say(missing)
            told = missing
        sleep(poll_seconds)


def _missing(store: Path, model: str) -> str:
    path = models_config(store, model)
    try:
        named = api.config_from_text(path.read_text()).model_config_list.config
    except FileNotFoundError:
        known = ", ".join(model_names(store)) or "none"
        return (
            f"waiting for {path}, which `bootstrap` and the gateways of the role control write; "
            f"models with a version in {store}: {known}"
        )
    except (OSError, ValueError, ParseError) as error:
        return f"waiting, because {path} cannot be used: {error}; the gateways of the role control renew it"
    return "" if named else f"waiting for a version of the model {model!r}: a training run publishes one"


async def _nobody(model: str) -> Mapping[str, Mapping[int, VersionStatus]]:
    return {}


def _line(state: ModelState) -> str:
    return f"{state.name}: {state.error or f'stable is version {state.rollout.stable}'}"
