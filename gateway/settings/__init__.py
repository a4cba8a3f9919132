"""The settings tree: every knob of the gateway, its unit in its name, its default justified beside it.

Read from the environment (prefix GATEWAY_, groups joined by __) by `load_settings`, never at import.
pydantic-settings ignores a misspelt top-level variable even with extra="forbid"; `load_settings`
compares the environment's keys itself and refuses what it does not know.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator
from typing import Self

from pydantic import BaseModel, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.errors import ConfigurationError
from gateway.settings.base import Group
from gateway.settings.canary import CanarySettings
from gateway.settings.drift import DriftSettings
from gateway.settings.evaluation import EvaluationSettings
from gateway.settings.gate import GateSettings
from gateway.settings.history import DatabaseSettings, HistorySettings
from gateway.settings.learning import DatasetSettings, TrainingSettings
from gateway.settings.log import LogSettings
from gateway.settings.notifications import NotificationSettings
from gateway.settings.objectives import ObjectiveSettings
from gateway.settings.protection import AccessSettings
from gateway.settings.server import LimitSettings, ProcessRole, ServerSettings
from gateway.settings.serving import DecodeSettings, PredictorSettings, RolloutSettings
from gateway.settings.stores import StoreSettings
from gateway.settings.triggers import TriggerSettings

__all__ = [
    "AccessSettings",
    "CanarySettings",
    "DatabaseSettings",
    "DatasetSettings",
    "DecodeSettings",
    "DriftSettings",
    "EvaluationSettings",
    "GateSettings",
    "HistorySettings",
    "LimitSettings",
    "LogSettings",
    "NotificationSettings",
    "ObjectiveSettings",
    "PredictorSettings",
    "ProcessRole",
    "RolloutSettings",
    "ServerSettings",
    "Settings",
    "StoreSettings",
    "TrainingSettings",
    "TriggerSettings",
    "load_settings",
    "variable_names",
]

PREFIX = "GATEWAY_"
DELIMITER = "__"


class Settings(BaseSettings):
    """The root of the tree."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, frozen=True, extra="forbid"
    )

    server: ServerSettings = ServerSettings()
    predictor: PredictorSettings = PredictorSettings()
    stores: StoreSettings = StoreSettings()
    limits: LimitSettings = LimitSettings()
    decode: DecodeSettings = DecodeSettings()
    rollout: RolloutSettings = RolloutSettings()
    canary: CanarySettings = CanarySettings()
    database: DatabaseSettings = DatabaseSettings()
    history: HistorySettings = HistorySettings()
    objectives: ObjectiveSettings = ObjectiveSettings()
    drift: DriftSettings = DriftSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    datasets: DatasetSettings = DatasetSettings()
    training: TrainingSettings = TrainingSettings()
    gate: GateSettings = GateSettings()
    triggers: TriggerSettings = TriggerSettings()
    access: AccessSettings = AccessSettings()
    notifications: NotificationSettings = NotificationSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _one_request_fits(self) -> Self:
        if self.predictor.max_queued_images < self.limits.images_per_request:
            raise ValueError(
                f"predictor.max_queued_images ({self.predictor.max_queued_images}) must hold at least one "
                f"request of limits.images_per_request ({self.limits.images_per_request}) images"
            )
        return self


def variable_names(model: type[BaseModel] = Settings, prefix: str = PREFIX) -> Iterator[str]:
    """The environment variable of every setting; that of a group takes JSON."""
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        yield variable
        if isinstance(field.annotation, type) and issubclass(field.annotation, Group):
            yield from variable_names(field.annotation, variable + DELIMITER)


def load_settings() -> Settings:
    """Read the settings from the environment. Raises ConfigurationError with one sentence per fault."""
    _refuse_unknown(os.environ)
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError("; ".join(_sentence(fault) for fault in error.errors())) from error
    except ValueError as error:  # a group's variable that is no JSON
        raise ConfigurationError(str(error)) from error


def _refuse_unknown(environment: Iterable[str]) -> None:
    known = set(variable_names())
    unknown = [name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known]
    if unknown:
        raise ConfigurationError("; ".join(_unknown_sentence(name, known) for name in sorted(unknown)))


def _unknown_sentence(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name.upper(), known, n=1)
    hint = f"did you mean {close[0]}?" if close else "remove it, or rename it without the prefix"
    return f"the environment variable {name} is not a setting of the gateway; {hint}"


def _sentence(fault: ErrorDetails) -> str:
    if not fault["loc"]:
        return fault["msg"]
    variable = PREFIX + DELIMITER.join(str(part).upper() for part in fault["loc"] if isinstance(part, str))
    return f"{variable}: {fault['msg']} (got {fault['input']!r})"
