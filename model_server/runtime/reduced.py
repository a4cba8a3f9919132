"""The precisions below float32: what CPU each asks for, how a version is loaded in it, how much it may cost.

How a graph is rewritten so that it loses little is split_convolutions.py's and quantized_convolutions.py's
business, which of them serves precision.py's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from contract.activations import MAXIMA, ActivationMaxima
from contract.card import ModelCard

if TYPE_CHECKING:
    from model_server.runtime.servable import Servable

_CPUINFO = Path("/proc/cpuinfo")

Load = Callable[[Path], "Servable"]
MakeLoad = Callable[..., Load]
"""Sessions with this ConfigProto and, where given, this change of the MetaGraphDef (servable.loader)."""


class UnsuitedError(Exception):
    """A version that cannot be computed in a precision; the message says why."""


@dataclass(frozen=True)
class Reduced:
    """A precision below float32."""

    name: str
    features: frozenset[str]
    """A CPU that names one of them computes faster in it than in float32."""
    least_agreement: float
    """Share of the labels that has to stay, unless the model card says otherwise."""
    stated: Callable[[ModelCard], float | None]
    """What the card says."""
    load: Callable[[MakeLoad, Any, Path], Servable]
    """With the ConfigProto of every session. Raises UnsuitedError and what loading does."""


def cpu_features(cpuinfo: Path = _CPUINFO) -> frozenset[str]:
    """What the CPU can do, in the system's words; nothing where the system does not say."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    named = (line.partition(":")[2] for line in lines if line.lower().startswith(("flags", "features")))
    return frozenset(name for names in named for name in names.split())


def _load_bfloat16(make_load: MakeLoad, options: Any, path: Path) -> Servable:
    """By grappler's rewriting, whose first convolutions lose nothing."""
    from model_server.runtime.split_convolutions import split_first_convolutions

    changed = type(options)()
    changed.CopyFrom(options)
    rewriting = changed.graph_options.rewrite_options
    rewriting.auto_mixed_precision_onednn_bfloat16 = rewriting.ON
    return make_load(changed, split_first_convolutions)(path)


def _load_int8(make_load: MakeLoad, options: Any, path: Path) -> Servable:
    """Convolutions between two Relus, by the ranges that the version brings."""
    from model_server.runtime.quantized_convolutions import quantize_convolutions

    maxima = _read_maxima(path)
    rewritten: list[str] = []
    servable = make_load(options, lambda graph: rewritten.extend(quantize_convolutions(graph, maxima)))(path)
    if not rewritten:
        servable.close()
        raise UnsuitedError(f"no convolution with constant weights lies between two Relus of {MAXIMA}")
    return servable


def _read_maxima(path: Path) -> dict[str, float]:
    try:
        return ActivationMaxima.model_validate_json((path / MAXIMA).read_bytes()).maxima
    except FileNotFoundError:
        raise UnsuitedError(f"the version has no {MAXIMA}; `trainer complete` writes it") from None
    except (ValidationError, OSError) as error:
        raise UnsuitedError(f"{MAXIMA} cannot be read: {error}") from error


BFLOAT16 = Reduced(
    "bfloat16",
    frozenset({"avx512_bf16", "amx_bf16", "bf16"}),  # x86-64's, and the one of 64-bit ARM
    0.998,
    lambda card: card.bfloat16_label_agreement,
    _load_bfloat16,
)
INT8 = Reduced(
    "int8",
    frozenset({"avx512_vnni", "avx_vnni", "amx_int8"}),  # oneDNN's kernels are x86-64's
    0.995,
    lambda card: card.int8_label_agreement,
    _load_int8,
)
