"""A run's folder: whose results are in it, what of them is here, and parts that a later fetch goes on with."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest

from coordinator.results.folder import Kept, Results, folder_of, identity

WEIGHTS = PurePosixPath("fold0/model.pth")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "results" / "base" / "kaggle-v3"


def opened(place: Path, run_id: str = "first-run-of-all") -> Results:
    results = Results(place)
    results.make_room({"id": run_id, "experiment": "base"})
    return results


def write(results: Results, path: PurePosixPath, content: bytes, state: str) -> Path:
    """A part of a file with that content."""
    results.directory.joinpath(".parts").mkdir(exist_ok=True)
    part = results.part_file(path, state)
    part.write_bytes(content)
    return part


def test_a_later_run_of_the_same_version_gets_the_folder(place: Path) -> None:
    """The earlier run's results move aside, whole, and each run's folder is found by its id."""
    earlier = opened(place)
    earlier.write("oof.csv", "rows\n")
    assert folder_of(place, "first-run-of-all") == place
    later = opened(place, "second-run")
    assert later.run_id() == "second-run"
    assert later.names() == ("run.json",)
    assert folder_of(place, "second-run") == place
    aside = folder_of(place, "first-run-of-all")
    assert aside == place.with_name("kaggle-v3-first-ru")
    assert (aside / "oof.csv").read_text() == "rows\n"
    assert folder_of(place, "third-run") is None


def test_the_same_run_keeps_what_is_in_its_folder(place: Path) -> None:
    """What is known of the run is written anew; files that were fetched still count."""
    results = opened(place)
    results.keep(WEIGHTS, write(results, WEIGHTS, b"12", "s"), Kept(2, "digest"))
    results.finish(complete=True)
    assert opened(place).fetched() == {WEIGHTS: Kept(2, "digest")}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": 7}'])
def test_a_run_file_that_does_not_read_is_nobodys(place: Path, text: str) -> None:
    """Cut off, no object, or an id of another kind: no run's results are found there, and none move."""
    place.mkdir(parents=True)
    (place / "run.json").write_text(text)
    assert Results(place).run_id() is None
    assert Results(place).fetched() == {}
    assert folder_of(place, "7") is None


def test_what_was_fetched_is_known_before_and_after_the_end(place: Path) -> None:
    """From the journal while files come, from run.json afterwards; a torn line of the journal is passed over."""
    results = opened(place)
    results.keep(WEIGHTS, write(results, WEIGHTS, b"12", "s"), Kept(2, "digest"))
    with (place / ".parts" / "fetched.jsonl").open("a") as journal:
        journal.write('{"name": "half')
    other = PurePosixPath("oof.csv")
    results.keep(other, write(results, other, b"1", "s"), Kept(1, "other"))
    assert Results(place).fetched() == {WEIGHTS: Kept(2, "digest"), other: Kept(1, "other")}
    results.finish(complete=True)
    assert not (place / ".parts").exists()
    assert Results(place).fetched() == {WEIGHTS: Kept(2, "digest"), other: Kept(1, "other")}
    assert results.names() == ("fold0/model.pth", "oof.csv", "run.json")
    assert list(json.loads((place / "run.json").read_text())["output"]) == ["fold0/model.pth", "oof.csv"]


def test_a_file_is_here_as_long_as_its_size_is_right(place: Path) -> None:
    """A file that somebody cut, or deleted, or that was never fetched is not."""
    results = opened(place)
    results.keep(WEIGHTS, write(results, WEIGHTS, b"12", "s"), Kept(2, "digest"))
    assert results.is_here(WEIGHTS, Kept(2, "digest"))
    assert not results.is_here(WEIGHTS, None)
    (place / WEIGHTS).write_bytes(b"1")
    assert not results.is_here(WEIGHTS, Kept(2, "digest"))
    (place / WEIGHTS).unlink()
    assert not results.is_here(WEIGHTS, Kept(2, "digest"))


def test_a_later_process_finds_a_part_of_the_same_state(place: Path) -> None:
    """By its name; a part of another state of that file is dropped, and a fetch that is not complete keeps parts."""
    results = opened(place)
    part = write(results, WEIGHTS, b"123", identity('"tag"', 9))
    results.finish(complete=False)
    assert Results(place).part(WEIGHTS) == (identity('"tag"', 9), 3)
    assert Results(place).part(PurePosixPath("other")) is None
    newer = Results(place).part_file(WEIGHTS, identity('"newer"', 9))
    assert newer != part
    assert not part.exists()


def test_forgotten_files_come_again(place: Path) -> None:
    """They no longer count as fetched, and no part is left; others still count."""
    results = opened(place)
    other = PurePosixPath("oof.csv")
    for path in (WEIGHTS, other):
        results.keep(path, write(results, path, b"12", "s"), Kept(2, "digest"))
    write(results, PurePosixPath("broken"), b"1", "s")
    results.forget([WEIGHTS])
    assert Results(place).fetched() == {other: Kept(2, "digest")}
    assert Results(place).part(PurePosixPath("broken")) is None
