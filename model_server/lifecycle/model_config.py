"""Which models, and which of their versions, the configuration asks for.

Reads TensorFlow Serving's ModelServerConfig, from a file's text or from a reload request, into frozen
values; the rules and the words of its refusals are upstream's (server_core.cc). What lies on the disk
is versions.py's business, what is loaded is repository.py's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from contract import tfserving_api
from model_server.errors import Code, ServingError, invalid_argument

PLATFORM = "tensorflow"
_TENSORFLOW_MODEL_TYPE = 1


@dataclass(frozen=True)
class Latest:
    """The `count` highest versions."""

    count: int = 1


@dataclass(frozen=True)
class All:
    """Every version."""


@dataclass(frozen=True)
class Specific:
    """These versions, of those that exist."""

    versions: frozenset[int]


Policy = Latest | All | Specific


@dataclass(frozen=True)
class ModelConfig:
    """One model: where its versions lie, which of them are wanted, and the labels that name them."""

    name: str
    base_path: Path
    policy: Policy = Latest()
    labels: Mapping[str, int] = field(default_factory=dict)


def from_text(text: str) -> tuple[ModelConfig, ...] | None:
    """Read the content of a --model_config_file; None when it says nothing, as a file being written does.

    Raises ServingError (INVALID_ARGUMENT).
    """
    try:
        message = tfserving_api.config_from_text(text)
    except text_format.ParseError as error:
        raise invalid_argument(f"not a ModelServerConfig in text form: {error}") from error
    return from_message(message)


def from_message(message: Any) -> tuple[ModelConfig, ...] | None:
    """Read a ModelServerConfig; None when it is not set at all, which is not the same as an empty list.

    Raises ServingError (INVALID_ARGUMENT, or UNIMPLEMENTED for a custom config).
    """
    match message.WhichOneof("config"):
        case None:
            return None
        case "custom_model_config":
            raise ServingError(Code.UNIMPLEMENTED, "ModelServer does not yet support custom model config.")
    models = tuple(_model(config) for config in message.model_config_list.config)
    seen: set[str] = set()
    for model in models:
        if model.name in seen:
            raise invalid_argument(f"Illegal to list model {model.name} multiple times in config list")
        seen.add(model.name)
    return models


def _model(config: Any) -> ModelConfig:
    if not config.name:
        raise invalid_argument(f"a model without a name, with base_path()={config.base_path}")
    if not config.base_path.startswith("/"):
        raise invalid_argument(
            f"Expected model {config.name} to have an absolute path or URI; "
            f"got base_path()={config.base_path}"
        )
    _check_platform(config)
    labels = dict(config.version_labels)
    return ModelConfig(config.name, Path(config.base_path), _policy(config.model_version_policy), labels)


def _check_platform(config: Any) -> None:
    if config.model_type and config.model_platform:
        raise invalid_argument(
            "Illegal setting both ModelServerConfig::model_type (deprecated) "
            "and ModelServerConfig::model_platform."
        )
    if not config.model_type and not config.model_platform:
        raise invalid_argument(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) "
            "nor ModelServerConfig::model_platform."
        )
    if config.model_type and config.model_type != _TENSORFLOW_MODEL_TYPE:
        raise invalid_argument(f"ModelServerConfig::model_type choice {config.model_type} not supported.")
    if config.model_platform and config.model_platform != PLATFORM:
        raise invalid_argument(f"Model {config.name} requests unsupported platform {config.model_platform}")


def _policy(policy: Any) -> Policy:
    match policy.WhichOneof("policy_choice"):
        case "all":
            return All()
        case "specific":
            return Specific(frozenset(policy.specific.versions))
        case _:
            return Latest(max(1, policy.latest.num_versions))
