"""Which versions are loaded, and which of them answers a request.

The repository knows the configured models, looks into their base paths, says which versions the policies
ask for and hands one out to each call. How they are loaded and unloaded is transitions.py's business, when
to look is polling.py's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic

from contract.tfserving_api import ModelVersionState as State
from model_server.errors import Code, ServingError, invalid_argument
from model_server.lifecycle import labels
from model_server.lifecycle.model_config import ModelConfig
from model_server.lifecycle.states import Loader, Model, Servable, Version
from model_server.lifecycle.survey import Survey
from model_server.lifecycle.transitions import AtOnce, LoadObserver, RetryPolicy, Transitions
from model_server.lifecycle.versions import wanted


@dataclass(frozen=True)
class Target:
    """Which version of which model a request asks for; neither version nor label: the latest."""

    model: str
    version: int | None = None
    label: str | None = None


@dataclass(frozen=True)
class VersionStatus:
    """Where a version stands, and why it ended when it ended badly."""

    version: int
    state: State
    error: ServingError | None = None


class Repository(Generic[Servable]):
    """Loads, keeps and unloads versions. Every public method may be called from any thread."""

    def __init__(
        self,
        load: Loader[Servable],
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 (frozen)
        allow_labels_for_unavailable: bool = False,
        at_once: AtOnce = AtOnce(),  # noqa: B008 (frozen)
    ) -> None:
        """`load(model, path)` reads a version; whatever it raises is the version's error."""
        self._allow_labels_for_unavailable = allow_labels_for_unavailable
        self._models: dict[str, Model[Servable]] = {}
        self._labels: labels.LabelMap = {}
        self._changed = threading.Condition()
        self._survey = Survey()
        self._transitions = Transitions(self._models, self._changed, load, retry, at_once)

    def observe(self, on_load: LoadObserver, after_unload: Callable[[], None]) -> None:
        """Tell `on_load` of every attempt to load, and call `after_unload` when a version was given up."""
        self._transitions.on_load, self._transitions.after_unload = on_load, after_unload

    # --- configuration ---------------------------------------------------------------------------

    def configure(self, models: Sequence[ModelConfig]) -> frozenset[str]:
        """Replace the list of models; returns the names that are new. `refresh` makes it true.

        Refused as a whole, with everything left as it was, when a label may not be set
        (ServingError, FAILED_PRECONDITION).
        """
        with self._changed:
            self._labels = labels.assign(
                models, self._labels, self._is_available, self._allow_labels_for_unavailable
            )
            configured = {model.name: model for model in models}
            new = frozenset(name for name in configured if not self._is_configured(name))
            for name, config in configured.items():
                self._models.setdefault(name, Model()).config = config
            for name in self._models.keys() - configured.keys():
                self._models[name].config = None
            return new

    def _is_configured(self, model: str) -> bool:
        known = self._models.get(model)
        return known is not None and known.config is not None

    def _is_available(self, model: str, version: int) -> bool:
        known = self._models.get(model)
        return known is not None and version in known.available

    def is_known(self, model: str) -> bool:
        """Whether a model of that name is configured. Takes no lock."""
        return self._is_configured(model)

    def is_ready(self) -> bool:
        """Whether every configured model has an AVAILABLE version."""
        with self._changed:
            return all(model.available for model in self._models.values() if model.config is not None)

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every change, with the lock held: it must be quick."""
        self._transitions.subscribe(listener)

    # --- requests --------------------------------------------------------------------------------

    @contextmanager
    def borrow(self, target: Target) -> Iterator[tuple[int, Servable]]:
        """The version that answers `target` and its servable, which stays loaded inside the block.

        Raises ServingError: INVALID_ARGUMENT for an empty name or an unknown label, NOT_FOUND.
        """
        with self._changed:
            version = self._find(target)
            version.calls += 1
            servable = version.servable
        assert servable is not None  # noqa: S101 (AVAILABLE means so)
        try:
            yield version.number, servable
        finally:
            with self._changed:
                self._transitions.call_ended(version)

    def _find(self, target: Target) -> Version[Servable]:
        if not target.model:
            raise invalid_argument("ModelSpec has no name specified.")
        number = target.version
        if target.label is not None:
            number = labels.resolve(self._labels, target.model, target.label)
        model = self._models.get(target.model)
        available = model.available if model is not None else {}
        wording = f"Latest({target.model})" if number is None else f"Specific({target.model}, {number})"
        if number is None and available:
            number = max(available)
        if number is None or number not in available:
            raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {wording}")
        return available[number]

    def statuses(self, model: str) -> list[VersionStatus]:
        """Every version of a model that is remembered, the highest first; empty for an unknown model."""
        with self._changed:
            known = self._models.get(model)
            versions = known.descending() if known is not None else []
            return [VersionStatus(version.number, version.state, version.error) for version in versions]

    def wait_until_available(self, models: Iterable[str], is_cancelled: Callable[[], bool]) -> bool:
        """Wait until each of `models` that is configured has an AVAILABLE version; False if cancelled.

        Waits without end for a model that has no version to load. Raises ServingError (UNKNOWN) when
        all wanted versions of a model have failed for good.
        """
        names = sorted(models)
        with self._changed:
            while not (is_cancelled() or self._transitions.is_closed):
                awaited = [self._models[name] for name in names if self._is_configured(name)]
                failures = [failure for model in awaited if (failure := model.failure())]
                if failures:
                    message = f"{len(failures)} model(s) did not become available: {{{''.join(failures)}}}"
                    raise ServingError(Code.UNKNOWN, message)
                if all(model.available for model in awaited):
                    return True
                self._changed.wait(timeout=0.2)
        return False

    # --- making it true --------------------------------------------------------------------------

    def refresh(self) -> None:
        """Look into every base path once; load and unload what follows. Returns before loads end."""
        with self._changed:
            configs = [model.config for model in self._models.values() if model.config is not None]
        listings = [(config, self._survey.look(config)) for config in configs]
        with self._changed:
            for config, listing in listings:
                model = self._models[config.name]
                if listing is not None and model.config == config:
                    numbers = wanted(config.policy, listing.versions)
                    model.want({number: listing.versions[number] for number in sorted(numbers)})
            self._transitions.reconcile()

    def close(self) -> None:
        """Load and unload nothing any more. What is loaded stays, for the calls that still run."""
        self._transitions.close()
