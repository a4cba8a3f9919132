"""The trainer's command line, printing when the test pictures and the candidate's files are opened.

python opens_in_order.py DATA run --data DATA …
"""

from __future__ import annotations

import sys
from typing import Any


def arm(data: str) -> None:
    """Print `TEST PICTURE` for every file below DATA/test, `FROZEN` once the SavedModel is complete."""

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        if name == "open" and str(arguments[0]).startswith(f"{data}/test/"):
            print("TEST PICTURE", flush=True)

    sys.addaudithook(hook)


if __name__ == "__main__":
    arm(sys.argv[1])
    from trainer import candidate
    from trainer.__main__ import main

    export = candidate.export

    def announced(*arguments: Any) -> None:
        """Export, then say so."""
        export(*arguments)
        print("FROZEN", flush=True)

    candidate.export = announced
    sys.exit(main(sys.argv[2:]))
