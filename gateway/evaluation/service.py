"""Any version, or two side by side, on labelled pictures that were spooled to disk.

Pictures are read a few at a time, asked for through the same queue as everybody's, and only while no caller's
images wait. A version that is not loaded is pinned for as long as it takes; should this gateway die
meanwhile, the pin stays, and the rollout shows it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice

from contract import images
from gateway.datasets.members import Member, Members
from gateway.datasets.paths import Layout
from gateway.errors import (
    GatewayError,
    InvalidParameterError,
    MalformedBodyError,
    NoVersionError,
    OverloadedError,
    TooLargeError,
)
from gateway.evaluation.measures import Difference, Measures, difference_of, measures_of
from gateway.ports.serving import ServedVersion
from gateway.rollouts.operations import changed_pins
from gateway.rollouts.service import RolloutService
from gateway.serving.pools import Pools
from gateway.settings import EvaluationSettings, LimitSettings

log = logging.getLogger(__name__)

AT_ONCE = 32
"""Pictures in one request to the queue."""
STEP_ASIDE_SECONDS = 0.01
SHOWN_REFUSALS = 100
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was not used, and why."""

    name: str
    reason: str


@dataclass
class Answers:
    """What the versions said, picture by picture."""

    true: list[str] = field(default_factory=list)
    predicted: list[list[str]] = field(default_factory=list)
    """For each version, in the order they were named."""
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    """The first hundred."""

    def refuse(self, name: str, reason: str) -> None:
        """Count one file that was not used."""
        self.refused += 1
        if len(self.refusals) < SHOWN_REFUSALS:
            self.refusals.append(Refusal(name[:255], reason))


@dataclass(frozen=True)
class Report:
    """How the versions did."""

    measures: Sequence[Measures]
    difference: Difference | None
    """The first minus the second; None for one alone."""
    refused: int
    refusals: Sequence[Refusal]


@dataclass(frozen=True, slots=True)
class _Usable:
    label: str
    pixels: Sequence[bytes]
    """As each version takes it."""


class _Pictures:
    """Reads the files a few at a time. A member can be read only while its archive is walked through."""

    def __init__(
        self, served: Sequence[ServedVersion], members: Members, max_pixels: int, answers: Answers
    ) -> None:
        self._specs = [one.card.image for one in served]
        self._known = set.intersection(*(set(one.card.labels) for one in served))
        self._members = iter(members)
        self._folders = Layout()
        self._max_pixels = max_pixels
        self._answers = answers
        self.is_at_end = False

    def some(self) -> list[_Usable]:
        """Blocks. Raises RequestError where the upload cannot be read any further."""
        count, found = 0, []
        for member in islice(self._members, AT_ONCE):
            count += 1
            try:
                found.append(self._usable(member))
            except ValueError as error:
                self._answers.refuse(member.name, str(error))
        self.is_at_end = count < AT_ONCE
        return found

    def _usable(self, member: Member) -> _Usable:
        """Raises ValueError: RefusedPathError, ImageError, or what the member says."""
        if member.refusal is not None:
            raise ValueError(member.refusal)
        label = member.label if member.label is not None else self._folders.place(member.name).label
        if label not in self._known:
            shown = ", ".join(sorted(self._known)[:20])
            raise ValueError(f"the label {label!r} is unknown to the version; it knows: {shown}")
        content = member.read()
        return _Usable(label, [images.decode(content, spec, self._max_pixels) for spec in self._specs])


