"""The adoption on one page: open, understand, write, judge, publish.

The run's id is made from what is adopted and how, so that the same command twice publishes once.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import tempfile
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from contract import layout
from contract.values import Name
from trainer.adopt.candidate import Adoption, load_labelled, write_candidate
from trainer.adopt.labels import read_labels
from trainer.adopt.pictures import Wanted, pictures_of
from trainer.errors import TrainerError
from trainer.network.scaling import scaling_of
from trainer.network.source import digest_of, open_source


def run(arguments: argparse.Namespace) -> int:
    """Adopt and publish; the exit status. Raises TrainerError."""
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        adoption = _understand(arguments)
        version = _published(adoption, arguments, console)
    except ValidationError:
        raise
    except (OSError, ValueError) as error:
        raise TrainerError(f"{type(error).__name__}: {error}") from error
    print(f"{adoption.model} version {version}, adopted from {arguments.path} (run {adoption.run_id})")
    return 0


def _understand(arguments: argparse.Namespace) -> Adoption:
    model = TypeAdapter(Name).validate_python(arguments.model)
    if model in layout.RESERVED_MODEL_NAMES:
        raise TrainerError(f"a model cannot be called {model!r}; choose another --model")
    labels, scaling = read_labels(arguments.labels), scaling_of(arguments.scaling)
    source = open_source(arguments.path, arguments.signature, arguments.output)
    if source.outputs != len(labels) and (source.outputs, len(labels)) != (1, 2):
        raise TrainerError(
            f"{source.name} has {source.outputs} outputs, {arguments.labels} names {len(labels)} labels; "
            "expected as many"
        )
    digest = digest_of(arguments.path)
    wanted = Wanted(scaling, arguments.size, arguments.resampling, arguments.fit)
    return Adoption(
        model=model,
        run_id=_run_id(model, digest, labels, arguments),
        digest=digest,
        source=source,
        labels=labels,
        pictures=pictures_of(source, wanted),
        scaling=scaling,
        outputs=arguments.outputs,
        is_calibrated=not arguments.no_calibration,
    )


def _run_id(model: str, digest: str, labels: list[str], arguments: argparse.Namespace) -> str:
    flags = ("scaling", "size", "signature", "output", "resampling", "fit", "no_calibration", "data")
    settings = [digest, labels, *(f"{flag} {getattr(arguments, flag)}" for flag in flags)]
    stem = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[:36]
    return f"{stem}-adopted-{hashlib.sha256(repr(settings).encode()).hexdigest()[:12]}"


def _published(adoption: Adoption, arguments: argparse.Namespace, console: Console) -> int:
    store = layout.ModelPaths(arguments.models, adoption.model)
    if (version := layout.published_version(store, adoption.run_id)) is not None:
        return version
    labelled = load_labelled(arguments.data, adoption)
    with tempfile.TemporaryDirectory(prefix="rekindle-adopt-") as folder:
        candidate = Path(folder, "candidate")
        write_candidate(adoption, labelled, candidate, console.print)
        return layout.publish(candidate, store, adoption.run_id)
