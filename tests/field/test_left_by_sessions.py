"""What a session leaves is trusted: links, pipes, names and depths that a listing, a download or a mount follows.

Seen: https://github.com/moby/moby/issues/22596 (`docker cp` follows a container's link to the host's files), and found
by trying it on coord. `os.rename("/kaggle/working", ...)` and a link in its place made the local Kaggle
serve any folder of the user's; a link to itself made the listing answer 500 for ever.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
import threading
import zipfile
from collections.abc import Callable
from dataclasses import asdict, fields
from io import BytesIO
from pathlib import Path

import pytest
import requests

from runner_test.server import running_server
from runner_test.sessions import SessionOptions, isolation, log, run_once
from runner_test.settings import Settings
from runner_test.state import (
    Kernel,
    Reference,
    SessionProgress,
    State,
    Version,
    VersionPaths,
    files,
    locks,
    outputs,
    progress,
    remove_tree,
    sources,
    tree,
    version_paths,
    write_version,
)
from runner_test.store import Store
from tests.runner_test.local import Local, new_version

SECRET = "only the user may read this"


def _deep(working: Path) -> None:
    """A chain of folders that is deeper than Python's stack and longer than a path may be, and a file at its end."""
    before = Path.cwd()
    os.chdir(working)
    try:
        for _ in range(1100):
            os.mkdir("deep")  # noqa: PTH102  # relative to where the loop is
            os.chdir("deep")
        Path("end").touch()
    finally:
        os.chdir(before)


def _socket(working: Path) -> None:
    before = Path.cwd()
    os.chdir(working)  # the path of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s")
    finally:
        os.chdir(before)


def _sparse(working: Path) -> None:
    with (working / "sparse").open("wb") as file:
        file.truncate(1 << 42)


def _circle(working: Path) -> None:
    (working / "a").symlink_to("b")
    (working / "b").symlink_to("a")


def _through(working: Path) -> None:
    (working / "o").symlink_to("../..")
    (working / "p").symlink_to("o/secret")


def _linked_pipe(working: Path) -> None:
    os.mkfifo(working / "pipe2")
    (working / "link").symlink_to("pipe2")


def _closed(working: Path) -> None:
    (working / "closed").mkdir()
    (working / "closed/x").write_text("x")
    (working / "closed/x").chmod(0)
    (working / "closed").chmod(0)


# What a session left beside the file `kept`, and which names are served besides it.
LEFT: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "a link to itself": (lambda w: (w / "loop").symlink_to("loop"), []),
    "two links in a circle": (_circle, []),
    "a link to a file of the user's": (lambda w: (w / "key").symlink_to(w.parents[1] / "secret"), []),
    "a link to a folder of the user's": (lambda w: (w / "home").symlink_to(w.parents[1]), []),
    "a relative link out": (lambda w: (w / "up").symlink_to("../../secret"), []),
    "a link to its own folder": (lambda w: (w / "self").symlink_to("."), []),
    "a link through a link out": (_through, []),
    "a link to nothing": (lambda w: (w / "dangling").symlink_to("nowhere"), []),
    "a link to a device": (lambda w: (w / "zero").symlink_to("/dev/zero"), []),
    "a link inside": (lambda w: (w / "again").symlink_to("kept"), ["again"]),
    "a pipe": (lambda w: os.mkfifo(w / "pipe"), []),
    "a link to a pipe": (_linked_pipe, []),
    "a socket": (_socket, []),
    "a sparse file of 4 TiB": (_sparse, []),
    "folders of any depth": (_deep, []),
    "a folder and a file without permissions": (_closed, ["closed/x"]),
    "a name with a line break": (lambda w: (w / "a\nb").touch(), ["a\nb"]),
    "a name that is not UTF-8": (lambda w: Path(os.fsdecode(os.fsencode(w) + b"/\xff")).touch(), []),
    "a name as long as they get": (lambda w: (w / ("n" * 255)).touch(), ["n" * 255]),
    "a hard link": (lambda w: os.link(w / "kept", w / "twin"), ["twin"]),
}


