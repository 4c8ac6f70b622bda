"""What a live check runs in its kernels: it prints and writes what the session is like. Standard library only.

No value of a variable or a file leaves the session that could open something: of most variables only the names.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import pathlib
import shutil
import socket
import sys
import time
import typing

SECONDS = 1.0
"""How long it goes on after its first lines; the check sets it."""
REPORT = "LIVE-CHECK "
"""Begins the line with what the check reads from the live log."""
SHOWN = (
    "HOME",
    "PATH",
    "PYTHONPATH",
    "PYTHONUSERBASE",
    "LC_ALL",
    "MPLBACKEND",
    "MKL_THREADING_LAYER",
    "KAGGLE_KERNEL_RUN_TYPE",
    "KAGGLE_URL_BASE",
    "KAGGLE_IS_COMPETITION_RERUN",
)
"""Variables whose values are reported."""
MANY_FILES = 25  # more than one page of a list
_DEPTH, _MOST = 7, 300  # of the tree of inputs


def tree(root: pathlib.Path) -> dict[str, int]:
    """Relative path -> size in bytes of each file, or -1 for a folder; not deeper than needed.

    A mount may be a link to a folder.
    """
    found: dict[str, int] = {}
    for folder, folders, files in os.walk(root, followlinks=True):
        relative = pathlib.Path(folder).relative_to(root)
        folders[:] = sorted(folders) if len(relative.parts) < _DEPTH and len(found) < _MOST else []
        found |= {(relative / name).as_posix(): -1 for name in folders}
        found |= {(relative / name).as_posix(): (root / relative / name).lstat().st_size for name in files[:_MOST]}
    return found


def can_write(folder: pathlib.Path) -> bool | str:
    probe = folder / "live-check-probe"
    try:
        probe.write_text("x")
        probe.unlink()
    except OSError as error:
        return type(error).__name__
    return True


def has_internet() -> bool | str:
    try:
        socket.create_connection(("1.1.1.1", 443), timeout=3).close()
    except OSError as error:
        return type(error).__name__
    return True


def secret() -> str:
    """What asking for a secret that is not there raises."""
    try:
        from kaggle_secrets import UserSecretsClient

        UserSecretsClient().get_secret("LIVE_CHECK_NO_SUCH_LABEL")
    except BaseException as error:
        return type(error).__name__
    return "a value"


def memory() -> float:
    """GiB of this machine, or of the group that limits this process."""
    sizes = []
    if sys.platform != "win32":
        sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            sizes.append(int(pathlib.Path(name).read_text()))
    return round(min(sizes) / 2**30, 1)


def report(root: pathlib.Path) -> dict[str, typing.Any]:
    """`root` is /kaggle, or the folder that stands for it."""
    inputs = root / "input"
    found = tree(inputs)
    writable = (inputs, root / "src", root / "working", pathlib.Path.home())
    return {
        "argv": sys.argv[0],
        "file": globals().get("__file__", ""),
        "cwd": str(pathlib.Path.cwd()),
        "uid": getattr(os, "getuid", int)(),
        "variables": sorted(os.environ),
        "values": {name: os.environ[name] for name in SHOWN if name in os.environ},
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "packages": {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()},
        "programs": {name: bool(shutil.which(name)) for name in ("pip", "git")},
        "folders": {name: (root / name).is_dir() for name in ("temp", "lib", "working", "src", "input")},
        "writable": {str(folder): can_write(folder) for folder in writable},
        "internet": has_internet(),
        "secret": secret(),
        "memory": memory(),
        "disk": round(shutil.disk_usage("/tmp").free / 1e9, 1),
        "inputs": found,
        "rows": {name: (inputs / name).read_text() for name in found if name.endswith("/rows.csv")},
    }


def main() -> None:
    root = pathlib.Path(os.environ.get("COORD_KAGGLE_ROOT", "/kaggle"))
    print("tick", 1, flush=True)
    print("tick", 2, flush=True)
    print("of stderr", file=sys.stderr, flush=True)
    found = report(root)
    text = json.dumps(found)
    pathlib.Path("facts.json").write_text(text)
    print(REPORT + json.dumps({"inputs": found["inputs"], "rows": found["rows"]}), flush=True)
    folder = pathlib.Path("many")
    folder.mkdir()
    for number in range(MANY_FILES):
        (folder / f"{number:02}.txt").write_text(hashlib.sha256(bytes([number])).hexdigest())
    time.sleep(SECONDS)
    print("last line", flush=True)


if __name__ == "__main__":
    main()
