"""Loads that change: `-f load_tests/locustfile.py,load_tests/shapes.py --shape spike --run-time 5m`.

Without this file Locust holds `--users` constant, by itself. With it, the shape says which share of them is
there at each moment, and ends after `--run-time`. What a user does, and whether it waits for answers (a
closed load) or not (`--arrivals`, an open one), is the locustfile's business.
"""

from __future__ import annotations

from argparse import Namespace
from typing import ClassVar

from locust import LoadTestShape, events
from locust.argument_parser import LocustArgumentParser

from load_tests.callers.waves import SHAPES, users_at

DEFAULT_SECONDS = 300.0


@events.init_command_line_parser.add_listener
def _add_options(parser: LocustArgumentParser) -> None:
    parser.add_argument("--shape", choices=list(SHAPES), default="steps", help="how the load changes")


class Shape(LoadTestShape):
    """The one that `--shape` names."""

    abstract = False
    use_common_options: ClassVar[bool] = True

    def tick(self) -> tuple[int, float] | None:
        """Users now, and how many may come or go in a second; None at the end."""
        assert self.runner is not None
        options: Namespace = self.runner.environment.parsed_options  # type: ignore[assignment]
        users = options.num_users or 1
        seconds = float(options.run_time or DEFAULT_SECONDS)
        now = users_at(options.shape, self.get_run_time(), seconds, users)
        return None if now is None else (now, float(max(users, options.spawn_rate or 1)))
