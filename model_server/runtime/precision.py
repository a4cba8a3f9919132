"""--mixed_precision=bfloat16: a version computes in bfloat16 where that is fast, and only if its labels stay.

Upstream switches grappler's rewriting on and asks no further. Here a version is loaded twice, both are run on
its reference inputs (agreement.py), and the faster one serves if it names the same label often enough, which
the model card may state. In every other case float32 serves, as without the flag, and the log says why: the
flag can cost accuracy only within that bound, and never a load. How the graph is made to lose little is
split_convolutions.py's business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from contract.card import ModelCard
from contract.layout import CARD
from model_server.runtime.memory import give_back

if TYPE_CHECKING:
    from model_server.runtime.agreement import Agreement
    from model_server.runtime.servable import Servable

log = logging.getLogger(__name__)

LEAST_AGREEMENT = 0.998
"""Of the labels, unless the model card says otherwise (`bfloat16_label_agreement`)."""

LEAST_EXAMPLES = 2000
"""Different reference inputs below which the share says too little.

With 2,000 of them, 99.8 % allow 4 other labels: a version that really keeps 99.5 % passes in 3 of 100 cases,
one that keeps 99.9 % is refused in 5. With 1,000 it would be 12 and 8, with 500 (one other label) 29 and 9.
"""

_CPUINFO = Path("/proc/cpuinfo")
_FEATURES = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""x86-64's, and the one of 64-bit ARM."""


@dataclass(frozen=True)
class Decision:
    """What a version computes in, and why."""

    is_bfloat16: bool
    reason: str
    agreement: Agreement | None = None
    """None where nothing was compared."""


Observer = Callable[[str, Decision], None]
"""Told of each decision: the version's directory."""

Load = Callable[[Path], "Servable"]
MakeLoad = Callable[..., Load]
"""Sessions with this ConfigProto and, where given, this change of the MetaGraphDef (servable.loader)."""


def cpu_computes_bfloat16(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether the CPU has instructions for it; without them bfloat16 is slower than float32."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    named = (line.partition(":")[2] for line in lines if line.lower().startswith(("flags", "features")))
    return any(_FEATURES & set(names.split()) for names in named)


class MixedPrecision:
    """Chooses for each version. May be used from several threads at once."""

    def __init__(self, observe: Observer, is_supported: Callable[[], bool] = cpu_computes_bfloat16) -> None:
        """`is_supported`: whether this CPU computes in bfloat16."""
        self._observe = observe
        self._is_supported = is_supported

    def chooser(
        self,
        make_load: MakeLoad,
        options: Any,
        reserve: Callable[[Path], AbstractContextManager[None]],
    ) -> Load:
        """A function that loads a version in the precision that serves it.

        `options` is the ConfigProto of every session; `reserve` holds memory for a second session meanwhile.
        """
        from model_server.runtime.split_convolutions import split_first_convolutions

        load = make_load(options)
        load_bfloat16 = make_load(_with_bfloat16(options), split_first_convolutions)

        def reserved(path: Path) -> Servable:
            with reserve(path):
                return load_bfloat16(path)

        return lambda path: self.choose(path, load(path), reserved)

    def choose(self, path: Path, servable: Servable, load_bfloat16: Load) -> Servable:
        """The servable to serve, `servable` itself or the one in bfloat16; the other one is closed."""
        if not self._is_supported():
            self._say(path, Decision(False, f"this CPU has none of {', '.join(sorted(_FEATURES))}"))
            return servable
        candidate = None
        try:
            candidate = load_bfloat16(path)
            decision = _compared(path, servable, candidate)
        except Exception as error:
            decision = Decision(False, f"bfloat16 fails: {type(error).__name__}: {error}")
        if candidate is not None:
            chosen, other = (candidate, servable) if decision.is_bfloat16 else (servable, candidate)
            other.close()
            servable = chosen
            del other, candidate, chosen
            give_back()
        self._say(path, decision)
        return servable

    def _say(self, path: Path, decision: Decision) -> None:
        found = decision.agreement
        figures = {} if found is None else {"label_agreement": found.share, "examples": found.examples}
        if found is not None and found.examples:
            figures["float32_seconds"] = round(found.reference_seconds, 3)
            figures["bfloat16_seconds"] = round(found.candidate_seconds, 3)
        level = logging.INFO if decision.is_bfloat16 else logging.WARNING
        precision = "bfloat16" if decision.is_bfloat16 else "float32"
        words = {"path": path, "precision": precision, "reason": decision.reason}
        log.log(level, "precision chosen", extra={**words, **figures})
        self._observe(str(path), decision)


def _compared(path: Path, servable: Servable, candidate: Servable) -> Decision:
    """Raises ServingError where a reference request fails."""
    from model_server.runtime import agreement

    found = agreement.compare(path, servable, candidate)
    if found.examples < LEAST_EXAMPLES:
        reason = (
            f"{found.examples} different reference inputs with labels to compare, {LEAST_EXAMPLES} are "
            f"needed; put requests into {agreement.REFERENCES}"
        )
        return Decision(False, reason, found)
    least = least_agreement(path)
    relation = "of labels stay, at least" if found.share >= least else "of labels stay, below"
    reason = f"{found.share:.2%} {relation} {least:.2%} of {found.examples}"
    return Decision(found.share >= least, reason, found)


def least_agreement(path: Path) -> float:
    """The share of labels that bfloat16 has to keep, as the version's card states."""
    card = path / CARD
    if not card.is_file():
        return LEAST_AGREEMENT
    try:
        stated = ModelCard.model_validate_json(card.read_bytes()).bfloat16_label_agreement
    except (ValidationError, OSError) as error:
        log.warning("the model card cannot be read", extra={"path": card, "error": str(error)})
        return LEAST_AGREEMENT
    return LEAST_AGREEMENT if stated is None else stated


def _with_bfloat16(options: Any) -> Any:
    """The same ConfigProto with grappler's rewriting to bfloat16 switched on."""
    changed = type(options)()
    changed.CopyFrom(options)
    rewriting = changed.graph_options.rewrite_options
    rewriting.auto_mixed_precision_onednn_bfloat16 = rewriting.ON
    return changed
