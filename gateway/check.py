"""`python -m gateway check`: is the configuration sound, and can every dependency be reached?"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from gateway.adapters.certificates import CertificateFiles, Certificates
from gateway.adapters.database.migration import HEAD, revision
from gateway.adapters.discovery import Discovery
from gateway.adapters.filesystem import FileModelStore
from gateway.adapters.tfserving import TensorFlowServing
from gateway.errors import ConfigurationError, DatabaseError, ReplicaError
from gateway.settings import Settings
from gateway.wiring.training import launcher_of, run_folders

TIMEOUT_SECONDS = 5.0


async def faults(settings: Settings) -> Sequence[str]:
    """One sentence for each thing that would keep the gateway from answering; empty when all is well."""
    database = asyncio.to_thread(_database_faults, settings)
    found = await asyncio.gather(_server_faults(settings), database)
    local = (_store_faults(settings), _folder_faults(settings), _launcher_faults(settings))
    return list(chain.from_iterable((*local, *found)))


def _launcher_faults(settings: Settings) -> list[str]:
    """Whether training runs could be started; a Job itself is not asked for."""
    if settings.server.role == "predict":
        return []
    try:
        launcher_of(settings, run_folders(settings))
    except ConfigurationError as error:
        return [str(error)]
    return []


def _folder_faults(settings: Settings) -> list[str]:
    """Folders that this role writes to, or would make."""
    stores = settings.stores
    folders = {"GATEWAY_STORES__PICTURES": stores.pictures}
    if settings.server.role != "predict":
        folders |= {"GATEWAY_STORES__DATA": stores.data, "GATEWAY_STORES__RUNS": stores.runs}
        folders |= {"GATEWAY_STORES__MODELS": stores.models}
    return [fault for name, folder in folders.items() if (fault := _folder_fault(name, folder))]


def _folder_fault(name: str, folder: Path) -> str:
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return ""
    return f"{there} cannot be written to; see {name}"


def _database_faults(settings: Settings) -> list[str]:
    try:
        found = revision(settings.database)
    except (DatabaseError, ConfigurationError) as error:
        return [f"{error}; see GATEWAY_DATABASE__URL"]
    if found in (None, HEAD):
        return []  # a gateway brings an empty database to its schema when it starts
    return [f"the database has revision {found}, this gateway needs {HEAD}: run `python -m gateway migrate`"]


def _store_faults(settings: Settings) -> list[str]:
    root = settings.stores.models
    if not root.is_dir():
        return [f"the model store {root.resolve()} does not exist; set GATEWAY_STORES__MODELS"]
    models = FileModelStore(root).scan()
    if not models:
        return [f"the model store {root.resolve()} holds no model with a complete version"]
    return [model.error for model in models if model.error]


async def _server_faults(settings: Settings) -> list[str]:
    targets = [each for own in settings.predictor.targets_by_model.values() for each in own]
    addresses = await Discovery(targets)()
    if not addresses:
        return [f"none of {', '.join(settings.predictor.targets)} resolves; set GATEWAY_PREDICTOR__TARGETS"]
    try:
        certificates = CertificateFiles(settings.predictor).current
    except ConfigurationError as error:
        return [str(error)]
    answers = await asyncio.gather(*(_replica_fault(address, certificates) for address in sorted(addresses)))
    return [fault for fault in answers if fault]


async def _replica_fault(address: str, certificates: Certificates | None) -> str:
    predictor = TensorFlowServing(address, certificates)
    try:
        await predictor.check(TIMEOUT_SECONDS)
    except ReplicaError as error:
        return f"the model server does not answer: {error}"
    else:
        return ""
    finally:
        await predictor.aclose()
