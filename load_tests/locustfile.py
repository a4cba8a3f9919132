"""Callers of the gateway, for Locust: `make locust`, then its page; or headless, for scripts.

    locust -f load_tests/locustfile.py --host http://127.0.0.1:8000 --headless --users 50 --run-time 1m
    … --arrivals 5                    an open load: each user starts 5 calls a second, whatever is answered
    … --mix predict-raw=1             only these calls; --pictures FOLDER: your own pictures
    … -f …,load_tests/shapes.py       a load that changes (shapes.py)
    … --processes 4                   when one process is not enough: Locust's own master and workers

Answers are checked (answers.py), not only statuses. What comes during `--warm-up` seconds is not counted.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.pool import Pool
from locust import FastHttpUser, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopTest
from locust.runners import WorkerRunner

from load_tests.callers import answers, forms, pictures, samples

MIX = "predict-raw=10,predict-form=8,predict-many=1,history=0.5,feedback=0.5"
AT_ONCE = 2000
"""Calls of one user in an open load; beyond it the generator itself would be what is measured."""
HISTORY_LIMIT = 20

_counted: list[samples.Sample] = []
_counts_from = 0.0
_pictures: list[pictures.Picture] = []
_answers = answers.Answers("")


def parse_mix(text: str) -> dict[str, float]:
    """Call → weight. Raises ValueError for what is no call or no weight."""
    mix = {}
    for part in text.split(","):
        name, _, weight = part.partition("=")
        if name.strip() not in CALLS:
            raise ValueError(f"{name.strip()!r} in --mix is no call; known are {', '.join(CALLS)}")
        mix[name.strip()] = float(weight or 1)
    return mix


@events.init_command_line_parser.add_listener
def _add_options(parser: LocustArgumentParser) -> None:
    parser.add_argument("--model", default="cifar10", help="which model is asked")
    # Options travel from Locust's master to its workers, so they are plain: text and numbers.
    parser.add_argument("--pictures", default="", help="a folder; without it, drawn ones")
    parser.add_argument("--largest", type=int, default=512, help="side of the largest drawn picture, pixels")
    parser.add_argument("--mix", default=MIX, help="calls and their weights")
    parser.add_argument("--images", type=int, default=16, help="pictures in a call of predict-many")
    parser.add_argument("--arrivals", type=float, default=0.0, help="calls a second of each user; 0: closed")
    parser.add_argument("--gaps", choices=["poisson", "even"], default="poisson", help="of --arrivals")
    parser.add_argument("--warm-up", type=float, default=5.0, help="seconds that are not counted")
    parser.add_argument("--token", default="", help="a bearer token", is_secret=True)
    parser.add_argument("--samples", default="", help="a file of every request counted")


@events.init.add_listener
def _prepare(environment: Environment, **_: object) -> None:
    """Before the clock of the run time starts."""
    global _pictures
    options = environment.parsed_options
    assert options is not None
    parse_mix(options.mix)
    _pictures = pictures.load(Path(options.pictures) if options.pictures else None, options.largest)
    # gevent's timers count from a clock that stood still meanwhile: the run time would be cut by that.
    gevent.get_hub().loop.update_now()


@events.test_start.add_listener
def _begin(environment: Environment, **_: object) -> None:
    """On the master and on each worker: forget the runs before, and what the warm-up will show."""
    global _counts_from, _answers
    options = environment.parsed_options
    assert options is not None
    _answers = answers.Answers(options.model)
    _counts_from = time.time() + options.warm_up
    _counted.clear()
    if options.warm_up:
        gevent.spawn_later(options.warm_up, environment.stats.reset_all)


@events.request.add_listener
def _count(
    response_time: float,
    response: Any,
    exception: BaseException | None,
    context: dict[str, Any],
    **_: object,
) -> None:
    now = time.time()
    if now >= _counts_from:
        headers = getattr(response, "headers", None) or {}
        problem = f"{type(exception).__name__}: {exception}"[:300] if exception else ""
        status = int(getattr(response, "status_code", 0) or 0)
        retry_after = str(headers.get("Retry-After", "")) if status >= 400 else ""
        images = int(context.get("images", 0))
        _counted.append(samples.Sample(now, response_time, status, images, problem, retry_after))


@events.quitting.add_listener
def _write_samples(environment: Environment, **_: object) -> None:
    options = environment.parsed_options
    if options is not None and options.samples:
        runner, path = environment.runner, Path(options.samples)
        if isinstance(runner, WorkerRunner):
            path = path.with_suffix(f".{runner.worker_index}.json")
        samples.write(path, _counted)


class Caller(FastHttpUser):
    """Calls what the mix says: after each answer the next, or at its own pace with --arrivals."""

    network_timeout = connection_timeout = 60.0
    concurrency = AT_ONCE

    def on_start(self) -> None:
        """Read the options."""
        options = self.environment.parsed_options
        assert options is not None
        self._options, self._mix = options, parse_mix(options.mix)
        self._headers = {"Authorization": f"Bearer {options.token}"} if options.token else {}
        self._path = f"/v1/models/{options.model}/predictions"
        self._remembered: list[tuple[str, str]] = []
        self._running = Pool(AT_ONCE)
        self._next_at = time.perf_counter()

    @task
    def run_once(self) -> None:
        """One call of a closed load, or one arrival of an open one."""
        if not self._options.arrivals:
            self._call(None)
            return
        gap = 1 / self._options.arrivals
        self._next_at += random.expovariate(1 / gap) if self._options.gaps == "poisson" else gap
        gevent.sleep(max(0.0, self._next_at - time.perf_counter()))
        if self._running.full():
            raise StopTest(f"{AT_ONCE} calls of one user are unanswered: use more users or --processes")
        self._running.spawn(self._call, self._next_at)

    def on_stop(self) -> None:
        """Calls of an open load that are still unanswered end with their user."""
        self._running.kill(block=False)

    def _call(self, due: float | None) -> None:
        name = random.choices(list(self._mix), list(self._mix.values()))[0]
        CALLS[name](self, name, due)

    def _predict_raw(self, name: str, due: float | None) -> None:
        picture = random.choice(_pictures)
        headers = {"Content-Type": picture.content_type}
        self._predict(name, due, [picture], picture.content, headers, are_named=False)

    def _predict_form(self, name: str, due: float | None, count: int = 1) -> None:
        asked = random.choices(_pictures, k=count)
        headers = {"Content-Type": forms.CONTENT_TYPE}
        self._predict(name, due, asked, forms.form(asked), headers, are_named=True)

    def _predict_many(self, name: str, due: float | None) -> None:
        self._predict_form(name, due, self._options.images)

    def _predict(
        self,
        name: str,
        due: float | None,
        asked: list[pictures.Picture],
        body: bytes,
        headers: dict[str, str],
        *,
        are_named: bool,
    ) -> None:
        def check(content: bytes) -> None:
            _answers.check(content, asked, are_named=are_named)

        self._ask("POST", self._path, name, due, check, len(asked), data=body, headers=headers)

    def _history(self, name: str, due: float | None) -> None:
        model = self._options.model

        def check(content: bytes) -> None:
            self._remembered = answers.check_history(content, model, HISTORY_LIMIT)

        path = f"/v1/predictions?model={model}&limit={HISTORY_LIMIT}"
        self._ask("GET", path, name, due, check, 0)

    def _feedback(self, name: str, due: float | None) -> None:
        """Says that an answer was right; without a remembered one it looks for one first."""
        if not self._remembered:
            self._history("history", due)
            return
        id_, label = self._remembered.pop()

        def check(content: bytes) -> None:
            answers.check_feedback(content, label)

        path = f"/v1/predictions/{id_}/feedback"
        self._ask("PUT", path, name, due, check, 0, json={"label": label})

    def _ask(
        self,
        method: str,
        path: str,
        name: str,
        due: float | None,
        check: Callable[[bytes], None],
        images: int,
        **sent: Any,
    ) -> None:
        """`due` (perf_counter): when an open load wanted it; the wait counts from then."""
        headers = {**self._headers, **sent.pop("headers", {})}
        context = {"images": images}
        with self.client.request(
            method, path, name, catch_response=True, headers=headers, context=context, **sent
        ) as response:
            if due is not None:
                response.request_meta["response_time"] = (time.perf_counter() - due) * 1000
            if response.status_code == 200:
                try:
                    check(response.content or b"")
                except answers.WrongAnswerError as error:
                    response.failure(error)


CALLS: dict[str, Callable[[Caller, str, float | None], None]] = {
    "predict-raw": Caller._predict_raw,
    "predict-form": Caller._predict_form,
    "predict-many": Caller._predict_many,
    "history": Caller._history,
    "feedback": Caller._feedback,
}
"""What `--mix` may name."""
