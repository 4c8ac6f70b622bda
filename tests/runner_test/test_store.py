"""The store on disk: many writers at once, writers that are killed, and deletion."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from runner_test.state import Reference
from runner_test.store import Store
from tests import forked
from tests.paths import ROOT
from tests.runner_test.local import all_final, eventually, new_version

SAVES = f"""
import sys
from pathlib import Path
from runner_test.state import NewVersion, Reference
from runner_test.store import Store
store = Store(Path(sys.argv[1]))
print("ready", flush=True)
for _ in range(int(sys.argv[2])):
    print(store.save(Reference("me", "shared"), {new_version("pass")!r}).number, flush=True)
"""


def saver(store: Store, times: int) -> subprocess.Popen[str]:
    """A process that saves the same kernel `times` times and prints the versions' numbers."""
    program = [sys.executable, "-c", SAVES, str(store.root), str(times)]
    return forked.start(program, cwd=ROOT, stdout=subprocess.PIPE, text=True)


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
    """Writers are killed at any moment: each visible version is complete, its state right, and the next push works."""
    rng = random.Random(20261123)
    reference = Reference("me", "shared")
    told = 0
    for _ in range(12):
        process = saver(store, 1000)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        begun = time.monotonic()
        assert process.stdout.readline()
        time.sleep(
            rng.uniform(0.0, 1.5) * (time.monotonic() - begun)
        )  # while the second version is saved, or the third
        process.kill()
        out, _ = process.communicate(timeout=20)
        told += 1 + len(out.splitlines())
        for number in store.numbers(reference):
            version = store.version(reference, number)
            assert version is not None
            assert store.paths(version).source.read_text() == "pass"
            assert store.progress(version).state in ("QUEUED", "RUNNING", "COMPLETE", "ERROR")
    numbers = store.numbers(reference)
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= told  # every version whose number was printed exists
    last = store.save(reference, new_version("pass"))
    eventually(lambda: all_final(store, reference), "all are done", 60)
    assert store.progress(last).state == "COMPLETE"
    assert list(store.root.glob("new/*")) == []


def test_deletion_survives_what_a_session_left(store: Store, tmp_path: Path) -> None:
    """Read-only folders are removed, links are not followed, and the rest of an unfinished deletion is removed, too."""
    keep = tmp_path / "keep"
    keep.mkdir(mode=0o555)
    rest = store.root / "trash" / "rest" / "locked"
    rest.mkdir(parents=True)
    rest.chmod(0)
    script = (
        f"import os\nos.makedirs('a/b')\nos.symlink({str(keep)!r}, 'a/keep')\nos.chmod('a/b', 0)\nos.chmod('a', 0o555)"
    )
    reference = Reference("me", "shared")
    store.save(reference, new_version(script))
    eventually(lambda: all_final(store, reference), "it is done")
    store.delete(reference)
    assert store.kernel(reference) is None
    assert keep.stat().st_mode & 0o777 == 0o555
    assert not (store.root / "trash").exists()


def test_a_deletion_waits_for_the_supervisor(store: Store) -> None:
    """Deleting waits for a slow supervisor, so it never finds a new kernel's files at the paths of its own."""
    reference = Reference("me", "shared")
    version = store.save(reference, new_version("import time; time.sleep(600)"))
    supervisor = eventually(lambda: store.progress(version).supervisor, "it has a supervisor")
    os.kill(supervisor, signal.SIGSTOP)
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from runner_test.store import Store; from runner_test.state import Reference\n"
        "Store(Path(sys.argv[1])).delete(Reference('me', 'shared'))"
    )
    with forked.start([sys.executable, "-c", code, str(store.root), str(ROOT)]) as deleting:
        eventually(lambda: store.paths(version).cancel.exists(), "it is told to stop")
        assert store.kernel(reference) is not None
        os.kill(supervisor, signal.SIGCONT)
        assert deleting.wait(20) == 0
    assert store.kernel(reference) is None
