"""Runs a supervisor over fake children, as a program that tests can send signals to.

Started as `python run_supervisor.py LOG NAME[:BEHAVIOUR…] …`.
"""

import signal
import sys
from pathlib import Path

from rekindle.child import Command
from rekindle.console import Console
from rekindle.supervisor import ChildFailedError, StopRequestedError, Supervisor

FAKE_CHILD = str(Path(__file__).with_name("fake_child.py"))

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
log, *children = sys.argv[1:]
console = Console()
try:
    with Supervisor(console, patience_seconds=1.0 if "deaf" in log else 20.0) as supervisor:
        for child in children:
            name, *behaviours = child.split(":")
            supervisor.start(Command(name, [sys.executable, FAKE_CHILD, log, name, *behaviours]))
        console.say("all started")
        supervisor.wait()
except StopRequestedError:
    console.say("Stopped.")
except ChildFailedError as error:
    console.say(str(error))
    sys.exit(1)