class EvaluationService:
    """One evaluation at a time in each process."""

    def __init__(
        self,
        rollouts: RolloutService,
        queue: Pools,
        settings: EvaluationSettings,
        limits: LimitSettings,
    ) -> None:
        self._rollouts = rollouts
        self._queue = queue
        self._settings = settings
        self._max_pixels = limits.image_pixels
        self._is_running = False

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Raises OverloadedError while another evaluation runs."""
        if self._is_running:
            raise OverloadedError("an evaluation is running already; try again when it has ended")
        self._is_running = True
        try:
            yield
        finally:
            self._is_running = False

    async def check(self, model: str, versions: Sequence[int]) -> Sequence[ServedVersion]:
        """The versions with their cards, before a body is read.

        Raises UnknownModelError, UnknownVersionError, CardError, InvalidParameterError.
        """
        if len(set(versions)) < len(versions):
            raise InvalidParameterError(f"`against` is version {versions[0]} itself; name another version")
        return [await self._rollouts.card_of(model, version) for version in versions]

    async def evaluate(self, served: Sequence[ServedVersion], members: Members) -> Report:
        """Ask every version about every picture.

        Raises MalformedBodyError when not one picture could be used, TooLargeError, NoVersionError, or the
        error of a call that failed twice.
        """
        async with self._loaded(served):
            answers = Answers(predicted=[[] for _ in served])
            pictures = _Pictures(served, members, self._max_pixels, answers)
            while not pictures.is_at_end:
                usable = await asyncio.to_thread(pictures.some)
                await self._take(served, usable, answers)
        return _report(served, answers)

    async def _take(
        self, served: Sequence[ServedVersion], usable: Sequence[_Usable], answers: Answers
    ) -> None:
        if len(answers.true) + len(usable) > self._settings.max_pictures:
            raise TooLargeError(
                f"more than {self._settings.max_pictures:,} pictures "
                "(GATEWAY_EVALUATION__MAX_PICTURES); send fewer"
            )
        if not usable:
            return
        for place, one in enumerate(served):
            rows = await self._rows(one, [each.pixels[place] for each in usable])
            labels = one.card.labels
            best = (max(range(len(row)), key=row.__getitem__) for row in rows)
            answers.predicted[place].extend(labels[index] for index in best)
        answers.true.extend(each.label for each in usable)

    async def _rows(self, served: ServedVersion, pixels: Sequence[bytes]) -> Sequence[Sequence[float]]:
        while self._queue.queued_images:  # noqa: ASYNC110  callers first
            await asyncio.sleep(STEP_ASIDE_SECONDS)
        deadline = asyncio.get_running_loop().time() + self._settings.batch_seconds
        return (await self._queue.submit(served, pixels, deadline)).rows

    @asynccontextmanager
    async def _loaded(self, served: Sequence[ServedVersion]) -> AsyncIterator[None]:
        """Inside, every version is AVAILABLE on every replica. Raises NoVersionError, ConflictError."""
        model = served[0].model
        missing = [one.version for one in served if not self._answers(model, one.version)]
        if missing:
            await self._rollouts.change(model, changed_pins(add=missing))
        try:
            await self._wait_for(model, missing)
            yield
        finally:
            if missing:
                await asyncio.shield(self._unpin(model, missing))

    def _answers(self, model: str, version: int) -> bool:
        state = self._rollouts.model(model)
        return version == state.rollout.stable or version in state.answering

    async def _wait_for(self, model: str, versions: Sequence[int]) -> None:
        try:
            async with asyncio.timeout(self._settings.load_seconds):
                while not all(self._answers(model, version) for version in versions):  # noqa: ASYNC110
                    await asyncio.sleep(POLL_SECONDS)  # the following of the store will tell
        except TimeoutError as error:
            raise NoVersionError(
                f"version {', '.join(map(str, versions))} of the model {model!r} was not AVAILABLE on every "
                f"replica within {self._settings.load_seconds:g} s; look at its state: GET …/versions"
            ) from error

    async def _unpin(self, model: str, versions: Sequence[int]) -> None:
        try:
            await self._rollouts.change(model, changed_pins(remove=versions))
        except GatewayError as error:
            log.error("a version stays pinned", extra={"model": model, "reason": str(error)})


def _report(served: Sequence[ServedVersion], answers: Answers) -> Report:
    if not answers.true:
        why = f": {answers.refusals[0].name}: {answers.refusals[0].reason}" if answers.refusals else ""
        raise MalformedBodyError(f"not one of {answers.refused} files could be used{why}")
    measures = []
    for one, predicted in zip(served, answers.predicted, strict=True):
        measures.append(measures_of(answers.true, predicted, one.card.labels))
    difference = None
    if len(served) == 2:
        first, second = (
            [said == true for said, true in zip(predicted, answers.true, strict=True)]
            for predicted in answers.predicted
        )
        difference = difference_of(first, second)
    return Report(measures, difference, answers.refused, answers.refusals)
