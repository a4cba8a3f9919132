"""A trainer that only says it trained. `fake_trainer.py run --spec FILE`, as the gateway starts the real one.

The dataset's name says what it does: `quick` ends well after two epochs, `refused` at the gate; any
other tells one epoch and waits for the file `go` in the run's folder; `crash` prints a word and dies;
`stubborn` hears no SIGTERM.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

spec_file = Path(sys.argv[sys.argv.index("--spec") + 1])
folder = spec_file.parent
spec = json.loads(spec_file.read_text())
dataset = Path(spec["data"]).name
stopped = False


def stop(*_: Any) -> None:
    """What SIGTERM does."""
    global stopped
    stopped = True


def now() -> str:
    """As JSON."""
    return datetime.now(UTC).isoformat()


def tell(epoch: int) -> None:
    """One epoch more."""
    values = {"loss": 1 / epoch, "accuracy": 1 - 1 / (epoch + 1)}
    event = {"at": now(), "phase": "fit", "message": f"epoch {epoch}", "done": epoch, "total": 2}
    with (folder / "progress.jsonl").open("a") as file:
        file.write(json.dumps(event | {"epoch": epoch, "values": values}) + "\n")
    print(f"epoch {epoch} of {spec['model']}", flush=True)


def end(state: str, **more: Any) -> None:
    """Write the result, by one rename."""
    result = {"run_id": spec["run_id"], "model": spec["model"], "state": state}
    result |= {"started_at": started, "finished_at": now()} | more
    temporary = folder / ".result"
    temporary.write_text(json.dumps(result))
    temporary.rename(folder / "result.json")
    sys.exit(0)


signal.alarm(120)  # no test leaves it behind for longer
signal.signal(signal.SIGTERM, signal.SIG_IGN if dataset == "stubborn" else stop)
started = now()
tell(1)
if dataset == "crash":
    print("cannot go on", flush=True)
    os._exit(3)
while dataset not in ("quick", "refused") and not (folder / "go").exists():
    if stopped or (dataset != "stubborn" and (folder / "cancel").exists()):
        end("cancelled", error={"code": "cancelled", "message": "asked to stop"})
    time.sleep(0.01)
tell(2)
if dataset == "refused":
    check = {"name": "accuracy", "passed": False, "observed": 0.03, "limit": 0.01, "sentence": "it loses 3 %"}
    gate = {"passed": False, "rule": spec["gate"], "compared_with": 1, "checks": [check]}
    end("rejected", accuracy=0.7, gate=gate, error={"code": "gate_refused", "message": "it loses 3 %"})
end("succeeded", version=2, accuracy=0.75)
