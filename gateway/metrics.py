"""Every metric of the gateway, on a registry of its own.

Label values are bounded: model and version come from the model store, never from a request; routes are
templates; replicas are the resolved addresses and leave when they do. Units are in the names.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from contract.training import RunState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_RUN_SECONDS = (10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400)
_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The metrics of one gateway process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._define_requests()
        self._define_predictions()
        self._define_replicas()
        self._define_rollout()
        self._define_history()
        self._define_datasets()
        self._define_notifications()
        self._define_drift()
        self._define_training()
        self._define_stores()

    def _define_requests(self) -> None:
        self.requests = Counter(
            "gateway_http_requests",
            "Answered HTTP requests.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "gateway_http_request_seconds",
            "Seconds from the request's headers to the end of the answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.requests_in_flight = Gauge(
            "gateway_http_requests_in_flight", "HTTP requests being answered.", registry=self.registry
        )
        self.body_bytes = Gauge(
            "gateway_body_bytes", "Bytes of request bodies held in memory.", registry=self.registry
        )

    def _define_predictions(self) -> None:
        self.images_arrived = Counter(
            "gateway_images_arrived",
            "Decoded images that asked for a prediction, those queued and shed included.",
            ["model"],
            registry=self.registry,
        )
        self.images_predicted = Counter(
            "gateway_images_predicted",
            "Images answered, by the version that answered.",
            ["model", "version"],
            registry=self.registry,
        )
        self.images_refused = Counter(
            "gateway_images_refused", "Pictures that could not be decoded.", ["model"], registry=self.registry
        )
        self.images_shed = Counter(
            "gateway_images_shed", "Images refused because the queue was full.", registry=self.registry
        )
        self.images_failed = Counter(
            "gateway_images_failed",
            "Images that a version did not answer: rejected, not served, or not in time.",
            ["model", "version", "reason"],
            registry=self.registry,
        )
        self.images_queued = Gauge(
            "gateway_images_queued", "Images waiting for a replica.", registry=self.registry
        )
        self.images_queued_limit = Gauge(
            "gateway_images_queued_limit",
            "Images that may wait; beyond it they are shed.",
            registry=self.registry,
        )
        self.images_in_flight = Gauge(
            "gateway_images_in_flight",
            "Decoded images without an answer yet: waiting for a replica, or on one.",
            ["model"],
            registry=self.registry,
        )
        self.batch_images = Histogram(
            "gateway_batch_images", "Images in one Predict.", buckets=_IMAGES, registry=self.registry
        )
        self.stage_seconds = Histogram(
            "gateway_stage_seconds",
            "Seconds a request spent decoding, queueing and predicting.",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )

        self.shadow_images = Counter(
            "gateway_shadow_images",
            "Images that went to a shadow version too: compared, failed or dropped under load.",
            ["model", "outcome"],
            registry=self.registry,
        )

    def _define_replicas(self) -> None:
        self.replica_up = Gauge(
            "gateway_replica_up",
            "1 while the replica takes batches, 0 while it is put aside.",
            ["replica"],
            registry=self.registry,
        )
        self.replica_calls = Counter(
            "gateway_replica_calls",
            "Predict calls by replica and outcome.",
            ["replica", "outcome"],
            registry=self.registry,
        )
        self.replica_call_seconds = Histogram(
            "gateway_replica_call_seconds",
            "Seconds of one successful Predict.",
            ["replica"],
            buckets=_SECONDS,
            registry=self.registry,
        )

    def _define_history(self) -> None:
        self.history_written = Counter(
            "gateway_history_written", "Predictions written to the history.", registry=self.registry
        )
        self.history_dropped = Counter(
            "gateway_history_dropped",
            "Predictions that never reached the history, because the backlog was full or at shutdown.",
            registry=self.registry,
        )
        self.history_pictures_dropped = Counter(
            "gateway_history_pictures_dropped",
            "Pictures that should have been kept and were not; their predictions were.",
            registry=self.registry,
        )
        self.history_backlog = Gauge(
            "gateway_history_backlog", "Predictions waiting to be written.", registry=self.registry
        )
        self.history_backlog_limit = Gauge(
            "gateway_history_backlog_limit",
            "Predictions that may wait to be written; beyond it the oldest are dropped.",
            registry=self.registry,
        )
        self.audit_lost = Counter(
            "gateway_audit_lost",
            "Audit entries that are only in the log, because the database was away.",
            registry=self.registry,
        )
        self.feedback_given = Counter(
            "gateway_feedback",
            "True labels given, by whether the answer was right.",
            ["model", "version", "right"],
            registry=self.registry,
        )

    def _define_datasets(self) -> None:
        self.dataset_files = Counter(
            "gateway_dataset_files",
            "Uploaded files: added, duplicate, conflict or refused.",
            ["outcome"],
            registry=self.registry,
        )

    def _define_rollout(self) -> None:
        self.canary_fallbacks = Counter(
            "gateway_canary_fallbacks",
            "Requests that the canary failed and stable answered.",
            ["model"],
            registry=self.registry,
        )
        self.stable_version = Gauge(
            "gateway_stable_version", "The version that answers.", ["model"], registry=self.registry
        )
        self.available_replicas = Gauge(
            "gateway_available_replicas",
            "Replicas that say that the stable version of the model is AVAILABLE.",
            ["model"],
            registry=self.registry,
        )
        self.canary_share = Gauge(
            "gateway_canary_share",
            "Share of the requests that the canary answers, 0 to 1; 0 without a canary.",
            ["model"],
            registry=self.registry,
        )
        self.versions_failed = Counter(
            "gateway_versions_failed",
            "Versions that could not be brought to answer.",
            ["model"],
            registry=self.registry,
        )

        self.canary_evidence = Gauge(
            "gateway_canary_evidence",
            "Evidence that the canary is worse: it is rolled back at 1; below 0 it looks better than stable.",
            ["model", "signal"],
            registry=self.registry,
        )
        self.canary_steps = Counter(
            "gateway_canary_steps",
            "What became of canaries: began, promoted, rolled_back, undecided, ended.",
            ["model", "step"],
            registry=self.registry,
        )

    def _define_notifications(self) -> None:
        self.notifications = Counter(
            "gateway_notifications",
            "Notifications by what became of them: delivered, failed, or dropped from a full queue.",
            ["outcome"],
            registry=self.registry,
        )

    def _define_drift(self) -> None:
        self.drift_score = Gauge(
            "gateway_drift_score",
            "How far the latest window of predictions is from the version's reference; above 1 it alarms.",
            ["model"],
            registry=self.registry,
        )
        self.drift_alarm = Gauge(
            "gateway_drift_alarm",
            "1 while the model's inputs or answers are unlike its reference.",
            ["model"],
            registry=self.registry,
        )
        self.drift_images = Counter(
            "gateway_drift_images",
            "Images that drift was offered: measured, or dropped under load.",
            ["model", "outcome"],
            registry=self.registry,
        )

    def _define_training(self) -> None:
        self.runs_ended = Counter(
            "gateway_training_runs", "Training runs that ended, by how.", ["state"], registry=self.registry
        )
        self.runs_triggered = Counter(
            "gateway_training_triggers",
            "Runs asked for by a trigger (corrections, drift): started, refused or failed.",
            ["trigger", "outcome"],
            registry=self.registry,
        )
        self.run_seconds = Histogram(
            "gateway_training_run_seconds",
            "Seconds of a training run from its start to its end.",
            ["state"],
            buckets=_RUN_SECONDS,
            registry=self.registry,
        )
        self.runs_unfinished = Gauge(
            "gateway_training_runs_unfinished",
            "Training runs that are queued or running, on the gateway that follows them.",
            ["state"],
            registry=self.registry,
        )
        for state in filter(lambda state: state.is_final, RunState):  # from 0, so that a rate sees the first
            self.runs_ended.labels(state.value)
        self.control_lease = Gauge(
            "gateway_control_lease",
            "1 while this gateway follows the training runs and schedules.",
            registry=self.registry,
        )

    def _define_stores(self) -> None:
        self.store_bytes = Gauge(
            "gateway_store_bytes",
            "Size of the file system that holds the store.",
            ["store"],
            registry=self.registry,
        )
        self.store_free_bytes = Gauge(
            "gateway_store_free_bytes",
            "Bytes that may still be written to it.",
            ["store"],
            registry=self.registry,
        )

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def forget_model(self, model: str) -> None:
        """Drop what is said of the present state of a model that is gone."""
        for metric in (self.stable_version, self.available_replicas, self.canary_share):
            metric.remove_by_labels({"model": model})

    def forget_replica(self, address: str) -> None:
        """Drop the series of a replica that is gone, so that addresses do not pile up."""
        for metric in (self.replica_up, self.replica_calls, self.replica_call_seconds):
            metric.remove_by_labels({"replica": address})
