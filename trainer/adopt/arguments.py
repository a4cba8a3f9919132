"""The flags of `trainer adopt`; TensorFlow is imported only once the command runs."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import get_args

from contract.image_spec import Fit, Resampling
from trainer.network.scaling import SCALING_HELP


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare them, and the command."""
    parser.add_argument(
        "path", type=Path, metavar="PATH", help=".keras or .h5 file, or a SavedModel's folder"
    )
    parser.add_argument("--labels", type=Path, required=True, metavar="FILE", help="one a line, or JSON")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="labelled pictures it was not trained on"
    )
    parser.add_argument("--model", required=True, help="name of the model to publish to")
    parser.add_argument(
        "--models", type=Path, default=Path("models"), help="model store (default: %(default)s)"
    )
    parser.add_argument("--scaling", required=True, help=SCALING_HELP)
    parser.add_argument(
        "--outputs", choices=("logits", "probabilities"), help="default: seen from the numbers"
    )
    parser.add_argument("--size", type=_size, metavar="HEIGHTxWIDTH", help="where the model leaves it open")
    parser.add_argument("--signature", help="of a SavedModel (default: serving_default, or the only one)")
    parser.add_argument("--output", help="of the signature (default: the only one)")
    parser.add_argument(
        "--resampling", choices=get_args(Resampling), default="lanczos", help="default: %(default)s"
    )
    parser.add_argument("--fit", choices=get_args(Fit), default="cover", help="default: %(default)s")
    parser.add_argument("--no-calibration", action="store_true", help="leave the probabilities as they are")
    parser.set_defaults(command=_run)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})[x×](\d{1,4})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r}; expected HEIGHTxWIDTH, e.g. 224x224")
    return int(match[1]), int(match[2])


def _run(arguments: argparse.Namespace) -> int:
    from trainer.adopt.command import run

    return run(arguments)