@pytest.mark.parametrize("what", LEFT)
def test_what_is_left_is_listed_and_removed(tmp_path: Path, what: str) -> None:
    """The listing has what is a file of the session's own and can be sent, and the folder can be removed."""
    leave, served = LEFT[what]
    (tmp_path / "secret").write_text(SECRET)
    working = tmp_path / "kaggle" / "working"
    working.mkdir(parents=True)
    (working / "kept").write_text("kept")
    try:
        leave(working)
        tree.open_up(working)
        found = outputs.listed(working, Settings())
        assert [each.name for each in found] == sorted(["kept", *served])
        for each in found:
            path = tree.file(working, each.name)
            assert path is not None
            assert path.read_text() != SECRET
        for name in ("key", "home/secret", "p", "o/secret", "self/../../../secret", "../../secret", "pipe", "zero"):
            assert tree.file(working, name) is None
    finally:
        remove_tree(working.parent)  # pytest could not remove all of them
    assert not working.parent.exists()
    assert (tmp_path / "secret").read_text() == SECRET


@pytest.mark.parametrize("name", ["working", "kaggle"])
def test_a_folder_that_was_replaced_has_no_output(store: Store, tmp_path: Path, name: str) -> None:
    """A link in place of the working folder is served by no method, and mounted for no other kernel."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/secret").write_text(SECRET)
    (tmp_path / "home/working").symlink_to(".")
    paths = _ended(store)
    before = [each.name for each in store.outputs(_version(store))]
    replaced = paths.working if name == "working" else paths.session
    remove_tree(replaced)
    replaced.symlink_to(tmp_path / "home")
    assert before == ["kept"]
    assert store.outputs(_version(store)) == []
    assert store.output(_version(store), "secret") is None
    assert sources.kernel_output(store.root, Reference("me", "shared")) is None


def test_every_method_answers_after_any_session(store: Store, tmp_path: Path) -> None:
    """List, files, archive and log over HTTP, with all of these in one working folder."""
    (tmp_path / "secret").write_text(SECRET)
    paths = _ended(store)
    for leave, _ in LEFT.values():
        with contextlib.suppress(FileExistsError):  # another line has left that name
            if leave is not _deep:
                leave(paths.working)
    with running_server(store.root) as server:
        local = Local(server.url, store)
        listed = {each.file_name: each.url for each in local.output("shared").files}
        assert "kept" in listed
        for url in listed.values():
            assert SECRET not in requests.get(url, timeout=10).text
        asked = {"userName": "me", "kernelSlug": "shared"}
        for method, body in (("ListKernelFiles", asked), ("DownloadKernelOutput", asked | {"ownerSlug": "me"})):
            url = f"{server.url}/api/v1/kernels.KernelsApiService/{method}"
            answer = requests.post(url, json=body, auth=local.me, timeout=10)
            assert answer.status_code == 200
        with zipfile.ZipFile(BytesIO(answer.content)) as packed:
            assert set(packed.namelist()) == listed.keys()


def test_files_that_vanish_while_they_are_listed(store: Store) -> None:
    """A process that was not found may remove files: those that stay are listed, an archive can be asked for again."""
    working = _ended(store).working
    over = threading.Event()

    def churn() -> None:
        while not over.is_set():
            for name in "abcdefgh":
                (working / name).touch()
            for name in "abcdefgh":
                (working / name).unlink()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(100):
            assert "kept" in [each.name for each in outputs.listed(working, Settings())]
        with running_server(store.root) as server:
            local = Local(server.url, store)
            url = f"{server.url}/api/v1/kernels.KernelsApiService/DownloadKernelOutput"
            body = {"ownerSlug": "me", "kernelSlug": "shared"}
            answers = [requests.post(url, json=body, auth=local.me, timeout=10).status_code for _ in range(30)]
    finally:
        over.set()
        thread.join()
    assert set(answers) <= {200, 503}


RECORDS: dict[str, Callable[[Path, Path], object]] = {
    "a link": lambda path, secret: path.symlink_to(secret),
    "a link to itself": lambda path, secret: path.symlink_to(path),
    "a pipe": lambda path, secret: os.mkfifo(path),
    "a folder": lambda path, secret: path.mkdir(),
    "no text": lambda path, secret: path.write_bytes(b"\xff\xfe\n"),
    "other JSON": lambda path, secret: path.write_text("[1]\n"),
    "other fields": lambda path, secret: path.write_text('{"state": "DONE"}\n'),
}


@pytest.mark.parametrize("what", RECORDS)
def test_records_that_a_session_replaced(store: Store, tmp_path: Path, what: str) -> None:
    """A session that is not isolated reaches its log, state and lock: no other file is shown, and nothing waits."""
    (tmp_path / "secret").write_text(f'{{"data": "{SECRET}"}}\n')
    paths = _ended(store)
    for path in (paths.log, paths.progress, paths.alive):
        path.unlink(missing_ok=True)
        RECORDS[what](path, tmp_path / "secret")
    assert SECRET not in log.as_array(paths.log)
    found = progress.read(paths)
    assert (found.state, "can't be read" in str(found.failure)) == (State.ERROR, True)
    if what != "a link to itself":
        assert not locks.is_held(paths.alive)


ATTEMPTS = """
import ctypes, os
def tried(*way):
    try:
        way[0](*way[1:])
        print("done", way[1:])
    except OSError:
        pass
