"""Isolation: a session in namespaces of its own, made by bubblewrap, which look like Kaggle's machine.

They have a read-only root with the system's programs and the interpreter that runs the session, a `/kaggle`, a private
home, `/tmp`, `/dev/shm` and `/proc`, a host name of their own, and with the internet off no network but the loopback.
Their user is root, as on Kaggle, but only inside: he has the rights of whoever started the session, and less. The rest
of this machine (homes, projects, credentials, other processes) is not visible.

Kaggle gives a session a container; this needs no daemon, no image, and no rights but making user namespaces. (`unshare`
of util-linux makes the namespaces, too, but it neither mounts the folders nor brings up a loopback.)
"""

import functools
import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runner_test.sessions import notebook, probe
from runner_test.sessions.interpreter import Interpreter
from runner_test.sessions.layout import INPUT, KAGGLE, SRC, WORKING
from runner_test.sessions.shared import Shared
from runner_test.settings import Settings
from runner_test.state import files

HOME = PurePosixPath("/root")
TEMPORARY = PurePosixPath("/tmp")
IMAGE = PurePosixPath("/image")
"""Where a session sees what stands for Kaggle's image: its Python, the installed packages, Kaggle's own modules."""
PYTHON = IMAGE / "python"
MODULES = IMAGE / "kaggle"
NOTEBOOK_PROGRAM = IMAGE / "run_notebook.py"
_USER = "0"
_HOST = "kaggle"

# The folders and files of the system that programs need; none that may hold a secret.
_SYSTEM = ("/usr", "/opt", "/nix/store")
_LINKS_OR_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = (
    "alternatives", "ca-certificates", "crypto-policies", "fonts", "host.conf", "ld.so.cache", "ld.so.conf",
    "ld.so.conf.d", "ld-nix.so.preload", "localtime", "magic", "mime.types", "nsswitch.conf", "OpenCL",
    "pki/ca-trust", "pki/tls/cert.pem", "pki/tls/certs", "pki/tls/openssl.cnf", "protocols", "resolv.conf", "services",
    "ssl/cert.pem", "ssl/certs", "ssl/openssl.cnf", "static", "timezone", "vulkan",
)  # fmt: skip
_DEVICES = ("nvidia*", "dri", "kfd", "accel*", "vfio", "dxg")  # GPUs and TPUs: patterns in /dev

_OWN_ETC = {
    "passwd": f"root:x:0:0:root:{HOME}:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
}


def hosts(*names: str) -> str:
    """The text of `/etc/hosts`, in which the loopback has `names`, too.

    The host's name leads to the loopback: programs that find their peers by it, such as torch's process groups, would
    get an address of the network that is missing here.
    """
    return f"127.0.0.1 {' '.join(('localhost', _HOST, *names))}\n::1 localhost\n"


@functools.cache
def problem() -> str | None:
    """Why sessions can't be isolated on this machine, or None if they can. It is tried once a process."""
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap is not installed (on Debian and Ubuntu: apt install bubblewrap)"
    why = probe.failure([program, *_namespaces(internet=False), *_system(), *_kernel_folders(1 << 20), "true"])
    return why and f"bubblewrap may not make namespaces here: {why}"


def possible(settings: Settings) -> bool:
    """Whether a session with these settings is isolated."""
    return settings.isolation == "auto" and problem() is None


def warning(settings: Settings) -> str | None:
    """A warning that sessions are not isolated, or None if they are or should not be."""
    why = problem() if settings.isolation == "auto" else None
    if why is None:
        return None
    return (
        "the local Kaggle's sessions are not isolated on this machine: whatever is pushed to it runs as you, with your "
        f"files and your network. {why[0].upper()}{why[1:]}; "
        'isolation = "none" in [tool.coord.local] turns this warning off.'
    )


def first_warning(root: Path, settings: Settings) -> str | None:
    """The warning, unless it was already shown for the store below `root`."""
    text = warning(settings)
    told = root / "told-isolation"
    if text is None or (told.exists() and told.read_text(encoding="utf-8") == text):
        return None
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.write_text(told, text)
    return text


