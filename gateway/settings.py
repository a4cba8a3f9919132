"""The settings tree: every knob of the gateway, its unit in its name, its default justified beside it.

Read from the environment (prefix GATEWAY_, groups joined by __) by `load_settings`, never at import.
pydantic-settings ignores a misspelt top-level variable even with extra="forbid"; `load_settings`
compares the environment's keys itself and refuses what it does not know.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gateway.errors import ConfigurationError

PREFIX = "GATEWAY_"
DELIMITER = "__"

MEBIBYTE = 2**20


def _split(value: object) -> object:
    """Accept `a:1,b:2` as well as the JSON list `["a:1", "b:2"]`."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [item.strip() for item in value.split(",") if item.strip()]


Target = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):[0-9]{1,5}$")]
"""`host:port`, `[ipv6]:port` or `name:port`; a name may stand for several replicas."""

Targets = Annotated[tuple[Target, ...], NoDecode, BeforeValidator(_split), Field(min_length=1)]


class Group(BaseModel):
    """One branch of the tree: frozen, and closed against misspelt names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(Group):
    """The HTTP server."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    """0 takes a free port, which the start-up line names."""
    allow_unprotected: bool = False
    """Listen beyond loopback although no tokens are configured."""
    drain_seconds: float = Field(default=0.0, ge=0)
    """After SIGTERM: how long to go on serving while /readyz already fails. A cluster needs the time
    that endpoints take to propagate (5 s is usual); a laptop needs none."""
    shutdown_seconds: float = Field(default=10.0, gt=0)
    """After draining: how long running requests may take before they are cut off."""
    keep_alive_seconds: int = Field(default=75, ge=1)
    """Longer than the idle time of the usual proxies (60 s), so that they close first."""


class PredictorSettings(Group):
    """The model servers, and how images are brought to them."""

    targets: Targets = ("127.0.0.1:8500",)
    resolve_seconds: float = Field(default=2.0, gt=0)
    """Interval in which names are resolved again."""
    deadline_seconds: float = Field(default=5.0, gt=0)
    """From the complete body to the answer; afterwards the request ends with 504."""
    in_flight_per_replica: int = Field(default=2, ge=1, le=64)
    """Calls at once on one replica. With two, the next batch is there when one ends: 523 instead of 463
    answers per second at 64 connections on two cores. More only make the batches smaller."""
    max_batch_images: int = Field(default=64, ge=1, le=65536)
    """A CPU gains little beyond 64 (1250 images per second at 16, 1680 at 64), and waits longer."""
    max_queued_images: int = Field(default=2048, ge=1)
    """What waits beyond this is refused with 503: at 400 images per second and replica, 2048 images
    are all that could be answered within the deadline."""
    outage_patience_seconds: float = Field(default=1.0, ge=0)
    """With every replica lost for longer than this, requests are refused at once instead of waiting."""


class StoreSettings(Group):
    """Where the shared volumes are mounted."""

    models: Path = Path("models")
    models_at_server: str | None = None
    """The model store's path as the model server sees it; None: the absolute path of `models`."""

    @property
    def server_path(self) -> str:
        """The model store's absolute path as the model server sees it."""
        return self.models_at_server or str(self.models.resolve())


class LimitSettings(Group):
    """What a stranger may send."""

    body_bytes: int = Field(default=32 * MEBIBYTE, ge=1024)
    """Six photographs of a large telephone camera, or a thousand small pictures."""
    image_bytes: int = Field(default=16 * MEBIBYTE, ge=1)
    image_pixels: int = Field(default=50_000_000, ge=1)
    """Width × height, read from the header before decoding."""
    images_per_request: int = Field(default=256, ge=1)
    body_seconds: float = Field(default=30.0, gt=0)
    """32 MiB in 30 s is 9 Mbit/s; whoever is slower is told so with 408."""
    bodies_bytes: int = Field(default=256 * MEBIBYTE, ge=1024)
    """Memory for all bodies together; beyond it requests are refused with 503."""


class DecodeSettings(Group):
    """Where pictures are decoded."""

    inline_pixels: int = Field(default=128 * 128, ge=0)
    """Up to here a picture is decoded on the event loop: half a millisecond for JPEG or PNG, of the
    order of handing it to a thread and back. Larger ones would hold up every other request."""
    threads: int = Field(default=2, ge=1, le=64)
    """The bounded pool for larger pictures; Pillow releases the interpreter lock while it decodes."""


class RolloutSettings(Group):
    """How new versions come to answer."""

    poll_seconds: float = Field(default=0.25, gt=0)
    """Interval in which the model store is read: one directory listing a model."""
    load_timeout_seconds: float = Field(default=300.0, gt=0)
    """A version that is not AVAILABLE on every replica by then counts as failed."""


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
