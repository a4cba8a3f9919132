"""What surrounds a load: the warm-up's metric, and the page cache of what was read."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from model_servers import eventually, image_request, running
from test_model_server_swaps import warm_up

from contract import tfserving_api as api
from model_server.runtime import page_cache

pytestmark = pytest.mark.tensorflow

Publish = Callable[[Path, int], Path]


def good_record() -> bytes:
    log = api.PredictionLog()
    log.predict_log.request.CopyFrom(image_request(images=2))
    return bytes(log.SerializeToString())


def test_warm_ups_are_counted_as_upstream_counts_them(tmp_path: Path, publish: Publish) -> None:
    """By path and status; a version without requests is not counted, nor one whose requests fail."""
    base_path, monitoring = tmp_path / "tiny", tmp_path / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    warm_up(publish(base_path, 1), good_record())
    publish(base_path, 2)
    bad = api.PredictionLog()
    bad.predict_log.request.CopyFrom(image_request(signature_name="nope"))
    warm_up(publish(base_path, 3), bad.SerializeToString())
    config = tmp_path / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "tiny" base_path: "{base_path}" model_platform: "tensorflow" '
        "model_version_policy { all {} } } }"
    )
    arguments = (f"--model_config_file={config}", f"--monitoring_config_file={monitoring}")
    with running(*arguments, "--max_num_load_retries=0") as server:
        eventually(lambda: server.states() == {1: "AVAILABLE", 2: "AVAILABLE", 3: "END"})
        page = server.http.get("/monitoring/prometheus/metrics").text
    name = ":tensorflow:serving:model_warmup_latency"
    counts = [line for line in page.splitlines() if line.startswith(f"{name}_count")]
    assert counts == [f'{name}_count{{model_path="{base_path / "1"}",status="OK"}} 1']
    assert f'{name}_bucket{{model_path="{base_path / "1"}",status="OK",le="10"}} 0' in page


@pytest.mark.parametrize(("flag", "is_dropped"), [("true", True), ("false", False)])
def test_the_page_cache_of_a_loaded_version_is_given_back(
    tmp_path: Path,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    flag: str,
    is_dropped: bool,
) -> None:
    """Every file below its directory, unless --flush_filesystem_caches=false."""
    version = publish(tmp_path / "tiny", 1)
    advised: list[str] = []
    monkeypatch.setattr(
        os,
        "posix_fadvise",
        lambda descriptor, *_: advised.append(os.readlink(f"/proc/self/fd/{descriptor}")),
    )
    with running(
        "--model_name=tiny", f"--model_base_path={tmp_path / 'tiny'}", f"--flush_filesystem_caches={flag}"
    ) as server:
        server.predict()
    files = {str(path) for path in version.rglob("*") if path.is_file()}
    assert set(advised) == (files if is_dropped else set())


def test_what_a_model_asks_xla_to_compile_is_compiled(tmp_path: Path) -> None:
    """With or without --xla_cpu_compilation_enabled; upstream needs the flag."""
    import tensorflow as tf

    module = tf.Module()

    @tf.function(jit_compile=True)
    def squared(a: Any) -> Any:
        return a * a

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="a")])
    def serve(a: Any) -> dict[str, Any]:
        return {"squared": squared(a)}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tf.saved_model.save(module, str(tmp_path / "xla" / "1"), signatures={"serving_default": serve})
    with running("--model_name=xla", f"--model_base_path={tmp_path / 'xla'}") as server:
        reply = server.http.post("/v1/models/xla:predict", json={"inputs": [3.0, 4.0]})
        assert (reply.status_code, reply.json()) == (200, {"outputs": [9.0, 16.0]})


def test_a_directory_that_is_gone_or_closed_does_not_matter(tmp_path: Path) -> None:
    """A version may be removed while it loads; the model goes on regardless."""
    page_cache.drop(tmp_path / "nowhere")
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nobody")
    page_cache.drop(tmp_path)
    assert (tmp_path / "saved_model.pb").read_bytes() == b"x"
