"""What a fetch brings, in which order, and what it does when the way breaks off: nothing lost, nothing moved twice."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from coordinator.clock import Clock
from coordinator.errors import CoordError, NoAnswer, TargetError
from coordinator.files import held
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.project import Project
from coordinator.results.folder import Results, identity
from coordinator.runs.fetch.fetch import EVERYTHING, Choice, fetch_run
from coordinator.runs.fetch.fetched import Fetched
from coordinator.target.protocol import Download, OutputFile
from coordinator.workspace import Workspace
from tests.coordinator.command import COORD, Coord, until
from tests.coordinator.depot import Asked, Depot, running_depot, summary_of
from tests.coordinator.fetching import SUMMARY, fetched
from tests.coordinator.sample_runs import ON_KAGGLE
from tests.coordinator.targets import MemoryTarget, source_of

BIG = random.Random(0).randbytes(300_000)


@pytest.fixture
def depot() -> Iterator[Depot]:
    """Holds what a small run leaves."""
    with running_depot() as depot:
        depot.files = {
            "fold0.pth": BIG,
            "pictures/worst 1.png": b"png",
            "submission.csv": b"ImageId\n",
            "metrics.json": summary_of("r7"),
            "oof.csv": b"ImageId,dice\n",
        }
        yield depot


@pytest.fixture
def here(tiny: Project, depot: Depot) -> Iterator[Here]:
    with Ledger(tiny.ledger) as ledger:
        ledger.add(ON_KAGGLE)
        yield Here(tiny, depot, ledger)


@dataclasses.dataclass(frozen=True)
class Here:
    """A project with a run in its ledger, and the server that has its output."""

    project: Project
    depot: Depot
    ledger: Ledger

    def fetch(
        self, choice: Choice = EVERYTHING, *, force: bool = False, pause: Callable[[float], None] = lambda _: None
    ) -> Fetched:
        kaggle = self.depot.kaggle()
        try:
            run = self.ledger.get(ON_KAGGLE.id)
            return fetch_run(
                Workspace(self.project, self.ledger, kaggle, clock=Clock(sleep=pause)),
                run,
                force=force,
                choice=choice,
            )
        finally:
            kaggle.close()

    @property
    def results(self) -> Path:
        return self.project.results("base", "kaggle", 3)

    @property
    def run(self) -> Run:
        return self.ledger.get(ON_KAGGLE.id)

    def check(self) -> None:
        """Everything is here, byte for byte, and nothing else."""
        for name, data in self.depot.files.items():
            assert (self.results / name).read_bytes() == data
        names = {str(path.relative_to(self.results)) for path in self.results.rglob("*") if path.is_file()}
        assert names == {*self.depot.files, "kernel.log", "kernel.log.json", "run.json"}
        assert self.run.fetched_at


def test_small_files_first_and_a_manifest_of_all(here: Here) -> None:
    """Metrics, predictions and log are here before anything large begins; run.json has sizes and digests."""
    fetched = here.fetch()
    here.check()
    assert set(here.depot.names()[:3]) == {"metrics.json", "oof.csv", "submission.csv"}
    assert sorted(here.depot.names()) == sorted(here.depot.files)
    assert fetched.size == sum(map(len, here.depot.files.values()))
    output = json.loads((here.results / "run.json").read_text())["output"]
    assert output["fold0.pth"] == {"size": len(BIG), "sha256": hashlib.sha256(BIG).hexdigest()}
    assert output.keys() == here.depot.files.keys()


def test_fetching_twice_moves_nothing_twice_unless_forced(here: Here) -> None:
    """Not one request the second time; a file that was deleted here comes back alone; --force brings all."""
    here.fetch()
    here.depot.asked.clear()
    listings = here.depot.listings
    assert here.fetch().size == 0
    assert (here.depot.asked, here.depot.listings) == ([], listings)
    (here.results / "oof.csv").unlink()
    here.fetch()
    assert here.depot.names() == ["oof.csv"]
    for file in here.results.iterdir():
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    here.fetch()
    here.check()
    here.depot.asked.clear()
    here.fetch(force=True)
    assert sorted(here.depot.names()) == sorted(here.depot.files)
    here.check()


def test_a_fetch_with_patterns_is_completed_by_a_later_one(here: Here) -> None:
    """What a pattern left out comes with the next fetch, and only that."""
    fetched = here.fetch(Choice(skip=["*.pth", "pictures/*"]))
    assert fetched.left_out == 2
    assert not here.run.fetched_at
    assert sorted(here.depot.names()) == ["metrics.json", "oof.csv", "submission.csv"]
    assert here.run.summary is not None
    here.depot.asked.clear()
    assert here.fetch(Choice(only=["*.png"])).left_out == 1
    here.fetch()
    assert here.depot.names() == ["pictures/worst 1.png", "fold0.pth"]
    here.check()


def test_files_that_the_settings_skip_are_brought_by_name(here: Here) -> None:
    """Without them a fetch is complete, and says how many they are; a second one asks for nothing."""
    settings = dataclasses.replace(here.project.settings, fetch_skip=("*.pth",))
    here = dataclasses.replace(here, project=dataclasses.replace(here.project, settings=settings))
    fetched = here.fetch()
    assert (fetched.left_out, fetched.run.fetched_at is None) == (1, False)
    assert not any(file.endswith(".pth") for file in fetched.files)
    asked = list(here.depot.asked)
    assert here.fetch().size == 0
    assert here.depot.asked == asked
    fetched = here.fetch(Choice(only=["*.pth"]))
    assert (fetched.left_out, fetched.run.fetched_at is None) == (0, False)
    assert any(file.endswith(".pth") for file in fetched.files)


def test_no_metrics_where_none_were_wanted_is_no_warning(here: Here) -> None:
    """--only without metrics.json says nothing about missing metrics; a run without it does."""
    assert here.fetch(Choice(only=["*.png"])).warnings == ()
    del here.depot.files["metrics.json"]
    assert here.fetch().warnings == (
        "base kaggle-v3 left no metrics that coord reads; docs/metrics.md says what those are",
    )


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        (Choice(), "a/b.csv c.csv d.pth"),
        (Choice(only=["*.csv"]), "a/b.csv c.csv"),
        (Choice(only=["a/*", "*.pth"]), "a/b.csv d.pth"),
        (Choice(skip=["*.csv"]), "d.pth"),
        (Choice(only=["*.csv"], skip=["b.*"]), "c.csv"),
        (Choice(skip=["*/b.csv"]), "c.csv d.pth"),
    ],
)
def test_patterns(choice: Choice, taken: str) -> None:
    """A pattern without a slash is of the name, in whatever folder; skip wins over only."""
    paths = map(PurePosixPath, ("a/b.csv", "c.csv", "d.pth"))
    assert " ".join(str(path) for path in paths if choice.takes(path)) == taken


def test_a_transfer_that_breaks_off_goes_on_where_it_was(here: Here) -> None:
    """Cut in the middle twice: the bytes that came are not asked for again, and the whole is right."""
    here.depot.faults = {"fold0.pth": ["cut 140000", "cut 70000"]}
    here.fetch()
    here.check()
    first, second, third = [asked for asked in here.depot.asked if asked.name == "fold0.pth"]
    assert first == Asked("fold0.pth", None, 140_000)
    # The last byte of a part is asked for again.
    assert second == Asked("fold0.pth", "bytes=139999-", 70_000)
    assert third == Asked("fold0.pth", "bytes=209998-", len(BIG) - 209_998)


def test_a_later_process_goes_on_with_a_part(here: Here) -> None:
    """A server that only ever breaks off ends the fetch with what to do; the next one goes on with the part."""
    here.depot.faults = {"fold0.pth": ["cut 140000", "cut 0", "cut 0", "cut 0", "cut 0"]}
    waits: list[float] = []
    with pytest.raises(NoAnswer) as caught:
        here.fetch(pause=waits.append)
    assert "fold0.pth" in caught.value.what
    assert caught.value.hint is not None
    assert "coord fetch-results --exp base --target kaggle --version 3" in caught.value.hint
    assert waits == [0.5, 1.0, 2.0]
    assert not (here.results / "fold0.pth").exists()
    assert not here.run.fetched_at
    here.depot.asked.clear()
    here.fetch()
    here.check()
    assert here.depot.asked == [Asked("fold0.pth", "bytes=139999-", len(BIG) - 139_999)]


@pytest.mark.parametrize("how", ["changed", "whole", "untagged"])
def test_a_part_of_another_state_of_the_file_is_not_gone_on_with(here: Here, how: str) -> None:
    """A file that changed, a server without ranges, or one that does not say what changed: it begins anew."""
    here.depot.has_tags = how != "untagged"
    here.depot.faults = {"fold0.pth": ["cut 140000", *(["whole"] if how == "whole" else [])]}
    changed = BIG[::-1] if how == "changed" else BIG

    def pause(_: float) -> None:
        raise AssertionError("a try that brought something is followed by the next at once")

    if how == "changed":
        here.depot.faults["fold0.pth"] += ["cut 0"] * 4
        with pytest.raises(NoAnswer):
            here.fetch()
        here.depot.files["fold0.pth"] = changed
    here.fetch(pause=pause)
    here.check()
    assert [asked.sent for asked in here.depot.asked if asked.name == "fold0.pth"][-1] == len(BIG)


def test_a_part_that_is_whole_moves_one_byte(here: Here) -> None:
    """Killed after the last byte and before the rename."""
    here.depot.faults = {"fold0.pth": ["cut 0"] * 4}
    with pytest.raises(NoAnswer):
        here.fetch()
    tag = f'"{hashlib.sha256(BIG).hexdigest()}"'
    Results(here.results).part_file(PurePosixPath("fold0.pth"), identity(tag, len(BIG))).write_bytes(BIG)
    here.depot.asked.clear()
    here.fetch()
    assert [asked.sent for asked in here.depot.asked] == [1]
    here.check()


def test_addresses_that_expire_are_listed_again(here: Here) -> None:
    """In the middle of a transfer: one new list for all threads, and the transfer goes on where it was."""
    here.depot.files |= {f"picture {number}.png": b"%d" % number for number in range(40)}
    here.depot.page_size = 7
    here.depot.faults = {"oof.csv": ["hold"]}

    def expire() -> None:
        here.depot.held.wait(30)
        here.depot.key = "2"
        here.depot.go.set()

    worker = threading.Thread(target=expire)
    worker.start()
    here.fetch()
    worker.join()
    here.check()
    assert here.depot.listings == 3  # the first, the log's, and one for forty files that had expired


def test_an_address_that_never_works_is_told_and_the_rest_is_brought(here: Here) -> None:
    """One bad file must not keep the others away."""
    here.depot.faults = {"fold0.pth": ["403", "410", "403", "404"]}
    with pytest.raises(TargetError, match=r"downloading fold0\.pth: kaggle answered with HTTP 404"):
        here.fetch()
    assert (here.results / "pictures" / "worst 1.png").is_file()
    assert not here.run.fetched_at


def test_many_bad_files_end_a_fetch(here: Here) -> None:
    """A server that gives nothing is not asked for every file of three hundred."""
    here.depot.files = {f"f{number}": b"x" for number in range(300)}
    here.depot.gives_old_addresses = True
    with pytest.raises(TargetError, match=r"answered with HTTP 403.* more files could not be fetched") as caught:
        here.fetch()
    assert "What came is kept" in str(caught.value.hint)
    assert len(here.depot.asked) < 150


def test_names_that_are_coords_own_are_left_alone(here: Here) -> None:
    """An output can replace neither what says which run this is, nor the notes of what is here; and it is said."""
    own = ["run.json", ".parts/fetched.jsonl", "kernel.log"]
    here.depot.files |= dict.fromkeys(own, b'{"id": "other"}')
    (*_, warning) = here.fetch().warnings
    assert warning == f"not fetched, because coord's own files here have that name: {', '.join(own)}"
    assert not set(own) & set(here.depot.names())
    assert json.loads((here.results / "run.json").read_text())["id"] == "r7"
    assert (here.results / "kernel.log").read_text() == "hello\n"


def test_a_full_disk_keeps_what_came(here: Here) -> None:
    """/dev/full refuses every byte, as a full disk does: one message, no final name, other files kept."""
    tag = f'"{hashlib.sha256(BIG).hexdigest()}"'
    results = Results(here.results)
    here.fetch(Choice(skip=["*.pth"]))
    results.write("x", "")  # the folder of parts
    part = results.part_file(PurePosixPath("fold0.pth"), identity(tag, len(BIG)))
    part.symlink_to("/dev/full")
    with pytest.raises(CoordError) as caught:
        here.fetch()
    assert os.strerror(errno.ENOSPC) in caught.value.what
    assert caught.value.hint is not None
    assert "The disk is full: " in caught.value.hint
    assert not (here.results / "fold0.pth").exists()
    part.unlink()
    (here.results / "x").unlink()
    here.fetch()
    here.check()


def test_a_summary_of_another_run_stops_the_fetch_before_the_large_files(here: Here) -> None:
    """Nothing is recorded, and gigabytes of somebody else's are not transferred."""
    here.depot.files["metrics.json"] = summary_of("somebody")
    with pytest.raises(TargetError, match="not from r7"):
        here.fetch()
    assert "fold0.pth" not in here.depot.names()
    assert here.run.summary is None


