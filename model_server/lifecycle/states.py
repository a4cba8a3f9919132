"""What the repository remembers of models and versions, and the rules by which a version may move on.

Plain records without a lock of their own: they are touched with the repository's lock held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from contract.tfserving_api import ModelVersionState as State
from model_server.errors import ServingError
from model_server.lifecycle.model_config import ModelConfig
from model_server.lifecycle.versions import VersionDirectory

REMEMBERED_VERSIONS = 100
"""Unloaded versions of a model whose state is still told."""


class Loaded(Protocol):
    """What a loader returns: something that can be given up."""

    def close(self) -> None:
        """Give back its memory. Nothing uses it any more."""
        ...


Servable = TypeVar("Servable", bound=Loaded)

Loader = Callable[[str, Path], Servable]
"""A model's name and a version's directory → what answers for it."""


@dataclass
class Version(Generic[Servable]):
    """A version on its way START → LOADING → AVAILABLE → UNLOADING → END."""

    model: str
    directory: VersionDirectory
    state: State = State.START
    error: ServingError | None = None
    servable: Servable | None = None
    is_wanted: bool = True
    attempts: int = 0
    retry_at: float = 0.0
    is_loading: bool = False
    lacks_memory: bool = False
    """The last attempt failed for want of memory, which an unload may give back."""
    calls: int = 0

    @property
    def number(self) -> int:
        """The version's number."""
        return self.directory.number

    @property
    def fields(self) -> dict[str, object]:
        """What a log line says about the version."""
        return {"model": self.model, "version": self.number}

    def start_over(self) -> None:
        """Forget the attempts that failed: it is due at once, with all its attempts."""
        self.state, self.error, self.lacks_memory = State.START, None, False
        self.attempts, self.retry_at = 0, 0.0

    def may_start_anew(self, was_wanted: bool, found: VersionDirectory) -> bool:
        """An ended version is loaded again, unless that would be the same failure over again."""
        if self.state is not State.END:
            return False
        return self.error is None or not was_wanted or self.directory.fingerprint != found.fingerprint


@dataclass
class Model(Generic[Servable]):
    """A model, configured or no longer (`config` is None), with every version that is remembered."""

    config: ModelConfig | None = None
    versions: dict[int, Version[Servable]] = field(default_factory=dict)
    available: dict[int, Version[Servable]] = field(default_factory=dict)

    def descending(self) -> list[Version[Servable]]:
        """The versions, the highest first: the order in which they are loaded and listed."""
        return sorted(self.versions.values(), key=lambda version: -version.number)

    def want(self, found: dict[int, VersionDirectory]) -> None:
        """Mark what is wanted; what is new, or changed since it failed, starts from the beginning."""
        for number, directory in found.items():
            known = self.versions.get(number)
            if known is None or known.may_start_anew(known.is_wanted, directory):
                assert self.config is not None  # noqa: S101 (only a configured model wants versions)
                self.versions[number] = Version(self.config.name, directory)
        for version in self.versions.values():
            version.is_wanted = version.number in found

    def lets_go_of_unwanted(self) -> bool:
        """An unwanted version stays until a wanted one answers, or none is wanted at all."""
        if any(version.is_wanted for version in self.available.values()):
            return True
        return not any(version.is_wanted for version in self.versions.values())

    def failure(self) -> str:
        """Why no version will come, once every wanted one has ended; otherwise empty."""
        awaited = [version for version in self.descending() if version.is_wanted]
        if not awaited or any(version.state is not State.END for version in awaited):
            return ""
        return "".join(
            f"{{{{name: {version.model} version: {version.number}}} due to error: {version.error}}}, "
            for version in awaited
        )

    def forget_oldest(self) -> None:
        """Keep the states of the latest unloaded versions only."""
        ended = [
            number
            for number, version in self.versions.items()
            if version.state is State.END and not version.is_wanted
        ]
        for number in sorted(ended)[:-REMEMBERED_VERSIONS]:
            del self.versions[number]
