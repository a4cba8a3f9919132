"""Who this worker is among several, as TensorFlow wants to hear it: the variable TF_CONFIG.

A Kubernetes Indexed Job gives each of its pods a number and the host name `<job>-<number>`; a headless
Service with the Job's `subdomain` makes those names resolvable. Everything else follows from the two. No
TensorFlow is imported here, since the variable must stand before its first strategy is made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping

from trainer.errors import TrainerError

WORKERS, SERVICE, PORT = "REKINDLE_WORKERS", "REKINDLE_WORKERS_DOMAIN", "REKINDLE_WORKERS_PORT"
"""Set by the Job's template: completions, the headless Service's name, and the port of each worker."""
INDEX = "JOB_COMPLETION_INDEX"
"""Set by Kubernetes in each pod of an Indexed Job."""
DEFAULT_PORT = 2222


def tf_config(environment: Mapping[str, str], host: str) -> str | None:
    """TF_CONFIG for this pod of an Indexed Job, or None where a run has one worker.

    Args:
        environment: of the process.
        host: the pod's host name, `<job>-<index>`.

    Raises:
        TrainerError: several workers are wanted, but a variable is missing or contradicts the host's name.
    """
    workers = _number(environment, WORKERS, 1)
    if workers == 1:
        return None
    index = _number(environment, INDEX)
    service = environment.get(SERVICE)
    if not service:
        raise TrainerError(f"{WORKERS} is {workers}, but {SERVICE} does not name their headless Service")
    job, _, suffix = host.partition(".")[0].rpartition("-")
    if not job or suffix != str(index) or index >= workers:
        raise TrainerError(
            f"host {host!r} with {INDEX}={index} of {workers} workers is no pod of an Indexed Job; expected "
            f"the name <job>-{index}, and an index below {workers}"
        )
    port = _number(environment, PORT, DEFAULT_PORT)
    addresses = [f"{job}-{number}.{service}:{port}" for number in range(workers)]
    return json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})


def prepare(environment: MutableMapping[str, str], host: str) -> None:
    """Set TF_CONFIG in `environment` where the Job's variables call for it; one that is there stays."""
    if not environment.get("TF_CONFIG") and (value := tf_config(environment, host)):
        environment["TF_CONFIG"] = value


def worker_of(environment: Mapping[str, str]) -> tuple[int, int]:
    """This worker's index and the number of workers, by TF_CONFIG. Raises TrainerError."""
    text = environment.get("TF_CONFIG")
    if not text:
        return 0, 1
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        kind, index, workers = task["type"], int(task["index"]), len(cluster["worker"])
    except (ValueError, KeyError, TypeError) as error:
        raise TrainerError(f"TF_CONFIG is {text!r}; expected cluster.worker and task: {error}") from error
    if kind != "worker" or set(cluster) != {"worker"} or not 0 <= index < workers:
        raise TrainerError(
            f"TF_CONFIG is {text!r}; expected tasks of the type worker alone, worker 0 as chief"
        )
    return index, workers


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = environment.get(name, "" if default is None else str(default))
    if not text.isascii() or not text.isdigit() or (default is not None and int(text) < 1):
        raise TrainerError(f"{name} is {text!r}; expected a number")
    return int(text)
