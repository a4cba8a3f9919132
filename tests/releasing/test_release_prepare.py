"""`make release` refuses what cannot be a release, and changes nothing before it knows."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from releasing import tree as trees
from releasing.__main__ import prepare
from releasing.version import ReleaseError, places, stated

CHANGELOG = "# Changelog\n\n## 9.8.7 (unreleased)\n\n* It is faster.\n\n## 0.1.0 (2026-01-02)\n\n* First.\n"


def git(folder: Path, *arguments: str) -> str:
    """Git, with a name of its own."""
    named = ["git", "-c", "user.name=tests", "-c", "user.email=tests@localhost"]
    return subprocess.run(
        [*named, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def repository(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of the files that hold the version, everything committed."""
    for name in ("AUTHOR", "COMMITTER"):  # `git stash create` makes a commit
        monkeypatch.setenv(f"GIT_{name}_NAME", "tests")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "tests@localhost")
    folder = tmp_path / "repository"
    for place in places(tree):
        target = folder / place.file.relative_to(tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place.file, target)
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "all")
    return folder


def test_a_release_sets_version_and_date(repository: Path, tmp_path: Path) -> None:
    """What is built holds the changes, which nobody has committed yet, and nothing that lies around."""
    changed = prepare(repository, "9.8.7")
    assert stated(repository) == "9.8.7"
    assert repository / "CHANGELOG.md" in changed
    assert "(unreleased)" not in (repository / "CHANGELOG.md").read_text()
    (repository / "lies-around").write_text("")
    trees.export(repository, tmp_path / "exported")
    assert {place.version for place in places(tmp_path / "exported")} == {"9.8.7"}
    assert not (tmp_path / "exported" / "lies-around").exists()
    assert git(repository, "stash", "list") == ""


def test_a_released_commit_is_built_as_it_is(repository: Path) -> None:
    """In the workflow of the tag nothing changes."""
    prepare(repository, "9.8.7")
    git(repository, "commit", "--quiet", "--all", "-m", "Rekindle 9.8.7")
    assert prepare(repository, "9.8.7") == []
    assert git(repository, "status", "--porcelain") == ""


@pytest.mark.parametrize("version", ["", "v9.8.7", "9.8", "9.8.7rc1", "09.8.7"])
def test_what_is_no_version_is_refused(repository: Path, version: str) -> None:
    """The sentence gives an example."""
    with pytest.raises(ReleaseError, match=r"make release VERSION=1\.2\.3"):
        prepare(repository, version)


def test_changes_that_are_not_committed_are_named(repository: Path) -> None:
    """A changed and an untracked file: a release would not have them."""
    (repository / "pyproject.toml").write_text((repository / "pyproject.toml").read_text() + "\n")
    (repository / "new.py").write_text("")
    with pytest.raises(ReleaseError, match=r"(?s)pyproject\.toml.*new\.py"):
        prepare(repository, "9.8.7")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# Changelog\n", "there is no heading `## X.Y.Z"),
        (CHANGELOG.replace("9.8.7", "9.9.0"), r"newest section is 9\.9\.0, not 9\.8\.7"),
        (CHANGELOG.replace("* It is faster.\n", ""), r"the section 9\.8\.7 has no line"),
    ],
)
def test_a_changelog_without_the_version_is_refused(repository: Path, text: str, says: str) -> None:
    """And nothing was changed."""
    (repository / "CHANGELOG.md").write_text(text)
    git(repository, "commit", "--quiet", "--all", "-m", "changelog")
    with pytest.raises(ReleaseError, match=says):
        prepare(repository, "9.8.7")
    assert git(repository, "status", "--porcelain") == ""


def test_a_folder_without_git_is_one_sentence(tmp_path: Path) -> None:
    """As in an unpacked archive."""
    with pytest.raises(ReleaseError, match="not a git repository"):
        prepare(tmp_path, "9.8.7")
