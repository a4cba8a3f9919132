"""What the server says about its models: their versions' states and their signatures."""

from __future__ import annotations

from typing import Any

from contract import tfserving_api
from model_server.errors import Code, ServingError, invalid_argument
from model_server.lifecycle.repository import Repository, Target
from model_server.runtime.interface import Servable

SIGNATURES = "signature_def"
"""The one kind of metadata there is."""


def model_status(repository: Repository[Any], target: Target) -> Any:
    """A GetModelStatusResponse: one version, or all of them, the highest first. A label is ignored.

    Raises ServingError (NOT_FOUND).
    """
    statuses = repository.statuses(target.model)
    if target.version is not None:
        statuses = [status for status in statuses if status.version == target.version]
    if not statuses:
        what = "any versions" if target.version is None else f"version {target.version}"
        raise ServingError(Code.NOT_FOUND, f"Could not find {what} of model {target.model}")
    response = tfserving_api.GetModelStatusResponse()
    for status in statuses:
        entry = response.model_version_status.add(version=status.version, state=int(status.state))
        entry.status.error_code = status.error.code if status.error else Code.OK
        entry.status.error_message = status.error.message if status.error else ""
    return response


def model_metadata(repository: Repository[Servable], target: Target, fields: list[str]) -> Any:
    """A GetModelMetadataResponse with the signatures of the version that answers `target`.

    Raises ServingError.
    """
    if not fields:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for name in fields:
        if name != SIGNATURES:
            raise invalid_argument(f"Metadata field {name} is not supported")
    with repository.borrow(target) as (version, servable):
        response = tfserving_api.GetModelMetadataResponse()
        response.model_spec.name = target.model
        response.model_spec.version.value = version
        response.metadata[SIGNATURES].Pack(servable.definitions)
        return response
