"""A gateway process of one test, with stores of its own, that can be stopped and started again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx

from load_tests.dashboard.stack import MODEL, ROOT, RunningStack, wait_until_ready
from rekindle.loopback import free_ports


class Gateway:
    """A context: started at its begin, stopped at its end."""

    def __init__(self, folder: Path, stack: RunningStack, variables: dict[str, str]) -> None:
        self.folder = folder
        self.models = folder / "models"
        shutil.copytree(ROOT / "models" / MODEL / "1", self.models / MODEL / "1", copy_function=os.link)
        (folder / "data").mkdir()
        port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "SERVER__PORT": str(port),
            "PREDICTOR__TARGETS": f"127.0.0.1:{stack.grpc_port}",
            "STORES__MODELS": str(self.models),
            "STORES__DATA": str(folder / "data"),
            "STORES__RUNS": str(folder / "runs"),
            "STORES__PICTURES": str(folder / "pictures"),
            "DATABASE__URL": f"sqlite:///{folder / 'gateway.sqlite3'}",
        }
        self._environment = os.environ | {
            f"GATEWAY_{name}": value for name, value in (settings | variables).items()
        }

    def change_card(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Rewrite the model card; the file is a link to the repository's, so it is replaced."""
        path = self.models / MODEL / "1" / "model_card.json"
        card = json.loads(path.read_text())
        change(card)
        path.unlink()
        path.write_text(json.dumps(card))

    def start(self) -> None:
        """Start, and wait until it is ready."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve"], env=self._environment, cwd=ROOT
        )
        wait_until_ready(self.url, self._process)
        token = {"X-Forwarded-User": "tests"}
        while httpx.get(f"{self.url}/v1/datasets", headers=token, trust_env=False).status_code == 503:
            time.sleep(0.05)  # the database is migrated beside

    def stop(self) -> None:
        """Stop, and wait until it is gone."""
        self._process.terminate()
        self._process.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.stop()
