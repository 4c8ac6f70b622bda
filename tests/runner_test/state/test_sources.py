"""Registered folders."""

from pathlib import Path

import pytest

from runner_test.errors import BadName, MissingFolder
from runner_test.state import DatasetSource, Reference, sources
from runner_test.store import Store


def test_registered_folders(store: Store, tmp_path: Path) -> None:
    """A registration is case-insensitive, can be replaced, and ends when its folder no longer exists."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    source = DatasetSource(Reference("anna", "x-rays"))
    assert sources.dataset(store.root, source) is None
    store.add_dataset("Anna/X-Rays", one)
    assert sources.dataset(store.root, source) == one
    store.add_dataset("anna/x-rays", two)
    assert sources.dataset(store.root, source) == two
    two.rmdir()
    assert sources.dataset(store.root, source) is None
    store.add_competition("siim", one)
    assert sources.competition(store.root, "siim") == one
    (store.root / "competitions" / ".siim.123.abc").symlink_to(
        one
    )  # left by a process that was killed while it registered one
    assert sources.competitions(store.root) == ["siim"]


@pytest.mark.parametrize(
    ("reference", "error"),
    [("x", BadName), ("a/b/c", BadName), ("../b", BadName), ("a/..", BadName), ("/b", BadName), ("a/b", MissingFolder)],
)
def test_registrations_that_are_refused(store: Store, tmp_path: Path, reference: str, error: type[Exception]) -> None:
    """An invalid name and a missing folder are refused."""
    folder = tmp_path if error is BadName else tmp_path / "none"
    with pytest.raises(error):
        store.add_dataset(reference, folder)
    assert list(store.root.iterdir()) == []
