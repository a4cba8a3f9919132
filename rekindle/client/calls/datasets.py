"""The requests about labelled pictures: datasets, their examples, and large uploads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rekindle.answers.base import Answer
from rekindle.answers.datasets import Datasets, Example, ExamplePage, Import, Upload
from rekindle.client.calls.call import Call, given, media_type, url_path


def datasets() -> Call[Datasets]:
    """Every dataset with its counts."""
    return Call(Datasets, "GET", "/v1/datasets")


def upload_archive(dataset: str, archive: bytes | Path) -> Call[Upload]:
    """A zip of class folders. What is there already is a duplicate, so it may be repeated."""
    path = url_path("datasets", dataset, "examples")
    if isinstance(archive, Path):
        size = str(archive.stat().st_size)
        headers = {"Content-Type": media_type(archive), "Content-Length": size}
        return Call(Upload, "POST", path, {"headers": headers}, archive=archive)
    headers = {"Content-Type": "application/zip"}
    return Call(Upload, "POST", path, {"content": archive, "headers": headers})


def examples(dataset: str, cursor: str | None = None, **wanted: Any) -> Call[ExamplePage]:
    """One page; `wanted`: split, label, limit."""
    params = given(cursor=cursor, **wanted)
    return Call(ExamplePage, "GET", url_path("datasets", dataset, "examples"), {"params": params})


def relabel(dataset: str, example: str, label: str) -> Call[Example]:
    """Move an example to another label."""
    body = {"json": {"label": label}}
    return Call(Example, "PUT", url_path("datasets", dataset, "examples", example), body)


def delete_example(dataset: str, example: str) -> Call[Example]:
    """Delete an example."""
    return Call(Example, "DELETE", url_path("datasets", dataset, "examples", example))


def delete_dataset(dataset: str) -> Call[Answer]:
    """Delete all of it."""
    return Call(Answer, "DELETE", url_path("datasets", dataset), {"params": {"confirm": dataset}})


def delete_picture(sha256: str) -> Call[Answer]:
    """Delete a picture from history and datasets."""
    return Call(Answer, "DELETE", url_path("pictures", sha256))


def running_import(name: str) -> Call[Import]:
    """How far a large upload is."""
    return Call(Import, "GET", url_path("imports", name))


def cancel_import(name: str) -> Call[Import]:
    """End it; what was imported stays."""
    return Call(Import, "DELETE", url_path("imports", name), is_repeatable=False)