def test_a_torn_note_costs_one_file(here: Here) -> None:
    """A process killed while it noted a file: that one comes again, the others don't."""
    here.fetch(Choice(skip=["*.pth"]))
    parts = here.results / ".parts"
    parts.mkdir(exist_ok=True)
    (parts / "fetched.jsonl").write_text('{"name": "fold0.pth", "size": 30')
    here.depot.asked.clear()
    here.fetch()
    assert here.depot.names() == ["fold0.pth"]
    here.check()


def test_another_runs_folder_moves_aside(here: Here) -> None:
    """A deleted kernel counts from 1 again: parts and notes of the old run don't mix with the new one's."""
    here.results.mkdir(parents=True)
    (here.results / "run.json").write_text('{"id": "older123456", "output": {"oof.csv": {"size": 13, "sha256": ""}}}')
    (here.results / "oof.csv").write_bytes(b"another run's")
    here.fetch()
    here.check()
    assert (here.results.with_name("kaggle-v3-older123") / "oof.csv").read_bytes() == b"another run's"


def test_a_large_file_is_not_held_in_memory(tiny: Project, depot: Depot) -> None:
    """As a process: 60 MB take no more memory than 20 kB do."""
    with Ledger(tiny.ledger) as ledger:
        ledger.add(ON_KAGGLE)
    variables = {"COORD_KAGGLE_ENDPOINT": depot.url, "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": "0" * 32}
    coord = Coord(tiny.root, {**os.environ, **variables})
    peaks = []
    for size in (20_000, 60_000_000):
        depot.files["fold0.pth"] = bytes(size)
        command = [*COORD, "fetch-results", "--exp", "base", "--force"]  # its memory is its own alone
        process = subprocess.Popen(command, cwd=coord.root, env=coord.environment, stderr=subprocess.PIPE, text=True)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        _, stderr = process.communicate()
        assert process.returncode == 0, stderr
        assert (tiny.results("base", "kaggle", 3) / "fold0.pth").stat().st_size == size
        peaks.append(usage.ru_maxrss)  # KiB
    assert peaks[1] - peaks[0] < 20_000


