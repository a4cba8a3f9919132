"""A training run as a Kubernetes Job, made from the template of a CronJob that stays suspended.

Image, volumes, limits and deadlines stand in the template, where operators look; added are only the
run's id as name and label, and the arguments. The client's calls block, so each goes to a thread.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from contract.training import TrainingSpec
from gateway.adapters.run_folders import FileRunFolders
from gateway.errors import ConfigurationError, LauncherError
from gateway.ports.training import Launched, LaunchState

T = TypeVar("T")
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
RUN_LABEL, MODEL_LABEL = "rekindle-run", "rekindle-model"
CONTAINER = "trainer"
"""The template's container that gets the arguments; the first one where none is called so."""
NOT_FOUND, CONFLICT, BAD_REQUEST, FORBIDDEN = 404, 409, 400, 403


class KubernetesLauncher:
    """A gateway.ports.training.TrainingLauncher."""

    name = "kubernetes"
    settle_seconds = 60.0
    """As long as a network file system may hide a new file from another machine."""

    def __init__(
        self,
        folders: FileRunFolders,
        cron_job: str,
        runs_at_trainer: str,
        namespace: str | None = None,
        timeout_seconds: float = 10.0,
    ) -> None:
        """Raises ConfigurationError where there is neither a service account nor a kubeconfig."""
        self._folders = folders
        self._cron_job = cron_job
        self._runs = runs_at_trainer
        self._timeout = timeout_seconds
        try:
            settings = client.Configuration()
            is_inside = "KUBERNETES_SERVICE_HOST" in os.environ
            load: Any = config.load_incluster_config if is_inside else config.load_kube_config
            load(client_configuration=settings)
        except Exception as error:  # the client raises ConfigException, OSError, and YAML's own
            raise ConfigurationError(
                "the launcher `kubernetes` needs a service account or KUBECONFIG; set "
                f"GATEWAY_TRAINING__LAUNCHER to another one otherwise: {error}"
            ) from error
        settings.retries = 1
        connection = client.ApiClient(settings)
        # The client's models have every field optional; what the API always sends is taken as sent.
        self._batch: Any = client.BatchV1Api(connection)
        self._core: Any = client.CoreV1Api(connection)
        self._namespace = namespace or _own_namespace()

    def job_name(self, run_id: str) -> str:
        """A function of the run's id, so that a Job is found, and not made twice."""
        return f"{self._cron_job}-{run_id}"[:63].rstrip("-")

    async def launch(self, spec: TrainingSpec) -> str:
        """Create the Job, or find that it is there."""
        return await self._call("create the Job", self._launch, spec)

    def _launch(self, spec: TrainingSpec) -> str:
        template = self._batch.read_namespaced_cron_job(
            self._cron_job, self._namespace, _request_timeout=self._timeout
        )
        job = self._job(template.spec.job_template, spec)
        # Deleted with the chart's template; not its controller, which would count it among its own runs.
        job.metadata.owner_references = [
            client.V1OwnerReference(
                api_version="batch/v1", kind="CronJob", name=template.metadata.name, uid=template.metadata.uid
            )
        ]
        try:
            self._batch.create_namespaced_job(self._namespace, job, _request_timeout=self._timeout)
        except ApiException as error:
            if error.status != CONFLICT:
                raise
        return f"job {self._namespace}/{self.job_name(spec.run_id)}"

    def _job(self, template: Any, spec: TrainingSpec) -> Any:
        added = {RUN_LABEL: spec.run_id, MODEL_LABEL: spec.model.rstrip("-_")}
        known = template.metadata or client.V1ObjectMeta()
        metadata = client.V1ObjectMeta(
            name=self.job_name(spec.run_id),
            labels=(known.labels or {}) | added,
            annotations=known.annotations,
        )
        pod = template.spec.template
        pod.metadata = pod.metadata or client.V1ObjectMeta()
        pod.metadata.labels = (pod.metadata.labels or {}) | added
        containers = pod.spec.containers
        chosen = next((each for each in containers if each.name == CONTAINER), containers[0])
        chosen.args = ["run", "--spec", f"{self._runs}/{spec.run_id}/spec.json"]
        return client.V1Job(api_version="batch/v1", kind="Job", metadata=metadata, spec=template.spec)

    async def state(self, run_id: str) -> Launched:
        """By the Job's conditions."""
        return await self._call("ask for the Job", self._state, run_id)

    def _state(self, run_id: str) -> Launched:
        name = self.job_name(run_id)
        try:
            job = self._batch.read_namespaced_job(name, self._namespace, _request_timeout=self._timeout)
        except ApiException as error:
            if error.status == NOT_FOUND:
                return Launched(LaunchState.GONE, f"there is no Job {name}")
            raise
        for condition in (job.status.conditions if job.status else None) or []:
            if condition.status == "True" and condition.type in ("Complete", "Failed"):
                said = ": ".join(text for text in (condition.reason, condition.message) if text)
                return Launched(LaunchState.GONE, f"the Job {name} is {condition.type}: {said}")
        if job.status and job.status.ready:
            return Launched(LaunchState.RUNNING)
        return Launched(LaunchState.WAITING, self._why_it_waits(name, run_id))

    def _why_it_waits(self, job: str, run_id: str) -> str:
        """Of its pod; where a quota or an admission rule lets none be made, of the Job's last event."""
        try:
            pods = self._pods(run_id)
            if pods:
                return _waiting_reason(pods[-1])
            events = self._core.list_namespaced_event(
                self._namespace,
                field_selector=f"involvedObject.name={job},involvedObject.kind=Job,type=Warning",
                _request_timeout=self._timeout,
            ).items
        except ApiException as error:
            return "" if error.status in (FORBIDDEN, NOT_FOUND) else f"{error.status} {error.reason}"
        return f"{events[-1].reason}: {events[-1].message}" if events else ""

    def _pods(self, run_id: str) -> Any:
        """Oldest first."""
        pods = self._core.list_namespaced_pod(
            self._namespace, label_selector=f"{RUN_LABEL}={run_id}", _request_timeout=self._timeout
        ).items
        return sorted(pods, key=lambda pod: str(pod.metadata.creation_timestamp))

    async def cancel(self, run_id: str, *, is_repeated: bool) -> None:
        """Delete the Job; its pods go in the background, with SIGTERM first."""
        await self._call("delete the Job", self._cancel, run_id)

    def _cancel(self, run_id: str) -> None:
        try:
            self._batch.delete_namespaced_job(
                self.job_name(run_id),
                self._namespace,
                propagation_policy="Background",
                _request_timeout=self._timeout,
            )
        except ApiException as error:
            if error.status != NOT_FOUND:
                raise

    async def logs(self, run_id: str, start: int, limit: int) -> bytes:
        """From log.txt once the run has ended, before that from the Job's newest pod.

        The API knows no offset in a log, so what lies before `start` is read and dropped.
        """
        kept = await asyncio.to_thread(self._folders.log, run_id, start, limit)
        return (
            kept if kept is not None else await self._call("read the log", self._logs, run_id, start, limit)
        )

    def _logs(self, run_id: str, start: int, limit: int) -> bytes:
        pods = self._pods(run_id)
        if not pods:
            return b""
        newest = pods[-1]
        containers = [each.name for each in newest.spec.containers]
        try:
            answer = self._core.read_namespaced_pod_log(
                newest.metadata.name,
                self._namespace,
                container=CONTAINER if CONTAINER in containers else containers[0],
                limit_bytes=start + limit,
                _preload_content=False,
                _request_timeout=self._timeout,
            )
        except ApiException as error:
            if error.status in (NOT_FOUND, BAD_REQUEST):  # its container does not run yet
                return b""
            raise
        return bytes(answer.data)[start : start + limit]

    async def _call(self, what: str, work: Callable[..., T], *arguments: Any) -> T:
        try:
            return await asyncio.to_thread(work, *arguments)
        except ApiException as error:
            said = " ".join(str(error.body or "").split())[:300]
            raise LauncherError(
                f"Kubernetes would not {what} in the namespace {self._namespace!r} "
                f"(CronJob {self._cron_job!r}): {error.status} {error.reason} {said}"
            ) from error
        except (HTTPError, OSError, ValueError) as error:  # ValueError: an answer that is none
            raise LauncherError(f"Kubernetes cannot be asked to {what}: {error}") from error


def _waiting_reason(pod: Any) -> str:
    """It fits nowhere, its image cannot be pulled, a volume or a Secret is missing."""
    status = pod.status
    for each in (status and status.container_statuses) or []:
        waiting = each.state and each.state.waiting
        if waiting and waiting.message:
            return f"{waiting.reason}: {waiting.message}"
    for condition in (status and status.conditions) or []:
        if condition.type == "PodScheduled" and condition.status == "False":
            return f"{condition.reason}: {condition.message}"
    return ""


def _own_namespace() -> str:
    try:
        return NAMESPACE_FILE.read_text().strip()
    except OSError:
        return "default"
