"""The tables of docs/model-server.md are what the server is."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from model_servers import Running, running

from contract import tfserving_api as api
from model_server import parity
from model_server.parity import ABSENT, DIFFERENT, OURS, SAME

DOCUMENT = Path(__file__).parents[2] / "docs" / "model-server.md"

UPSTREAM_FLAGS = """
port grpc_socket_path rest_api_port rest_api_num_threads rest_api_timeout_in_ms rest_api_enable_cors_support
enable_batching allow_version_labels_for_unavailable_models batching_parameters_file
enable_per_model_batching_parameters model_config_file model_config_file_poll_wait_seconds model_name
model_base_path num_load_threads num_unload_threads max_num_load_retries load_retry_interval_micros
file_system_poll_wait_seconds flush_filesystem_caches tensorflow_session_parallelism
tensorflow_session_config_file tensorflow_intra_op_parallelism tensorflow_inter_op_parallelism
use_alts_credentials ssl_config_file platform_config_file per_process_gpu_memory_fraction saved_model_tags
grpc_channel_arguments grpc_max_threads enable_model_warmup num_request_iterations_for_warmup version
monitoring_config_file remove_unused_fields_from_bundle_metagraph prefer_tflite_model num_tflite_pools
num_tflite_interpreters_per_pool enable_signature_method_name_check xla_cpu_compilation_enabled
xla_gpu_compilation_enabled enable_profiler thread_pool_factory_config_file mixed_precision
skip_initialize_tpu enable_grpc_healthcheck_service enable_serialization_as_tensor_content
"""
"""main.cc of tensorflow/serving."""


def test_the_document_is_fresh() -> None:
    """`make reference` would change nothing."""
    document = DOCUMENT.read_text(encoding="utf-8")
    assert parity.filled(document) == document


def test_every_flag_of_upstream_has_a_row_and_every_other_is_ours() -> None:
    """None is missing, none is made up."""
    rows = {row.name.strip("`-"): row for row in parity.flag_rows()}
    assert sorted(name for name, row in rows.items() if row.verdict != OURS) == sorted(UPSTREAM_FLAGS.split())
    assert all(row.note for row in rows.values() if row.verdict != SAME)


@pytest.fixture(scope="module")
def server(exports: Path, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """A server with health and metrics."""
    monitoring = tmp_path_factory.mktemp("parity") / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    arguments = ("--enable_grpc_healthcheck_service", f"--monitoring_config_file={monitoring}")
    with running("--model_name=tiny", f"--model_base_path={exports}", *arguments) as started:
        yield started


@pytest.mark.tensorflow
def test_every_rpc_of_the_table_is_there_or_absent_as_it_says(server: Running) -> None:
    """Asked with an empty message, a method that is there refuses it in another way than UNIMPLEMENTED."""
    described = {
        f"{name.rpartition('.')[2]}/{method.name}"
        for name in (api.PREDICTION_SERVICE, api.MODEL_SERVICE)
        for method in api.POOL.FindServiceByName(name).methods
    }
    named = {row.name for row in parity.RPCS}
    assert described <= named
    for row in parity.RPCS:
        path = f"/tensorflow.serving.{row.name}" if "/" in row.name else f"/{row.name}/{_METHODS[row.name]}"
        call = server.channel.unary_unary(path)
        try:
            call(b"", timeout=60)
            is_there = True
        except grpc.RpcError as error:
            is_there = error.code() is not grpc.StatusCode.UNIMPLEMENTED
        assert is_there is (row.verdict != ABSENT), row


_METHODS = {
    "grpc.health.v1.Health": "Check",
    "tensorflow.ProfilerService": "Profile",
    "grpc.reflection.v1alpha.ServerReflection": "ServerReflectionInfo",
}


@pytest.mark.tensorflow
def test_every_metric_of_the_table_is_there_or_absent_as_it_says(server: Running) -> None:
    """By the TYPE lines of the page."""
    server.predict()
    page = server.http.get("/monitoring/prometheus/metrics").text
    types = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")}
    for row in parity.METRICS:
        assert (row.name in types) is (row.verdict in (SAME, DIFFERENT, OURS)), row
    ours = {name for name in types if name.startswith((":", "rekindle_")) and not name.endswith("_created")}
    assert ours <= {row.name for row in parity.METRICS}
