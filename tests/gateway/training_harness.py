"""What the tests of training runs share: data folders, a gateway with the fake trainer, waiting."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway_fakes import FakeModelServer, picture
from gateway_harness import RunningGateway

from gateway.settings import Settings

TRAINER = Path(__file__).with_name("fake_trainer.py")
RUNS = "/v1/training-runs"


def make_data(store: Path, *names: str, classes: int = 2) -> None:
    """Datasets of a picture a class."""
    for name in names:
        for number in range(classes):
            folder = store / name / "train" / f"class-{number}"
            folder.mkdir(parents=True)
            (folder / "0000.png").write_bytes(picture(number * 100))


def training(**more: Any) -> dict[str, Any]:
    """Settings of training with the fake trainer."""
    command = (sys.executable, "-S", str(TRAINER))
    return {"process_command": command, "poll_seconds": 0.03} | more


def gateway_settings(
    store: Path, server: FakeModelServer, fresh_database: Callable[[Path], str], **more: Any
) -> Settings:
    """Settings for gateways that a test starts and ends by itself."""
    data = store.parent / "data"
    runs = store.parent / "runs"
    return Settings(
        predictor={"targets": [server.address]},
        stores={"models": store, "data": data, "pictures": data / ".history", "runs": runs},
        database={"url": fresh_database(data)},
        training=training(**more),
    )


async def start_run(gateway: RunningGateway, dataset: str, model: str = "shades", **more: Any) -> str:
    """Start a run; its id."""
    body = {"model": model, "dataset": dataset, "preset": "tiny"} | more
    answer = await gateway.client.post(RUNS, json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"{RUNS}/{answer.json()['id']}"
    return str(answer.json()["id"])


async def state_is(gateway: RunningGateway, run_id: str, *states: str) -> dict[str, Any]:
    """The run, once it has one of the states."""
    answer = await gateway.becomes(f"{RUNS}/{run_id}", lambda found: found.json().get("state") in states)
    return dict(answer.json())
