"""The folder of a run's results, which is whole or can be completed whenever a fetch is killed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from coordinator.results.folder import PARTS, RUN, Kept, Results, folder_of, identity

OOF, DEEP = PurePosixPath("oof.csv"), PurePosixPath("worst/01.png")
PROVENANCE = {"id": "run-one", "experiment": "base"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "results" / "base" / "local-v1"


@pytest.fixture
def results(directory: Path) -> Results:
    results = Results(directory)
    results.make_room(PROVENANCE)
    results.forget([])
    return results


def _keep(results: Results, path: PurePosixPath, content: bytes) -> Kept:
    """Does what a fetch does when a file has arrived completely."""
    kept = Kept(len(content), hashlib.sha256(content).hexdigest())
    part = results.part_file(path, identity("etag", kept.size))
    part.write_bytes(content)
    results.keep(path, part, kept)
    return kept


def _run_json(directory: Path) -> dict[str, Any]:
    found = json.loads((directory / RUN).read_text())
    assert isinstance(found, dict)
    return found


def test_a_new_folder_names_its_run(results: Results, directory: Path) -> None:
    """run.json has the origin of the results, and no files yet."""
    assert _run_json(directory) == {**PROVENANCE, "output": {}}
    assert Results(directory).run_id() == "run-one"


def test_the_origin_of_results_survives_a_power_failure(directory: Path, flushed: list[bytes]) -> None:
    """run.json is on the disk before it gets its name: a folder without it would be nobody's."""
    Results(directory).make_room(PROVENANCE)
    assert flushed == [(directory / RUN).read_bytes()]


@pytest.mark.parametrize("content", ["", "[1]", '{"id": 5}', '{"id": "cut'])
def test_a_folder_that_does_not_name_its_run(directory: Path, content: str) -> None:
    """A run.json that was damaged or edited names no run, and neither does a missing one."""
    assert Results(directory).run_id() is None
    directory.mkdir(parents=True)
    (directory / RUN).write_text(content)
    assert Results(directory).run_id() is None
    assert Results(directory).fetched() == {}


def test_results_of_another_run_move_aside(results: Results, directory: Path) -> None:
    """A deleted kernel counts its versions from 1 again; the same run's files stay where they are."""
    _keep(results, OOF, b"rows")
    results.finish(complete=True)
    Results(directory).make_room({**PROVENANCE, "message": "again"})
    assert (directory / OOF).read_bytes() == b"rows"
    assert _run_json(directory)["message"] == "again"
    assert OOF in Results(directory).fetched()
    Results(directory).make_room({**PROVENANCE, "id": "run-two"})
    assert not (directory / OOF).exists()
    assert Results(directory).fetched() == {}
    aside = directory.with_name("local-v1-run-one")
    assert folder_of(directory, "run-one") == aside
    assert folder_of(directory, "run-two") == directory
    assert folder_of(directory, "run-three") is None
    assert (aside / OOF).read_bytes() == b"rows"
    assert Results(aside).run_id() == "run-one"


def test_a_file_is_recorded_before_it_has_its_name(results: Results, directory: Path) -> None:
    """A process that is killed in between leaves a record without a file, which counts as not fetched."""
    kept = _keep(results, OOF, b"rows")
    deep = _keep(results, DEEP, b"picture")
    killed = Results(directory)  # a later process: nothing was finished
    assert killed.fetched() == {OOF: kept, DEEP: deep}
    assert killed.is_here(OOF, kept)
    (directory / OOF).unlink()
    assert not killed.is_here(OOF, killed.fetched()[OOF])
    (directory / DEEP).write_bytes(b"cut")
    assert not killed.is_here(DEEP, deep)
    assert not killed.is_here(PurePosixPath("other.csv"), None)


def test_a_file_that_cannot_be_recorded_does_not_get_its_name(results: Results, directory: Path) -> None:
    """A file without a record would be a result that nobody knows the digest of."""
    (directory / PARTS / "fetched.jsonl").mkdir()
    with pytest.raises(IsADirectoryError):
        _keep(results, OOF, b"rows")
    assert not (directory / OOF).exists()


def test_a_record_that_was_cut_off_hides_no_other(results: Results, directory: Path) -> None:
    """Each record starts on a new line."""
    first = _keep(results, OOF, b"rows")
    with (directory / PARTS / "fetched.jsonl").open("a") as journal:
        journal.write('\n{"name": "fold0.pth", "si')
    second = _keep(results, DEEP, b"picture")
    assert Results(directory).fetched() == {OOF: first, DEEP: second}


def test_a_record_that_was_edited_counts_as_not_fetched(results: Results, directory: Path) -> None:
    """Its size or digest is missing or no such value."""
    _keep(results, OOF, b"rows")
    results.finish(complete=True)
    edited: list[Any] = [{"oof.csv": {"size": "many", "sha256": "0"}}, {"oof.csv": 5}, {"oof.csv": {}}, []]
    for output in edited:
        (directory / RUN).write_text(json.dumps({**PROVENANCE, "output": output}))
        assert Results(directory).fetched() == {}


def test_a_part_is_found_by_a_later_process(results: Results, directory: Path) -> None:
    """It belongs to one state of its file; a part of another state is deleted."""
    assert results.part(OOF) is None
    results.part_file(OOF, identity("old", 10)).write_bytes(b"half")
    later = Results(directory)
    assert later.part(OOF) == (identity("old", 10), 4)
    assert later.part(DEEP) is None
    assert later.part_file(OOF, identity("old", 10)).read_bytes() == b"half"
    new = later.part_file(OOF, identity("new", 12))
    assert not new.exists()
    assert list((directory / PARTS).glob("*.part")) == []
    assert identity("old", 10) != identity("old", 11)


def test_the_end_of_a_fetch(results: Results, directory: Path) -> None:
    """run.json has all files. Parts stay until every file is fetched, and do not count as results."""
    kept = _keep(results, OOF, b"rows")
    results.part_file(DEEP, identity("etag", 9)).write_bytes(b"half")
    results.finish(complete=False)
    assert _run_json(directory)["output"] == {"oof.csv": {"size": 4, "sha256": kept.sha256}}
    assert results.names() == ("oof.csv", "run.json")
    assert Results(directory).part(DEEP) == (identity("etag", 9), 4)
    _keep(results, DEEP, b"picture")
    results.finish(complete=True)
    assert results.names() == ("oof.csv", "run.json", "worst/01.png")
    assert not (directory / PARTS).exists()


def test_an_interrupted_fetch_without_parts_leaves_no_folder_of_them(results: Results, directory: Path) -> None:
    """An empty folder would be of no use."""
    results.finish(complete=False)
    assert not (directory / PARTS).exists()


def test_files_that_are_to_be_fetched_again(results: Results, directory: Path) -> None:
    """They are no longer recorded, the others are, and parts are deleted."""
    _keep(results, OOF, b"rows")
    deep = _keep(results, DEEP, b"picture")
    results.part_file(OOF, identity("etag", 9)).write_bytes(b"half")
    results.forget([OOF, PurePosixPath("never.csv")])
    assert Results(directory).fetched() == results.fetched() == {DEEP: deep}
    assert results.part(OOF) is Results(directory).part(OOF) is None


def test_a_file_of_coords_own_is_replaced_as_a_whole(results: Results, directory: Path) -> None:
    """It does not count as fetched output."""
    results.write("kernel.log", "one\n")
    results.write("kernel.log", "two\n")
    assert (directory / "kernel.log").read_text() == "two\n"
    assert list((directory / PARTS).iterdir()) == []
    assert results.fetched() == {}
