"""Which versions are loaded, and which of them answers a request.

The repository knows the configured models, looks into their base paths, loads what the policies ask for
and unloads what they no longer do: a version leaves only when another wanted one of its model answers,
and never before its running calls have ended. A version that does not load is tried again, then given up
with its error; it never harms the one that serves. When to look is polling.py's business, how a version
is loaded is the loader's (servable.py).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from contract.tfserving_api import ModelVersionState as State
from model_server.errors import Code, ServingError, invalid_argument
from model_server.lifecycle import labels
from model_server.lifecycle.model_config import ModelConfig
from model_server.lifecycle.states import Model, Servable, Version
from model_server.lifecycle.survey import Survey
from model_server.lifecycle.versions import wanted

log = logging.getLogger(__name__)

LOADS_AT_ONCE = 2
"""Loading is serial for the most part; with two, a small model need not wait for a large one."""


LoadObserver = Callable[[str, str, Code, float], None]
"""Told of every attempt to load: the model, the path, how it ended, its seconds."""


def _ignore_load(model: str, path: str, code: Code, seconds: float) -> None:
    """Nobody counts."""


@dataclass(frozen=True)
class Target:
    """Which version of which model a request asks for; neither version nor label: the latest."""

    model: str
    version: int | None = None
    label: str | None = None


@dataclass(frozen=True)
class RetryPolicy:
    """What to do about a load that failed."""

    retries: int = 5
    interval_seconds: float = 60.0


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
        load: Callable[[str, Path], Servable],
        retry: RetryPolicy = RetryPolicy(),
        allow_labels_for_unavailable: bool = False,
        loads_at_once: int = LOADS_AT_ONCE,
    ) -> None:
        """`load(model, path)` reads a version; whatever it raises is the version's error."""
        self._load = load
        self._retry = retry
        self._allow_labels_for_unavailable = allow_labels_for_unavailable
        self._models: dict[str, Model[Servable]] = {}
        self._labels: labels.LabelMap = {}
        self._changed = threading.Condition()
        self._workers = ThreadPoolExecutor(loads_at_once, thread_name_prefix="load")
        self._survey = Survey()
        self._is_closed = False
        self._listeners: list[Callable[[], None]] = []
        self.on_load: LoadObserver = _ignore_load
        self.after_unload: Callable[[], None] = lambda: None

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
        self._listeners.append(listener)

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
                version.calls -= 1
                if version.state is State.UNLOADING and version.calls == 0:
                    self._submit(self._unload, version)

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
            while not (is_cancelled() or self._is_closed):
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
            self._reconcile()

    def _reconcile(self) -> None:
        """Start what is due. Called with the lock held, after every change."""
        for model in self._models.values():
            if model.config is None:
                model.want({})
            for version in model.descending():
                self._advance(model, version)
            model.forget_oldest()
        self._changed.notify_all()
        for listener in self._listeners:
            listener()

    def _advance(self, model: Model[Servable], version: Version[Servable]) -> None:
        if version.state is State.AVAILABLE:
            if not version.is_wanted and model.lets_go_of_unwanted():
                self._retire(model, version)
        elif version.state in (State.START, State.LOADING) and not version.is_loading:
            if not version.is_wanted:
                version.state = State.END
            elif time.monotonic() >= version.retry_at:
                version.state, version.is_loading = State.LOADING, True
                self._submit(self._attempt, version)

    def _attempt(self, version: Version[Servable]) -> None:
        """Try to load once; runs on a worker."""
        log.info("loading", extra=version.fields | {"path": version.directory.path})
        started = time.monotonic()
        path, code = str(version.directory.path), Code.UNKNOWN
        try:
            servable = self._load(version.model, version.directory.path)
            code = Code.OK
        except Exception as error:  # whatever the loader raises is the version's error
            code = error.code if isinstance(error, ServingError) else code
            self._failed(version, error)
            return
        finally:
            self.on_load(version.model, path, code, time.monotonic() - started)
        with self._changed:
            version.is_loading = False
            version.servable, version.state = servable, State.AVAILABLE
            self._models[version.model].available[version.number] = version
            seconds = round(time.monotonic() - started, 3)
            log.info("version is available", extra=version.fields | {"seconds": seconds})
            self._reconcile()

    def _failed(self, version: Version[Servable], error: Exception) -> None:
        known = error if isinstance(error, ServingError) else ServingError(Code.UNKNOWN, str(error))
        interval = self._retry.interval_seconds
        with self._changed:
            version.attempts += 1
            version.is_loading = False
            left = self._retry.retries + 1 - version.attempts
            if left > 0 and version.is_wanted:
                version.retry_at = time.monotonic() + interval
                self._reconcile_after(interval)
                log.error(
                    "load failed: %s; %d attempts left, the next in %g s",
                    *(known, left, interval),
                    extra=version.fields,
                )
            else:
                version.state, version.error = State.END, known
                log.error("load failed: %s; given up until its files change", known, extra=version.fields)
            self._reconcile()

    def _reconcile_after(self, seconds: float) -> None:
        def wake() -> None:
            with self._changed:
                self._reconcile()

        timer = threading.Timer(seconds, wake)
        timer.daemon = True
        timer.start()

    def _retire(self, model: Model[Servable], version: Version[Servable]) -> None:
        """No new call reaches the version; it is unloaded when the running ones have ended."""
        version.state = State.UNLOADING
        del model.available[version.number]
        if version.calls == 0:
            self._submit(self._unload, version)

    def _unload(self, version: Version[Servable]) -> None:
        servable, version.servable = version.servable, None
        if servable is not None:
            servable.close()
            del servable
            self.after_unload()
        with self._changed:
            version.state = State.END
            log.info("version is unloaded", extra=version.fields)
            self._reconcile()

    def _submit(self, work: Callable[[Version[Servable]], None], version: Version[Servable]) -> None:
        if not self._is_closed:
            self._workers.submit(work, version)

    def close(self) -> None:
        """Load and unload nothing any more. What is loaded stays, for the calls that still run."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._workers.shutdown(wait=False, cancel_futures=True)