def test_ctrl_c_keeps_what_came_and_says_how_to_go_on(tiny: Project, depot: Depot) -> None:
    """As a process, in the middle of a file: exit code 130, nothing half under a final name, the rest comes later."""
    with Ledger(tiny.ledger) as ledger:
        ledger.add(ON_KAGGLE)
    variables = {"COORD_KAGGLE_ENDPOINT": depot.url, "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": "0" * 32}
    coord = Coord(tiny.root, {**os.environ, **variables})
    depot.faults = {"fold0.pth": ["hold"]}
    process = coord.start("fetch-results", "--exp", "base")
    assert depot.held.wait(60)
    parts = tiny.results("base", "kaggle", 3) / ".parts"
    until(lambda: sum(part.stat().st_size for part in parts.glob("*.part")) >= 65536, "bytes in a part")
    until((parts.parent / "pictures" / "worst 1.png").is_file, "the other file beside it")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    command = "coord fetch-results --exp base --target kaggle --version 3"
    assert stderr == f"interrupted: what came is kept; go on with: {command}\n"
    assert not (tiny.results("base", "kaggle", 3) / "fold0.pth").exists()
    depot.go.set()
    depot.asked.clear()
    coord(*command.split()[1:])
    (rest,) = depot.asked
    assert rest.range is not None
    assert (tiny.results("base", "kaggle", 3) / "fold0.pth").read_bytes() == BIG


