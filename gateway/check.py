"""`python -m gateway check`: is the configuration sound, and can every dependency be reached?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.adapters.discovery import Discovery
from gateway.adapters.filesystem import FileModelStore
from gateway.adapters.tfserving import TensorFlowServing
from gateway.errors import ReplicaError
from gateway.settings import Settings

TIMEOUT_SECONDS = 5.0


async def faults(settings: Settings) -> Sequence[str]:
    """One sentence for each thing that would keep the gateway from answering; empty when all is well."""
    return [*_store_faults(settings), *await _server_faults(settings)]


def _store_faults(settings: Settings) -> list[str]:
    root = settings.stores.models
    if not root.is_dir():
        return [f"the model store {root.resolve()} does not exist; set GATEWAY_STORES__MODELS"]
    models = FileModelStore(root).scan()
    if not models:
        return [f"the model store {root.resolve()} holds no model with a complete version"]
    return [model.error for model in models if model.error]


async def _server_faults(settings: Settings) -> list[str]:
    addresses = await Discovery(settings.predictor.targets)()
    if not addresses:
        return [f"none of {', '.join(settings.predictor.targets)} resolves; set GATEWAY_PREDICTOR__TARGETS"]
    answers = await asyncio.gather(*(_replica_fault(address) for address in sorted(addresses)))
    return [fault for fault in answers if fault]


async def _replica_fault(address: str) -> str:
    predictor = TensorFlowServing(address)
    try:
        await predictor.check(TIMEOUT_SECONDS)
    except ReplicaError as error:
        return f"the model server does not answer: {error}"
    else:
        return ""
    finally:
        await predictor.aclose()
