"""Predictions: the model servers, decoding, and how versions come to answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode

from gateway.settings.base import Group, split

Target = Annotated[
    str,
    Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]{0,62}=)?(\[[0-9A-Fa-f:.]+\]|[^\s:/=\[\]]+):[0-9]{1,5}$"),
]
"""`host:port`, `[ipv6]:port` or `name:port`; a name may stand for several replicas."""

Targets = Annotated[tuple[Target, ...], NoDecode, BeforeValidator(split), Field(min_length=1)]


class PredictorSettings(Group):
    """The model servers, and how images are brought to them."""

    targets: Targets = ("127.0.0.1:8500",)
    """`host:port`, or `model=host:port` for servers that answer for one model alone; those without a model
    answer for every model that has none of its own."""
    resolve_seconds: float = Field(default=2.0, gt=0)
    """Interval in which names are resolved again."""
    deadline_seconds: float = Field(default=5.0, gt=0)
    """From the complete body to the answer; afterwards the request ends with 504."""
    in_flight_per_replica: int = Field(default=2, ge=1, le=64)
    """Calls at once on one replica. With two, the next batch is there when one ends: 523 instead of 463
    answers per second at 64 connections on two cores. More only make the batches smaller."""
    max_batch_images: int = Field(default=64, ge=1, le=65536)
    """A CPU gains little beyond 64 (1250 images per second at 16, 1680 at 64), and waits longer. A batch is
    smaller where this would be more than its share of the images under way."""
    max_queued_images: int = Field(default=2048, ge=1)
    """What waits beyond this is refused with 503: at 400 images per second and replica, 2048 images
    are all that could be answered within the deadline."""
    outage_patience_seconds: float = Field(default=1.0, ge=0)
    """With every replica lost for longer than this, requests are refused at once instead of waiting."""
    tls_ca_file: Path | None = None
    """Certificates (PEM) that the model servers' must be signed by; None: plain text. This file and the two
    below are looked at every `resolve_seconds`; new contents get new connections, and no request is lost."""
    tls_certificate_file: Path | None = None
    """This gateway's own certificate (PEM), for model servers that ask for one."""
    tls_key_file: Path | None = None
    """The key (PEM) of `tls_certificate_file`."""
    tls_server_name: str | None = None
    """The name in the model servers' certificate; None: the address, so a headless Service needs it."""

    @property
    def targets_by_model(self) -> dict[str | None, tuple[str, ...]]:
        """The targets of each model's own servers; under None those for every other model."""
        found: dict[str | None, tuple[str, ...]] = {}
        for target in self.targets:
            model, _, address = target.rpartition("=")
            found[model or None] = (*found.get(model or None, ()), address)
        return found

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("predictor.tls_certificate_file and predictor.tls_key_file need each other")
        if self.tls_ca_file is None and (self.tls_certificate_file or self.tls_server_name):
            raise ValueError("predictor.tls_ca_file is missing; without it the connections are plain text")
        return self


class DecodeSettings(Group):
    """Where pictures are decoded."""

    inline_pixels: int = Field(default=256 * 256, ge=0)
    """Up to here a picture is decoded on the event loop, since handing it to a thread and back costs as much.
    Larger ones would hold up every other request."""
    threads: int = Field(default=2, ge=1, le=64)
    """The bounded pool for larger pictures; Pillow releases the interpreter lock while it decodes."""


class RolloutSettings(Group):
    """How new versions come to answer."""

    poll_seconds: float = Field(default=0.25, gt=0)
    """Interval in which the model store is read: one directory listing a model."""
    load_timeout_seconds: float = Field(default=300.0, gt=0)
    """A version that is not AVAILABLE on every replica by then counts as failed."""
    keep_versions: int = Field(default=20, ge=0)
    """The newest versions of each model that stay in the store, beside stable, its predecessor, canary,
    shadow and the pinned ones, which always do; older ones are deleted. 0 deletes none."""