def test_a_fetch_that_breaks_off_is_not_complete(here: Here) -> None:
    """Even if the run was here as a whole before: some of it is to come again."""
    here.fetch()
    here.depot.faults = {"fold0.pth": ["cut 0"] * 4}
    with pytest.raises(NoAnswer):
        here.fetch(force=True)
    assert here.run.fetched_at is None
    here.fetch()
    here.check()


@pytest.mark.parametrize(("stamp", "is_saved"), [(ON_KAGGLE.id, True), ("somebody", False), ("", False)])
def test_the_kernel_that_is_saved_is_the_runs_own(tiny: Project, ledger: Ledger, stamp: str, is_saved: bool) -> None:
    """A deleted kernel counts its versions from 1 again: the version may be another run's, or by hand."""
    texts = [source_of(stamp) if stamp else "print()\n"] * 3
    target = MemoryTarget(name="kaggle", owner=ON_KAGGLE.owner, sources={ON_KAGGLE.slug: texts})
    found = fetched(tiny, ledger, {}, target=target)
    assert (found.directory / ON_KAGGLE.metadata["code_file"]).is_file() is is_saved


def test_one_process_at_a_time_fetches_a_run(tiny: Project, ledger: Ledger) -> None:
    """Two would write into the same parts."""
    free: list[bool] = []

    class Watched(MemoryTarget):
        def open_output(self, file: OutputFile, *, offset: int = 0) -> Download:
            with held(tiny.fetch_lock(ON_KAGGLE.id), wait=False) as ours:
                free.append(ours)
            return super().open_output(file, offset=offset)

    fetched(tiny, ledger, {}, target=Watched(name="kaggle", owner=ON_KAGGLE.owner))
    assert free == [False]


def test_another_script_than_the_pushed_one_is_told(tiny: Project, ledger: Ledger) -> None:
    """It was edited on Kaggle's page, say. Its results are fetched all the same."""
    summary = {**SUMMARY, "digest": "sha256:other"}
    found = fetched(tiny, ledger, {"metrics.json": json.dumps(summary).encode()})
    told = f"the script that ran (sha256:other) is not the one that was pushed ({ON_KAGGLE.digest})"
    assert told in found.warnings
    assert found.run.fetched_at
