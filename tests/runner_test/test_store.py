"""The store on disk: many writers at once, writers that are killed, and registered folders."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from runner_test import sources
from runner_test.errors import BadName, MissingFolder
from runner_test.reference import Reference
from runner_test.store import Store
from runner_test.version import Submission
from tests.runner_test.local import eventually

REPOSITORY = Path(__file__).resolve().parents[2]

SAVES = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from runner_test.reference import Reference
from runner_test.store import Store
from tests.runner_test.test_store import submission
store = Store(Path(sys.argv[1]))
print("ready", flush=True)
for _ in range(int(sys.argv[3])):
    print(store.save(Reference("me", "shared"), submission("pass")).number, flush=True)
"""


def submission(source: str) -> Submission:
    """A push of `source` and nothing else."""
    return Submission(
        title="shared",
        source=source,
        is_private=True,
        machine_shape="",
        timeout=60,
        enable_internet=False,
        keywords=(),
        dataset_sources=(),
        competition_sources=(),
        kernel_sources=(),
        docker_image="",
        kernel_type="script",
    )


def saver(store: Store, times: int) -> subprocess.Popen[str]:
    """A process that saves the same kernel `times` times and prints the versions' numbers."""
    arguments = [str(store.root), str(REPOSITORY), str(times)]
    return subprocess.Popen([sys.executable, "-c", SAVES, *arguments], stdout=subprocess.PIPE, text=True)


def all_final(store: Store, reference: Reference) -> bool:
    """Whether nothing runs or waits any more."""
    versions = [store.version(reference, number) for number in store.numbers(reference)]
    return all(version is not None and store.progress(version).state.final for version in versions)


def test_processes_that_save_at_once_get_different_numbers(store: Store) -> None:
    """Four processes, five versions each: the numbers 1 to 20, each once, and every one of them is run."""
    savers = [saver(store, 5) for _ in range(4)]
    numbers: list[int] = []
    for process in savers:
        out, _ = process.communicate(timeout=60)
        numbers += [int(line) for line in out.splitlines()[1:]]
    assert sorted(numbers) == list(range(1, 21))
    reference = Reference("me", "shared")
    eventually(lambda: all_final(store, reference), "all are done", 60)
    for number in numbers:
        version = store.version(reference, number)
        assert version is not None
        assert store.progress(version).state == "COMPLETE"


def test_a_killed_writer_leaves_nothing_half_made(store: Store) -> None:
    """Writers killed at any moment: every visible version is whole and its state true, and the next push works."""
    rng = random.Random(20261123)
    reference = Reference("me", "shared")
    told = 0
    for _ in range(12):
        process = saver(store, 1000)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.0, 0.25))
        process.kill()
        out, _ = process.communicate(timeout=20)
        told += len(out.splitlines())
        for number in store.numbers(reference):
            version = store.version(reference, number)
            assert version is not None
            assert store.paths(version).source.read_text() == "pass"
            assert store.progress(version).state in ("QUEUED", "RUNNING", "COMPLETE", "ERROR")
    assert told > 0
    numbers = store.numbers(reference)
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= told  # what was told exists
    last = store.save(reference, submission("pass"))
    eventually(lambda: all_final(store, reference), "all are done", 60)
    assert store.progress(last).state == "COMPLETE"
    assert list(store.root.glob("new/*")) == []


def test_deletion_survives_what_a_session_left(store: Store, tmp_path: Path) -> None:
    """Read-only folders go, links are not followed, and the rest of an unfinished deletion goes with the next."""
    keep = tmp_path / "keep"
    keep.mkdir(mode=0o555)
    rest = store.root / "trash" / "rest" / "locked"
    rest.mkdir(parents=True)
    rest.chmod(0)
    script = (
        f"import os\nos.makedirs('a/b')\nos.symlink({str(keep)!r}, 'a/keep')\nos.chmod('a/b', 0)\nos.chmod('a', 0o555)"
    )
    reference = Reference("me", "shared")
    store.save(reference, submission(script))
    eventually(lambda: all_final(store, reference), "it is done")
    store.delete(reference)
    assert store.kernel(reference) is None
    assert keep.stat().st_mode & 0o777 == 0o555
    assert not (store.root / "trash").exists()


def test_a_deletion_waits_for_the_supervisor(store: Store) -> None:
    """A supervisor that is slow to end is waited for: it never finds a new kernel's files in the place of its own."""
    reference = Reference("me", "shared")
    version = store.save(reference, submission("import time; time.sleep(600)"))
    supervisor = eventually(lambda: store.progress(version).supervisor, "it has a supervisor")
    os.kill(supervisor, signal.SIGSTOP)
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from runner_test.store import Store; from runner_test.reference import Reference\n"
        "Store(Path(sys.argv[1])).delete(Reference('me', 'shared'))"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(store.root), str(REPOSITORY)]) as deleting:
        eventually(lambda: store.paths(version).cancel.exists(), "it is told to stop")
        assert store.kernel(reference) is not None
        os.kill(supervisor, signal.SIGCONT)
        assert deleting.wait(20) == 0
    assert store.kernel(reference) is None


def test_registered_folders(store: Store, tmp_path: Path) -> None:
    """A registration is found in any case of letters, can be replaced, and is gone when its folder is."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    reference = Reference("anna", "x-rays")
    assert sources.dataset(store.root, reference) is None
    store.add_dataset("Anna/X-Rays", one)
    assert sources.dataset(store.root, reference) == one
    store.add_dataset("anna/x-rays", two)
    assert sources.dataset(store.root, reference) == two
    two.rmdir()
    assert sources.dataset(store.root, reference) is None
    store.add_competition("siim", one)
    assert sources.competition(store.root, "siim") == one
    (store.root / "competitions" / ".siim.123.abc").symlink_to(one)  # left by a registration that was killed
    assert sources.competitions(store.root) == ["siim"]


@pytest.mark.parametrize(
    ("reference", "error"),
    [("x", BadName), ("a/b/c", BadName), ("../b", BadName), ("a/..", BadName), ("/b", BadName), ("a/b", MissingFolder)],
)
def test_registrations_that_are_refused(store: Store, tmp_path: Path, reference: str, error: type[Exception]) -> None:
    """A name that can't be, and a folder that isn't there, are refused with a message."""
    folder = tmp_path if error is BadName else tmp_path / "none"
    with pytest.raises(error):
        store.add_dataset(reference, folder)
    assert list(store.root.iterdir()) == []


@given(st.text(max_size=12), st.text(max_size=12))
def test_a_reference_never_leaves_its_folder(owner: str, slug: str) -> None:
    """Whatever is accepted as a reference is two plain path components that read back as they are written."""
    try:
        reference = Reference.parse(f"{owner}/{slug}")
    except BadName:
        return
    assert Path("/root", reference.owner, reference.slug).resolve().parent.parent == Path("/root")
    assert Reference.parse(str(reference)) == reference
    assert str(reference) == f"{owner}/{slug}".lower()


def test_the_oldest_live_ticket_goes_first(store: Store) -> None:
    """Versions saved in a row complete in that order, two at a time."""
    reference = Reference("me", "shared")
    versions = [store.save(reference, submission("import time; time.sleep(0.1)")) for _ in range(6)]
    eventually(lambda: all_final(store, reference), "all are done", 60)
    started = [store.progress(version).started or 0.0 for version in versions]
    assert started == sorted(started)
    ended = [store.progress(version).ended or 0.0 for version in versions]
    for index in range(2, 6):
        # At any start, at most one of those before was still running.
        assert sum(end > started[index] for end in ended[:index]) <= 1
