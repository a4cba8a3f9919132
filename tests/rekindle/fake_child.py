"""A child process for the tests of the supervisor: says what it does, and ends as it is told.

Started as `python fake_child.py LOG NAME [BEHAVIOUR…]`; it appends its life to the file LOG.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

log, name, *behaviours = sys.argv[1:]


def note(what: str) -> None:
    with Path(log).open("a") as file:
        file.write(f"{name} {what}\n")


def on_signal(number: int, frame: object) -> None:
    note(signal.Signals(number).name)
    if "deaf" not in behaviours:
        sys.exit(0)


signal.signal(signal.SIGTERM, on_signal)
signal.signal(signal.SIGINT, on_signal)
if "grandchild" in behaviours:
    child = subprocess.Popen([sys.executable, __file__, log, f"{name}-grandchild"])
print(f"hello from {name}", flush=True)
note(f"started {os.getpid()}")
if "fails" in behaviours:
    while Path(log).read_text().count(" started ") < 2:  # the others shall have lived
        time.sleep(0.02)
    print("the reason why", file=sys.stderr, flush=True)
    sys.exit(3)
while "ends" not in behaviours:
    time.sleep(0.05)
