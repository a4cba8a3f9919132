"""Locust as a child process: one load on one gateway, and every request of it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from load_tests.callers import samples
from load_tests.callers.samples import Sample
from load_tests.processes.cpu_times import recording

LOCUSTFILE = Path(__file__).parent.with_name("locustfile.py")
CPU_NAME = "generator"
START_SECONDS = 90.0


@dataclass(frozen=True)
class Load:
    """Who calls, and how."""

    users: int
    arrivals: float = 0.0
    """Calls a second of all users together, whatever is answered; 0: each user waits for its answer."""
    mix: str = "predict-raw=1,predict-form=1"
    largest: int = 64
    """Pixels of a side: small pictures, so that decoding them is not what is measured."""
    seconds: float = 20.0
    """Without the warm-up."""
    warm_up_seconds: float = 5.0

    def command(self, url: str, model: str, path: Path) -> list[str]:
        """What to start."""
        options: dict[str, object] = {
            "locustfile": LOCUSTFILE,
            "host": url,
            "users": self.users,
            "spawn-rate": self.users,
            "run-time": f"{round(self.warm_up_seconds + self.seconds)}s",
            "warm-up": self.warm_up_seconds,
            "arrivals": self.arrivals / self.users,
            "mix": self.mix,
            "largest": self.largest,
            "model": model,
            "samples": path,
            "exit-code-on-error": 0,
            "loglevel": "WARNING",
        }
        flags = [f"--{name}={value}" for name, value in options.items()]
        return [sys.executable, "-m", "locust", "--headless", "--only-summary", *flags]


@dataclass(frozen=True)
class Outcome:
    """What a load saw."""

    samples: Sequence[Sample]
    seconds: float
    """From the first counted answer to the last."""
    cpus: dict[str, float]
    """CPUs used meanwhile, by process; the generator's own under CPU_NAME."""

    @property
    def right_answers(self) -> int:
        """Answers without a problem."""
        return sum(not sample.problem for sample in self.samples)

    @property
    def images_per_second(self) -> float:
        """Of the right answers."""
        return sum(sample.images for sample in self.samples if not sample.problem) / self.seconds


class GeneratorError(Exception):
    """The generator did not measure; the message holds its last words."""


def run(load: Load, url: str, model: str, pids: dict[str, int]) -> Outcome:
    """Run the load to its end; `pids` are the processes whose CPU time counts. Raises GeneratorError."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as said:
        path = Path(folder) / "samples.json"
        process = subprocess.Popen(load.command(url, model, path), stdout=said, stderr=subprocess.STDOUT)
        try:
            with recording({CPU_NAME: process.pid, **pids}) as recorder:
                process.wait(load.warm_up_seconds + load.seconds + START_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise GeneratorError(f"Locust did not end: {error}") from error
        finally:
            process.kill()
            process.wait()
        counted = samples.read(path) if path.exists() else []
        if len(counted) < 2:
            said.seek(0)
            raise GeneratorError(f"Locust counted {len(counted)} answers; it said: {said.read()[-2000:]}")
    start, end = counted[0].ended_at, max(sample.ended_at for sample in counted)
    return Outcome(counted, end - start, recorder.used(start, end))
