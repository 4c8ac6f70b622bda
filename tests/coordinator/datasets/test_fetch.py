"""A version of a data set comes back whole, goes on where it broke off, and cannot write elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.datasets.fetch import RECORD, FetchedDataset, fetch_dataset
from coordinator.errors import NoAccess, TargetError, UsageError
from coordinator.target.datasets import Dataset, DatasetFile
from coordinator.target.kaggle.datasets import KaggleDatasets
from runner_test.faults import Fault, Kind
from tests.coordinator.datasets.kaggle import NAME, Depot


def _fetch(data: Depot, folder: Path, name: str = NAME) -> FetchedDataset:
    return fetch_dataset(data.workspace, name, folder)


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name != RECORD
    }


def test_what_was_pushed_comes_back(data: Depot, tmp_path: Path) -> None:
    """Each version by its number; what is here is not transferred again."""
    data.push()
    data.folder.joinpath("model.bin").write_bytes(b"new")
    data.push()
    one, two = data.versions()
    first = _fetch(data, tmp_path / "1", f"{NAME}/1")
    assert _files(tmp_path / "1") == one
    assert (first.version, first.warnings, first.transferred) == (1, (), sum(map(len, one.values())))
    (tmp_path / "2").mkdir()
    newest = _fetch(data, tmp_path / "2")
    assert (newest.version, _files(tmp_path / "2")) == (2, two)
    (tmp_path / "2" / "model.bin").unlink()
    assert _fetch(data, tmp_path / "2").transferred == 3
    with pytest.raises(UsageError, match=f"holds {NAME}/1"):
        _fetch(data, tmp_path / "1")


@pytest.mark.parametrize("kind", [Kind.TRUNCATED, Kind.EXPIRED, Kind.RESET])
def test_a_transfer_that_breaks_off_goes_on(data: Depot, tmp_path: Path, kind: Kind) -> None:
    """As a run's output does."""
    (data.folder / "sub" / "none.txt").unlink()  # there is no half of it
    data.push()
    data.plan(Fault("Download", kind, call=2))
    _fetch(data, tmp_path / "1")
    assert _files(tmp_path / "1") == data.versions()[0]


def test_a_fetch_that_fails_is_finished_by_the_next(data: Depot, tmp_path: Path) -> None:
    """In the same folder, which is known as that of this version."""
    data.push()
    data.plan(Fault("DownloadDataset", Kind.STATUS, status=403, times=None))
    with pytest.raises(TargetError) as error:
        _fetch(data, tmp_path / "1")
    assert f"coord data fetch {NAME}/1 {tmp_path / '1'}" in str(error.value.hint)
    data.plan()
    _fetch(data, tmp_path / "1")
    assert _files(tmp_path / "1") == data.versions()[0]


def test_another_folder_is_left_alone(data: Depot, tmp_path: Path) -> None:
    """Nothing is written among somebody's files."""
    data.push()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match="is not empty"):
        _fetch(data, tmp_path / "mine")
    assert _files(tmp_path / "mine") == {"thesis.txt": b"x"}


def test_names_that_lead_elsewhere_are_not_written(
    data: Depot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are left out and named; so are coord's own."""
    data.push()
    real = KaggleDatasets.files

    def hostile(self: KaggleDatasets, reference: str, version: int) -> Iterator[DatasetFile]:
        for name in ("../outside", "/etc/outside", RECORD, "model.bin/below", "a\x1b[2Jb"):
            yield DatasetFile(name, 1)
        yield from real(self, reference, version)

    monkeypatch.setattr(KaggleDatasets, "files", hostile)
    found = _fetch(data, tmp_path / "1")
    assert _files(tmp_path / "1") == data.versions()[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "tiny"]
    assert [line.partition(":")[0] for line in found.warnings] == [
        "not fetched, because it leads out of its folder",
        "not fetched, because coord's own files here have that name",
        "not fetched, because it has control characters",
        "not fetched, because a file has the name of its folder",
    ]


def test_other_content_than_was_pushed_is_told(data: Depot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the digest in the version's notes."""
    data.push()
    real = KaggleDatasets.dataset

    description = f"(coord sha256:{'0' * 64} 0a0b0c0d)"

    def changed(self: KaggleDatasets, reference: str) -> Dataset | None:
        there = real(self, reference)
        return there and dataclasses.replace(there, description=description)

    monkeypatch.setattr(KaggleDatasets, "dataset", changed)
    (warning,) = _fetch(data, tmp_path / "2").warnings
    assert "does not hold what was pushed" in warning


@pytest.mark.parametrize("name", ["ada/nothing-here", f"{NAME}/7"])
def test_what_is_not_there(data: Depot, tmp_path: Path, name: str) -> None:
    """A data set, or a version of one."""
    data.push()
    with pytest.raises(NoAccess):
        _fetch(data, tmp_path / "1", name)
