"""Where the shared volumes are mounted."""

from __future__ import annotations

from pathlib import Path

from gateway.settings.base import Group


class StoreSettings(Group):
    """Where the shared volumes are mounted."""

    models: Path = Path("models")
    data: Path = Path("data")
    """The dataset store: <dataset>/<split>/<label>/<sha256>.<extension>."""
    runs: Path = Path("runs")
    """The directories of the training runs: <run_id>/spec.json, progress.jsonl, result.json."""
    pictures: Path = Path("data/.history")
    """The pictures of the prediction history, by content hash; hidden from the dataset store's readers."""
    load_tests: Path = Path("load_tests/results")
    """Results of load tests, one JSON file each, which /v1/load-tests shows."""
    bundled: Path | None = None
    """A folder laid out like a model store: `bootstrap` brings the newest version of each of its models into
    a store that has none of that model. None: nothing."""
    models_at_server: str | None = None
    """The model store's path as the model server sees it; None: the absolute path of `models`."""

    @property
    def server_path(self) -> str:
        """The model store's absolute path as the model server sees it."""
        return self.models_at_server or str(self.models.resolve())
