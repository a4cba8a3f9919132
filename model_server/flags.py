"""The flags, with upstream's names, defaults and meanings.

Each is a field of `Flags`, which says all there is to know about it; the parser, --help and
docs/model-server.md are made from there. A flag that has no effect here is accepted with a warning that says
what is different.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from model_server.flag_values import INT64_MAX, address, boolean, channel_arguments, fraction, integer, one_of

_AUTOMATIC = "0: the CPU limit of the container"


def _flag(
    default: Any,
    kind: Callable[[str], Any],
    text: str,
    *,
    differs: str = "",
    warns: str = "",
    ours: bool = False,
) -> Any:
    """A flag. `differs`: what it does otherwise than upstream; `warns`: why it has no effect here."""
    metadata = {"kind": kind, "help": text, "differs": differs, "warns": warns, "ours": ours}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Flags:
    """Every flag, parsed and checked."""

    port: int = _flag(8500, integer(0, 65535), "TCP port of gRPC; 0: none")
    grpc_socket_path: str = _flag("", str, "path of a Unix socket on which gRPC is served as well")
    rest_api_port: int = _flag(0, integer(0, 65535), "TCP port of REST; 0: no REST")
    bind_address: str = _flag("0.0.0.0", address, "IP address of both ports", ours=True)  # noqa: S104
    rest_api_num_threads: int = _flag(0, integer(0), "threads that answer REST; 0: 4 per CPU")
    rest_api_timeout_in_ms: int = _flag(30_000, integer(1), "time limit of a REST prediction")
    rest_api_enable_cors_support: bool = _flag(False, boolean, "answer REST with CORS headers")
    grpc_max_threads: int = _flag(0, integer(0), "threads that answer gRPC calls; 0: 4 per CPU")
    grpc_channel_arguments: tuple[tuple[str, int | str], ...] = _flag(
        (), channel_arguments, "arguments of the gRPC server, e.g. grpc.max_connection_age_ms=2000,…"
    )
    enable_grpc_healthcheck_service: bool = _flag(
        False,
        boolean,
        "serve grpc.health.v1",
        differs="follows the models and the drain; upstream says SERVING for ever",
    )
    ssl_config_file: str = _flag("", str, "SSLConfig in text form: gRPC is served over TLS")
    enable_serialization_as_tensor_content: bool = _flag(
        False, boolean, "answer tensors as tensor_content instead of typed fields"
    )

    model_name: str = _flag("default", str, "name of the one model; ignored with --model_config_file")
    model_base_path: str = _flag("", str, "its directory, which holds numbered versions")
    model_config_file: str = _flag("", str, "ModelServerConfig in text form: several models, labels")
    model_config_file_poll_wait_seconds: int = _flag(0, integer(0), "re-read it this often; 0: read once")
    file_system_poll_wait_seconds: int = _flag(1, integer(0), "look for versions this often; 0: once")
    max_num_load_retries: int = _flag(5, integer(0), "further attempts after a failed load")
    load_retry_interval_micros: int = _flag(
        60_000_000, integer(-INT64_MAX, INT64_MAX), "wait between attempts; negative: none"
    )
    num_load_threads: int = _flag(
        0,
        integer(0),
        "versions that load at a time; 0: chosen by the server",
        differs="0 stands for 2 threads, not for the main loop",
    )
    num_unload_threads: int = _flag(
        0,
        integer(0),
        "versions that unload at a time; 0: chosen by the server",
        differs="0 stands for 1 thread, not for the main loop",
    )
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, boolean, "let a label that does not exist yet name a version that is not loaded yet"
    )
    enable_model_warmup: bool = _flag(True, boolean, "replay assets.extra/tf_serving_warmup_requests")
    num_request_iterations_for_warmup: int = _flag(
        0, integer(0), "replay each of those requests this often; 0: once"
    )
    saved_model_tags: str = _flag("serve", str, "comma-separated tags of the meta graph to load")
    enable_signature_method_name_check: bool = _flag(
        False, boolean, "let Classify and Regress refuse signatures whose method_name is another"
    )
    flush_filesystem_caches: bool = _flag(
        True,
        boolean,
        "let the kernel drop the files of a version once it is loaded",
        differs="after every load, and of local files; upstream's reaches remote file systems only",
    )
    remove_unused_fields_from_bundle_metagraph: bool = _flag(
        True,
        boolean,
        "keep only the signatures of the meta graph in memory",
        differs="only the signatures are ever kept",
    )

    enable_batching: bool = _flag(
        False,
        boolean,
        "batch requests as --batching_parameters_file says",
        differs="without it, requests that wait are merged; a batch that fails is run request by request",
    )
    batching_parameters_file: str = _flag("", str, "BatchingParameters in text form")
    enable_per_model_batching_parameters: bool = _flag(
        False, boolean, "read batching_params.pbtxt in each version's directory"
    )
    merge_waiting_requests: bool = _flag(
        True, boolean, "without --enable_batching, merge requests that wait", ours=True
    )

    tensorflow_session_parallelism: int = _flag(0, integer(0), f"both of the two below; {_AUTOMATIC}")
    tensorflow_intra_op_parallelism: int = _flag(0, integer(0), f"threads inside one op; {_AUTOMATIC}")
    tensorflow_inter_op_parallelism: int = _flag(0, integer(0), f"ops that run at a time; {_AUTOMATIC}")
    tensorflow_session_config_file: str = _flag("", str, "ConfigProto in text form, for every session")
    per_process_gpu_memory_fraction: float = _flag(
        0.0, fraction, "share of the GPU's memory to take at once; 0: TensorFlow decides"
    )
    mixed_precision: str = _flag(
        "",
        one_of("", "bfloat16"),
        "bfloat16: compute in it",
        differs="only where the CPU has it and the labels of the version's reference requests stay",
    )
    quantization: str = _flag(
        "",
        one_of("", "int8"),
        "int8: compute convolutions in 8-bit integers where the CPU has them and the labels of the version's "
        "reference requests stay; else --mixed_precision",
        ours=True,
    )
    prefer_tflite_model: bool = _flag(
        False,
        boolean,
        "serve model.tflite of a version where there is one",
        differs="the signatures that TensorFlow's converter writes are served under their own names; "
        "no flex ops and no tf.Example",
    )
    num_tflite_pools: int = _flag(
        0,
        integer(0),
        "pools of interpreters of a TF Lite model; 0: chosen by the server",
        differs="pools times interpreters in each run at a time; 0 and 0 stand for 2 in all",
    )
    num_tflite_interpreters_per_pool: int = _flag(
        0,
        integer(0),
        "interpreters in each pool; 0: chosen by the server",
        differs="see --num_tflite_pools; no request is split among them",
    )

    monitoring_config_file: str = _flag("", str, "MonitoringConfig in text form: Prometheus over REST")
    check_memory: bool = _flag(
        True, boolean, "refuse to load a version that the memory limit cannot hold", ours=True
    )

    use_alts_credentials: bool = _flag(False, boolean, "serve gRPC over Google's ALTS", differs="refused")
    platform_config_file: str = _flag(
        "", str, "PlatformConfigMap in text form", warns="sessions are set up by the other flags"
    )
    enable_profiler: bool = _flag(
        True, boolean, "serve TensorFlow's profiler over gRPC", differs="the profiler is not served"
    )
    thread_pool_factory_config_file: str = _flag(
        "", str, "ThreadPoolConfig in text form", warns="TensorFlow's own thread pools are used"
    )
    xla_cpu_compilation_enabled: bool = _flag(
        False, boolean, "compile for CPUs what models ask XLA to compile", differs="that is always done"
    )
    xla_gpu_compilation_enabled: bool = _flag(
        False, boolean, "compile for GPUs what models ask XLA to compile", differs="that is always done"
    )
    skip_initialize_tpu: bool = _flag(
        False, boolean, "do not initialise TPUs", warns="TPUs are left to TensorFlow in any case"
    )
    version: bool = _flag(False, boolean, "print the version and exit")

    def without_effect(self) -> list[str]:
        """One sentence for each flag that was set and has no effect here."""
        return [
            f"--{flag.name} has no effect here: {flag.metadata['warns']}"
            for flag in fields(self)
            if flag.metadata["warns"] and getattr(self, flag.name) != flag.default
        ]
