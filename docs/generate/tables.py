"""The tables that pages take from the repository: the model's card, results of load tests, the routes.

They stand in a page between two comments that name one of `TABLES`; `make reference` writes them anew, and a
test compares. So a page can quote a figure and stay true.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gateway.app import create_app
from gateway.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/training.md")
"""Those that have such tables."""
BLOCK = re.compile(r"(<!-- `make reference`: (?P<name>[a-z-]+) -->\n).*?(<!-- until here -->)", re.DOTALL)
MAIN_ROUTES = (
    ("POST", "/v1/models/{model}/predictions"),
    ("GET", "/v1/predictions"),
    ("PUT", "/v1/predictions/{id}/feedback"),
    ("GET", "/v1/labelling-queue"),
    ("POST", "/v1/datasets/{dataset}/examples"),
    ("POST", "/v1/training-runs"),
    ("GET", "/v1/training-runs/{id}"),
    ("POST", "/v1/schedules"),
    ("GET", "/v1/models/{model}/versions"),
    ("PUT", "/v1/models/{model}/rollout"),
    ("POST", "/v1/models/{model}/rollback"),
    ("GET", "/v1/drift"),
    ("GET", "/v1/stats"),
    ("POST", "/v2/models/{model}/infer"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
)


def written(page: str) -> str:
    """A page with its tables anew. Raises KeyError for a name that is none."""
    text = (ROOT / page).read_text()
    return BLOCK.sub(lambda found: f"{found[1]}{chr(10).join(TABLES[found['name']]())}\n{found[3]}", text)


def _result(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "load_tests" / "results" / f"{name}.json").read_text())
    return loaded


def _card() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "models" / "cifar10" / "1" / "model_card.json").read_text())
    return loaded


def model() -> Iterator[str]:
    """The bundled model on its test pictures, in short."""
    card = _card()
    test, macro = card["test"], card["test"]["macro"]
    yield "| accuracy | precision | recall | F1 | ROC-AUC | log loss | calibration error | parameters |"
    yield "|---|---|---|---|---|---|---|---|"
    figures = [test["accuracy"], macro["precision"], macro["recall"], macro["f1"], test["roc_auc"]]
    figures += [test["log_loss"], test["expected_calibration_error"]]
    yield f"| {' | '.join(f'{each:.4f}' for each in figures)} | {card['parameters']:,} |"


def model_classes() -> Iterator[str]:
    """Each class by itself, the hardest first."""
    yield "| class | examples | precision | recall | F1 | ROC-AUC |\n|---|---|---|---|---|---|"
    for each in sorted(_card()["test"]["per_class"], key=lambda one: float(one["f1"])):
        figures = " | ".join(f"{each[name]:.3f}" for name in ("precision", "recall", "f1", "roc_auc"))
        yield f"| {each['label']} | {each['examples']} | {figures} |"


def model_in_full() -> Iterator[str]:
    """What training.md says of it."""
    card = _card()
    test, macro, encoded = card["test"], card["test"]["macro"], card["encoded_images"]
    yield "| on the test pictures, by the exported SavedModel | |\n|---|---|"
    yield f"| accuracy | {test['accuracy']:.4f} |"
    figures = ", ".join(f"{macro[name]:.4f}" for name in ("precision", "recall", "f1"))
    yield f"| macro precision, recall, F1 | {figures} |"
    yield f"| macro ROC-AUC, one against the rest | {test['roc_auc']:.4f} |"
    yield f"| log loss | {test['log_loss']:.4f} |"
    yield f"| expected calibration error, 15 bins | {test['expected_calibration_error']:.4f} |"
    yield f"| temperature | {card['temperature']:.3f} |"
    yield f"| label agreement of `serving_bytes` with `contract.images` | {encoded['label_agreement']:.2%} |"


def data() -> Iterator[str]:
    """How many pictures of what size in how many classes the bundled model was made from."""
    card = _card()
    examples, size = card["dataset"]["examples"], card["image"]
    yield "| pictures for training | validation | test | classes | size |\n|---|---|---|---|---|"
    yield (
        f"| {examples['train']:,} | {examples['validation']:,} | {examples['test']:,} "
        f"| {len(card['labels'])}: {', '.join(card['labels'])} | {size['width']} × {size['height']} |"
    )


def routes() -> Iterator[str]:
    """The main ones."""
    known = _known_routes()
    yield "| route | |\n|---|---|"
    for method, path in MAIN_ROUTES:
        yield f"| `{method} {path}` | {known[method, path]['summary']} |"
    yield ""
    yield f"All {len(known)} stand in the [reference](docs/reference/http-api.md)."


def _known_routes() -> dict[tuple[str, str], dict[str, Any]]:
    paths = create_app(Settings()).openapi()["paths"]
    return {
        (method.upper(), path): each for path, methods in paths.items() for method, each in methods.items()
    }


def replicas() -> Iterator[str]:
    """Images a second and milliseconds of one, two and three model servers."""
    result = _result("replicas")
    counts = result["settings"]["replicas"]
    points = {(each["users"], each["replicas"]): each for each in result["summary"]}
    servers = " | ".join(f"{count} model server{'s' * (count > 1)}" for count in counts)
    yield f"| users | {servers} | images/s | p95 |\n|---|{'---|' * len(counts)}---|---|"
    for gain in result["gains"]:
        cells = [_point(points[gain["users"], count]) for count in counts]
        change = f"{gain['throughput']:.2f} × as many | {gain['p95']:.2f} × shorter"
        yield f"| {gain['users']} | {' | '.join(cells)} | {change} |"
    yield ""
    cores, processor = result["hardware"]["cores"], result["hardware"]["processor"]
    settings = result["settings"]
    yield (
        f"Images a second, p95 in ms; each server may use {settings['cpus']} CPUs of {cores} ({processor}), "
        f"medians of {settings['rounds']} rounds, {result['measured_at'][:10]}. "
        f"{result['interpretation'][0]}"
    )


PEERS = {
    "rekindle": "Rekindle",
    "fastapi-in-process": "FastAPI, TensorFlow in its process",
    "litserve": "LitServe",
    "mlserver": "MLServer",
    "flask": "Flask, gunicorn",
    "ray-serve": "Ray Serve",
    "bentoml": "BentoML",
    "kserve": "KServe's Python server",
}


def _point(point: dict[str, Any]) -> str:
    return f"{point['images_per_second']:.0f}/s, {point['p95_ms']:.0f} ms"


def peers() -> Iterator[str]:
    """Beside other servers, with many callers and with one; the fastest first."""
    result = _result("peers")["sittings"][-1]
    found = {(each["contender"], each["connections"]): each for each in result["summary"]}
    few, many = (limit(result["settings"]["connections"]) for limit in (min, max))
    names = {name for name, _ in found}
    yield f"| | {many} connections | p99 | one caller, p50 |\n|---|---|---|---|"
    for name in sorted(names, key=lambda name: -found[name, many]["answered_per_second"]):
        busy, alone = found[name, many], found[name, few]
        yield (
            f"| {PEERS[name]} | {busy['answered_per_second']:.0f}/s | {busy['p99_ms']:.0f} ms "
            f"| {alone['p50_ms']:.1f} ms |"
        )


def capacity() -> Iterator[str]:
    """How many pods a rate needs."""
    result = _result("capacity")
    asked, worst = result["asked"], result["worst_error"]
    at_cost = max(abs(check["p99_error_at_cost"]) for check in result["unseen"])
    yield "| images/s | model servers | gateways | p99 ms | what comes next |\n|---|---|---|---|---|"
    for each in result["table"]:
        if each["images_per_second"] in (100.0, 1000.0, 5000.0, 10000.0):
            yield (
                f"| {each['images_per_second']:,.0f} | {each['replicas']} | {each['gateways']} "
                f"| {each['p99_ms']:.0f} | {each['next_bottleneck']} |"
            )
    yield ""
    yield (
        f"By a model of the queue, for servers of {asked['cpus']:g} CPU and p99 ≤ {asked['p99_ms']:g} ms. On "
        f"runs that it had not seen, the throughput was wrong by {worst['throughput']:.0%} at most; p99 by "
        f"{worst['p99']:.0%}, and by {at_cost:.0%} with what a call cost in each run: "
        "[what that means](docs/load-tests.md#how-many-pods)."
    )


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "model": model,
    "model-classes": model_classes,
    "model-in-full": model_in_full,
    "data": data,
    "routes": routes,
    "replicas": replicas,
    "peers": peers,
    "capacity": capacity,
}