@dataclass(frozen=True)
class Container:
    """The namespaces of one session."""

    root: Path
    """The session's folders (layout.py), which become `/kaggle`."""
    scratch: Path
    """Has the folders `home`, `tmp`, `python` and `kaggle`, for the home, `/tmp`, the session's own Python and Kaggle's
    own modules."""
    inputs: Mapping[str, Path]
    """Folders to mount, by path below `/kaggle/input`."""
    installed: Interpreter
    """The interpreter that must be there."""
    internet: bool
    memory: float
    """Bytes that `/dev/shm` may hold."""
    shared: Shared | None = None

    def enclose(self, program: Sequence[str]) -> tuple[list[str], int]:
        """The command that runs the command `program` in the namespaces, and an open file that it must inherit.

        Its exit code is the program's, or 128 + n where signal n ended it. The file has bubblewrap's arguments: its
        command line, which the session can read, would show it this machine's folders.
        """
        etc = self.scratch / "etc"
        etc.mkdir()
        for name, text in (_OWN_ETC | {"hosts": hosts()}).items():
            (etc / name).write_text(text, encoding="ascii")
        own = {name: etc / name for name in (*_OWN_ETC, "hosts")}
        with_other: list[str] = []
        if self.shared is not None:
            own["hosts"] = self.shared.hosts
            how = "--bind" if self.shared.writable else "--ro-bind"
            with_other = [how, str(self.shared.folder), str(KAGGLE / "shared")]
        visible: list[str | Path] = [*_installation(self.installed), *_library_folders()]
        mounts = [(str(folder), str(KAGGLE / INPUT / mount)) for mount, folder in self.inputs.items()]
        arguments = [
            *_namespaces(internet=self.internet or self.shared is not None),
            *_system(),
            *(part for name in _ETC for part in _read_only(f"/etc/{name}")),
            *(part for name, file in own.items() for part in ("--ro-bind", str(file), f"/etc/{name}")),
            *_kernel_folders(self.memory),
            *("--bind", str(self.scratch / "tmp"), str(TEMPORARY), "--symlink", str(TEMPORARY), "/var/tmp"),
            *("--bind", str(self.scratch / "home"), str(HOME)),
            *(part for path in visible for part in _read_only(path)),
            *("--bind", str(self.scratch / "python"), str(PYTHON)),
            *("--ro-bind", str(self.scratch / "kaggle"), str(MODULES)),
            *("--ro-bind", notebook.PROGRAM, str(NOTEBOOK_PROGRAM)),
            *(part for folder, at in moved(self.installed).items() for part in ("--ro-bind", str(folder), str(at))),
            # Writable: a program may make folders below /kaggle, as on Kaggle; they are not output. The working folder
            # is a mount of its own, as on Kaggle: else it could be renamed, and a link to any folder of this machine
            # put in its place.
            *("--bind", str(self.root), str(KAGGLE)),
            *("--bind", str(self.root / WORKING), str(KAGGLE / WORKING)),
            *(part for name in (SRC, INPUT) for part in ("--ro-bind", str(self.root / name), str(KAGGLE / name))),
            *(part for folder, at in mounts for part in ("--ro-bind", folder, at)),
            *with_other,
            *("--remount-ro", "/", "--chdir", str(KAGGLE / WORKING)),
        ]
        file = _memory_file()
        os.write(file, b"".join(os.fsencode(argument) + b"\0" for argument in arguments))
        os.lseek(file, 0, os.SEEK_SET)
        return [shutil.which("bwrap") or "bwrap", "--args", str(file), "--", *program], file


def _memory_file() -> int:
    """The descriptor of a new file that is nowhere on the disk."""
    descriptor = -1
    if sys.platform == "linux":  # bubblewrap is there only
        descriptor = os.memfd_create("arguments")
    return descriptor


def moved(installed: Interpreter) -> dict[Path, PurePosixPath]:
    """The folders of packages and programs that a session sees below IMAGE: those that lie in somebody's project."""
    found = {path: IMAGE / f"packages-{number}" for number, path in enumerate(installed.packages)}
    if installed.programs.is_dir():
        found[installed.programs] = IMAGE / "programs"
    stay = (*map(Path, (*_SYSTEM, *_LINKS_OR_FOLDERS)), installed.base)
    return {path: at for path, at in found.items() if not any(path.is_relative_to(folder) for folder in stay)}


def _namespaces(*, internet: bool) -> list[str]:
    """All kinds of namespaces; their processes end with the first one, which ends with bubblewrap."""
    return [
        # Without capabilities, which bubblewrap leaves to a real root: the user inside could undo the mounts.
        *("--unshare-user", "--uid", _USER, "--gid", _USER, "--cap-drop", "ALL"),
        *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", _HOST, "--unshare-cgroup-try"),
        *(() if internet else ("--unshare-net",)),
        "--die-with-parent",
    ]


def _system() -> list[str]:
    found = [part for path in _SYSTEM for part in _read_only(path)]
    for path in map(Path, _LINKS_OR_FOLDERS):
        found += ["--symlink", str(path.readlink()), str(path)] if path.is_symlink() else _read_only(path)
    return found


def _read_only(path: str | Path) -> list[str]:
    return ["--ro-bind-try", str(path), str(path)]


def _kernel_folders(memory: float) -> list[str]:
    """`/proc`, `/dev`, `/sys`, and a `/dev/shm` of `memory` bytes.

    Worker processes exchange arrays in `/dev/shm`, for which a container's usual 64 MiB are too few.
    """
    devices = sorted(str(path) for pattern in _DEVICES for path in Path("/dev").glob(pattern))
    size = ["--size", str(int(memory))] if memory < math.inf else []
    return [
        *("--proc", "/proc", "--dev", "/dev", "--ro-bind", "/sys", "/sys"),
        *(part for path in devices for part in ("--dev-bind-try", path, path)),
        *("--perms", "1777", *size, "--tmpfs", "/dev/shm"),
    ]


def _library_folders() -> list[str]:
    return [path for path in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if path.startswith("/")]


def _installation(installed: Interpreter) -> list[Path]:
    """The folders of the interpreter itself, which stay where they are: its program knows its own path."""
    there = (*_SYSTEM, *_LINKS_OR_FOLDERS)
    program = installed.executable.parent
    found = [installed.base] if program.is_relative_to(installed.base) else [installed.base, program]
    return [path for path in found if not any(path.is_relative_to(folder) for folder in there)]
