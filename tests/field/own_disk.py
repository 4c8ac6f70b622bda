"""Runs `coord` in a project that lies on a file system of its own, which nobody else sees and which goes with it.

`python -m tests.field.own_disk MOUNT FOLDER PREPARATION WORD...`: a copy of FOLDER is there under the same path, and a
shell prepares it. The process must be root of a user namespace (`unshare --user --map-root-user --mount`).
"""

from __future__ import annotations

import ctypes
import os
import runpy
import subprocess
import sys

_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
_COVER = """
set -e
mount -t tmpfs -o size=16m,nr_inodes=1024 none "$1"
cp -a "$2/." "$1/"
mount --bind "$1" "$2"
cd "$2"
eval "$3"
"""


def main() -> None:
    """Covers the folder for this process alone, and becomes `coord` in it."""
    mount, folder, preparation, *words = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "unshare")
    subprocess.run(["sh", "-c", _COVER, "sh", mount, folder, preparation], check=True)
    os.chdir(folder)
    sys.argv[1:] = words
    runpy.run_module("coordinator", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
