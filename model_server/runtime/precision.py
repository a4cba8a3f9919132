"""A version computes in less than float32 where that is faster, and only if its labels stay.

Upstream's --mixed_precision=bfloat16 switches grappler's rewriting on and asks no further. Here a version is
loaded in float32 and in each precision that was asked for (reduced.py), the cheapest first; both are run on
its reference inputs (agreement.py), and the first precision that names the same label often enough serves. In
every other case float32 serves, as without the flags, and the log says why: they can cost accuracy only
within that bound, and never a load.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from contract.card import ModelCard
from contract.layout import CARD
from model_server.runtime.memory import give_back
from model_server.runtime.reduced import MakeLoad, Reduced, cpu_features

if TYPE_CHECKING:
    from model_server.runtime.agreement import Agreement
    from model_server.runtime.servable import Servable

log = logging.getLogger(__name__)

LEAST_EXAMPLES = 2000
"""Different reference inputs below which the share says too little.

With 2,000 of them, 99.8 % allow 4 other labels: a version that really keeps 99.5 % passes in 3 of 100 cases,
one that keeps 99.9 % is refused in 5. With 1,000 it would be 12 and 8, with 500 (one other label) 29 and 9.
"""


@dataclass(frozen=True)
class Decision:
    """Whether a version computes in this precision, and why."""

    precision: str
    is_chosen: bool
    reason: str
    agreement: Agreement | None = None
    """None where nothing was compared."""


Observer = Callable[[str, Decision], None]
"""Told of each decision: the version's directory."""

LoadReduced = Callable[[Reduced, Path], "Servable"]


class Precisions:
    """Chooses for each version. May be used from several threads at once."""

    def __init__(
        self,
        asked: Sequence[Reduced],
        observe: Observer,
        features: Callable[[], frozenset[str]] = cpu_features,
    ) -> None:
        """`asked`: the precision to try first comes first. `features`: what this CPU can do."""
        self._asked = tuple(asked)
        self._observe = observe
        self._features = features

    def chooser(
        self,
        make_load: MakeLoad,
        options: Any,
        reserve: Callable[[Path], AbstractContextManager[None]],
    ) -> Callable[[Path], Servable]:
        """A function that loads a version in the precision that serves it.

        `options` is the ConfigProto of every session; `reserve` holds memory for a second session meanwhile.
        """
        load = make_load(options)

        def load_reduced(precision: Reduced, path: Path) -> Servable:
            with reserve(path):
                return precision.load(make_load, options, path)

        return lambda path: self.choose(path, load(path), load_reduced)

    def choose(self, path: Path, servable: Servable, load_reduced: LoadReduced) -> Servable:
        """The servable to serve, `servable` itself or one of less precision; every other one is closed."""
        for precision in self._asked:
            candidate, decision = self._tried(precision, path, servable, load_reduced)
            self._say(path, decision)
            if candidate is not None:
                chosen, other = (candidate, servable) if decision.is_chosen else (servable, candidate)
                other.close()
                servable = chosen
                del other, candidate, chosen
                give_back()
            if decision.is_chosen:
                break
        return servable

    def _tried(
        self, precision: Reduced, path: Path, servable: Servable, load_reduced: LoadReduced
    ) -> tuple[Servable | None, Decision]:
        if not precision.features & self._features():
            named = ", ".join(sorted(precision.features))
            return None, Decision(precision.name, False, f"this CPU has none of {named}")
        candidate = None
        try:
            candidate = load_reduced(precision, path)
            return candidate, _compared(precision, path, servable, candidate)
        except Exception as error:
            reason = f"{precision.name} fails: {type(error).__name__}: {error}"
            return candidate, Decision(precision.name, False, reason)

    def _say(self, path: Path, decision: Decision) -> None:
        found = decision.agreement
        figures = {} if found is None else {"label_agreement": found.share, "examples": found.examples}
        if found is not None and found.examples:
            figures["float32_seconds"] = round(found.reference_seconds, 3)
            figures[f"{decision.precision}_seconds"] = round(found.candidate_seconds, 3)
        level = logging.INFO if decision.is_chosen else logging.WARNING
        message = "precision chosen" if decision.is_chosen else "precision refused"
        words = {"path": path, "precision": decision.precision, "reason": decision.reason}
        log.log(level, message, extra={**words, **figures})
        self._observe(str(path), decision)


def _compared(precision: Reduced, path: Path, servable: Servable, candidate: Servable) -> Decision:
    """Raises ServingError where a reference request fails."""
    from model_server.runtime import agreement

    found = agreement.compare(path, servable, candidate)
    if found.examples < LEAST_EXAMPLES:
        reason = (
            f"{found.examples} different reference inputs with labels to compare, {LEAST_EXAMPLES} are "
            f"needed; put requests into {agreement.REFERENCES}"
        )
        return Decision(precision.name, False, reason, found)
    least = least_agreement(precision, path)
    relation = "of labels stay, at least" if found.share >= least else "of labels stay, below"
    reason = f"{found.share:.2%} {relation} {least:.2%} of {found.examples}"
    return Decision(precision.name, found.share >= least, reason, found)


def least_agreement(precision: Reduced, path: Path) -> float:
    """The share of labels that has to stay, as the version's card states."""
    card = path / CARD
    if not card.is_file():
        return precision.least_agreement
    try:
        stated = precision.stated(ModelCard.model_validate_json(card.read_bytes()))
    except (ValidationError, OSError) as error:
        log.warning("the model card cannot be read", extra={"path": card, "error": str(error)})
        return precision.least_agreement
    return precision.least_agreement if stated is None else stated
