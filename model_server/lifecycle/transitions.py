"""How versions move on: which loads and unloads are due, the threads that do them, and what follows.

A version leaves only when another wanted one of its model answers, and never before its running calls have
ended. A load that fails is tried again, then given up with its error; it never harms the version that serves.
One that failed for want of memory is tried again as soon as another version has given its memory back. Which
versions are wanted, and who may call them, is repository.py's business.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic

from contract.tfserving_api import ModelVersionState as State
from model_server.errors import Code, ServingError
from model_server.lifecycle.states import Loader, Model, Servable, Version

log = logging.getLogger(__name__)

LoadObserver = Callable[[str, str, Code, float], None]
"""Told of every attempt to load: the model, the path, how it ended, its seconds."""


def _ignore_load(model: str, path: str, code: Code, seconds: float) -> None:
    """Nobody counts."""


@dataclass(frozen=True)
class RetryPolicy:
    """What to do about a load that failed."""

    retries: int = 5
    interval_seconds: float = 60.0


@dataclass(frozen=True)
class AtOnce:
    """How many versions load, and how many unload, at a time."""

    loads: int = 2
    """Loading is serial for the most part; with two, a small model need not wait for a large one."""
    unloads: int = 1


class Transitions(Generic[Servable]):
    """Loads and unloads. `changed` guards the models; methods that say so are called with it held."""

    def __init__(
        self,
        models: Mapping[str, Model[Servable]],
        changed: threading.Condition,
        load: Loader[Servable],
        retry: RetryPolicy,
        at_once: AtOnce,
    ) -> None:
        """`load(model, path)` reads a version; whatever it raises is the version's error."""
        self._models = models
        self._changed = changed
        self._load = load
        self._retry = retry
        self._loads = ThreadPoolExecutor(at_once.loads, thread_name_prefix="load")
        self._unloads = ThreadPoolExecutor(at_once.unloads, thread_name_prefix="unload")
        self._unload_count = 0
        self._listeners: list[Callable[[], None]] = []
        self.is_closed = False
        self.on_load: LoadObserver = _ignore_load
        self.after_unload: Callable[[], None] = lambda: None

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every change, with the lock held: it must be quick."""
        self._listeners.append(listener)

    def reconcile(self) -> None:
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

    def call_ended(self, version: Version[Servable]) -> None:
        """A call has given the version back. Called with the lock held."""
        version.calls -= 1
        if version.state is State.UNLOADING and version.calls == 0:
            self._submit(self._unloads, self._unload, version)

    def close(self) -> None:
        """Load and unload nothing any more. What is loaded stays, for the calls that still run."""
        with self._changed:
            self.is_closed = True
            self._changed.notify_all()
        for workers in (self._loads, self._unloads):
            workers.shutdown(wait=False, cancel_futures=True)

    def _advance(self, model: Model[Servable], version: Version[Servable]) -> None:
        if version.state is State.AVAILABLE:
            if not version.is_wanted and model.lets_go_of_unwanted():
                self._retire(model, version)
        elif version.state in (State.START, State.LOADING) and not version.is_loading:
            if not version.is_wanted:
                version.state = State.END
            elif time.monotonic() >= version.retry_at:
                version.state, version.is_loading = State.LOADING, True
                self._submit(self._loads, self._attempt, version)

    def _attempt(self, version: Version[Servable]) -> None:
        """Try to load once; runs on a thread of the loads."""
        log.info("loading", extra=version.fields | {"path": version.directory.path})
        started = time.monotonic()
        path, code = str(version.directory.path), Code.UNKNOWN
        unloads = self._unload_count
        try:
            servable = self._load(version.model, version.directory.path)
            code = Code.OK
        except Exception as error:  # whatever the loader raises is the version's error
            code = error.code if isinstance(error, ServingError) else code
            self._failed(version, error, unloads)
            return
        finally:
            self.on_load(version.model, path, code, time.monotonic() - started)
        with self._changed:
            version.is_loading = False
            version.servable, version.state = servable, State.AVAILABLE
            self._models[version.model].available[version.number] = version
            seconds = round(time.monotonic() - started, 3)
            log.info("version is available", extra=version.fields | {"seconds": seconds})
            self.reconcile()

    def _failed(self, version: Version[Servable], error: Exception, unloads: int) -> None:
        """`unloads`: how many versions had been unloaded when the attempt began."""
        known = error if isinstance(error, ServingError) else ServingError(Code.UNKNOWN, str(error))
        with self._changed:
            version.attempts += 1
            version.is_loading = False
            version.lacks_memory = known.code is Code.RESOURCE_EXHAUSTED
            left = self._retry.retries + 1 - version.attempts
            if version.lacks_memory and version.is_wanted and self._unload_count > unloads:
                version.start_over()
            elif left > 0 and version.is_wanted:
                self._put_off(version, known, left)
            else:
                version.state, version.error = State.END, known
                log.error("load failed: %s; given up until its files change", known, extra=version.fields)
            self.reconcile()

    def _put_off(self, version: Version[Servable], error: ServingError, attempts_left: int) -> None:
        interval = self._retry.interval_seconds
        version.retry_at = time.monotonic() + interval
        timer = threading.Timer(interval, self._reconcile_later)
        timer.daemon = True
        timer.start()
        words = "load failed: %s; %d attempts left, the next in %g s"
        log.error(words, error, attempts_left, interval, extra=version.fields)

    def _reconcile_later(self) -> None:
        with self._changed:
            self.reconcile()

    def _retire(self, model: Model[Servable], version: Version[Servable]) -> None:
        """No new call reaches the version; it is unloaded when the running ones have ended."""
        version.state = State.UNLOADING
        del model.available[version.number]
        if version.calls == 0:
            self._submit(self._unloads, self._unload, version)

    def _unload(self, version: Version[Servable]) -> None:
        """Give up one version; runs on a thread of the unloads."""
        servable, version.servable = version.servable, None
        if servable is not None:
            servable.close()
            del servable
            self.after_unload()
        with self._changed:
            version.state = State.END
            log.info("version is unloaded", extra=version.fields)
            self._unload_count += 1
            for waiting in self._lacking_memory():
                waiting.start_over()
                log.info("memory was given back; trying again", extra=waiting.fields)
            self.reconcile()

    def _lacking_memory(self) -> list[Version[Servable]]:
        return [
            version
            for model in self._models.values()
            for version in model.descending()
            if version.lacks_memory and version.is_wanted and not version.is_loading
        ]

    def _submit(
        self,
        workers: ThreadPoolExecutor,
        work: Callable[[Version[Servable]], None],
        version: Version[Servable],
    ) -> None:
        if not self.is_closed:
            workers.submit(work, version)