for name in ("working", "src", "input"):
    place = f"/kaggle/{name}"
    tried(os.rename, place, f"/kaggle/{name}2")
    tried(os.rmdir, place)
    tried(os.unlink, place)
    tried(os.symlink, "/etc", place)
    os.makedirs("/kaggle/other", exist_ok=True)
    tried(os.rename, "/kaggle/other", place)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(place.encode(), 2) == 0:
        print("unmounted", place)
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10020000) == 0:  # a user and a mount namespace of its own
    for name in ("working", "src", "input"):
        if libc.umount2(f"/kaggle/{name}".encode(), 2) == 0:
            print("unmounted in a namespace", name)
    tried(os.rename, "/kaggle/working", "/kaggle/w2")
open("/kaggle/working/kept", "w").write("kept")
"""


@pytest.mark.skipif(isolation.problem() is not None, reason=str(isolation.problem()))
def test_the_folders_of_an_isolated_session_stay_where_they_are(tmp_path: Path) -> None:
    """/kaggle/working, src and input are mounts that can be neither moved, replaced nor unmounted from inside."""
    script = tmp_path / "kernel.py"
    script.write_text(ATTEMPTS)
    said: list[str] = []
    root = tmp_path / "root"
    code = run_once(script, root, lambda record: said.append(record.data), SessionOptions(timeout=60))
    assert (code, "".join(said)) == (0, "")
    assert stat.S_ISDIR((root / "working").lstat().st_mode)
    assert (root / "working/kept").read_text() == "kept"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store in which nothing runs."""
    return Store(tmp_path / "store")


def test_what_a_session_closed_is_opened_at_its_end(tmp_path: Path) -> None:
    """The output of a session can be read by whoever serves it."""
    script = tmp_path / "kernel.py"
    script.write_text("import os\nos.mkdir('d')\nopen('d/x', 'w').close()\nos.chmod('d/x', 0)\nos.chmod('d', 0)")
    options = SessionOptions(timeout=60, settings=Settings(isolation="none"))
    assert run_once(script, tmp_path / "root", print, options) == 0
    left = tmp_path / "root/working/d"
    assert (left.stat().st_mode & 0o500, (left / "x").stat().st_mode & 0o400) == (0o500, 0o400)


def _version(store: Store) -> Version:
    found = store.version(Reference("me", "shared"), 1)
    assert found is not None
    return found


def _ended(store: Store) -> VersionPaths:
    """The paths of a kernel's version whose session has ended, without having run it, and left the file `kept`."""
    pushed = asdict(new_version("pass"))
    paths = version_paths(store.root, Reference("me", "shared"), 1)
    paths.working.mkdir(parents=True)
    (paths.working / "kept").write_text("kept")
    common = {field.name: pushed[field.name] for field in fields(Version) if field.name in pushed}
    version = Version(owner="me", slug="shared", number=1, created=0.0, ticket="0", python=sys.executable, **common)
    write_version(paths, version)
    progress.write(paths, SessionProgress(State.COMPLETE))
    kernel = Kernel(id=1, owner="me", slug="shared", title="shared", is_private=True, created=0.0)
    files.write_json(paths.kernel / "kernel.json", asdict(kernel))
    return paths
