"""The Python that a session runs on: the installed one, with a writable layer of its own above the installed packages.

On Kaggle everyone is root and installs packages where the image has its own. Here those packages belong to somebody:
to the project, or to the system. So a session gets a virtual environment that is empty at first. Its packages come
before the installed ones, which it reads and never writes: pip finds them, takes them for satisfied requirements, and
installs another version of one of them beside it. What was installed is gone when the session ends.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

# Prints what `_facts` returns, for another interpreter.
_ASKS = """
import json, site, sys
base = getattr(sys, "_base_executable", None) or sys.executable
print(json.dumps([base, sys.prefix, sys.base_prefix, list(sys.version_info[:2]), sys.path]))
"""
_PACKAGES = ("site-packages", "dist-packages")
_OWN_PROGRAMS = ("python", "pip", "activate", "Activate", "deactivate")  # of each environment: starts of their names
_SYSTEM_PROGRAMS = (Path("/usr/bin"), Path("/bin"), Path("/usr/sbin"))  # on the path in any case, and thousands
_RUNS = ".run"
_PIP = "#!{python}\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"
# All programs of the installation are hard links to this one. The first lines of its scripts name the installed
# interpreter, which does not know the session's packages: so they are run with the session's. (If that name is long,
# the script is one of the shell, which starts the interpreter.)
_OTHERS = """#!{python}
import os, runpy, sys
path = os.path.join({folder!r}, os.path.basename(sys.argv[0]))
with open(path, "rb") as file:
    head = file.read(512)
if head.startswith(b"#!") and {own!r} in head:
    runpy.run_path(path, run_name="__main__")
else:
    os.execv(path, [path, *sys.argv[1:]])
"""


@dataclass(frozen=True)
class Interpreter:
    """An installed Python."""

    executable: Path
    """The program itself: without links, and no virtual environment's."""
    prefix: Path
    """Of the virtual environment, if it is one."""
    base: Path
    """The installation's folder, with the standard library."""
    version: str
    """For example "3.12"."""
    packages: tuple[Path, ...]
    """The folders of its packages, in the order in which they are searched."""

    @property
    def programs(self) -> Path:
        """The folder of the programs that came with its packages."""
        return self.prefix / "bin"


def interpreter(python: str) -> Interpreter:
    """What the interpreter `python` consists of.

    Its packages are those in folders that are made for them, without source trees (`pip install --editable`): Kaggle
    has none of those. Raises CalledProcessError if it does not run.
    """
    facts = _facts() if python == sys.executable else _asked(python)
    base, prefix, base_prefix, version, search = facts
    found = [Path(path) for path in search if Path(path).name in _PACKAGES and Path(path).is_dir()]
    return Interpreter(
        executable=Path(os.path.realpath(base)),
        prefix=Path(prefix),
        base=Path(base_prefix),
        version=".".join(map(str, version)),
        packages=tuple(dict.fromkeys(found)),
    )


def _facts() -> tuple[str, str, str, Sequence[int], list[str]]:
    base = str(getattr(sys, "_base_executable", None) or sys.executable)
    return base, sys.prefix, sys.base_prefix, sys.version_info[:2], sys.path


def _asked(python: str) -> tuple[str, str, str, Sequence[int], list[str]]:
    asked = subprocess.run([python, "-c", _ASKS], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=True)
    base, prefix, base_prefix, version, search = json.loads(asked.stdout)
    return base, prefix, base_prefix, version, search


@dataclass(frozen=True)
class Layer:
    """A session's own virtual environment."""

    folder: Path
    """Where it is made."""
    seen_at: PurePath
    """The same folder, as the session sees it."""
    home: PurePath
    """The session's home, as it sees it."""
    search: Sequence[PurePath]
    """Folders, as the session sees them, that are searched before the installed packages."""
    moved: Mapping[Path, PurePath]
    """Folders of the installation that the session sees elsewhere."""

    @property
    def python(self) -> PurePath:
        """The interpreter, as the session sees it."""
        return self.seen_at / "bin" / "python3"

    def make(self, installed: Interpreter, at_start: Sequence[Path] = ()) -> None:
        """Make the environment; every interpreter in it imports the modules `at_start`. The folder must not exist."""
        packages = self.folder / "lib" / f"python{installed.version}" / "site-packages"
        packages.mkdir(parents=True)
        (self.folder / "lib64").symlink_to("lib")
        # "no" is neither of the two values that pip knows: so it does not refuse --user, which it would with "false".
        lines = {
            "home": installed.executable.parent,
            "include-system-site-packages": "no",
            "version": installed.version,
        }
        (self.folder / "pyvenv.cfg").write_text(
            "".join(f"{name} = {value}\n" for name, value in lines.items()), "utf-8"
        )
        # Read by every interpreter when it starts, whatever options it has. A folder's own .pth files count, too.
        below = [f"site.addsitedir({str(self._seen(path))!r})" for path in installed.packages]
        first = map(str, [self.home / user_packages(installed), *self.search])
        text = "\n".join([*first, "; ".join(["import site", *below]), *_pip_wheel(installed)])
        (packages / "below.pth").write_text(f"{text}\n", encoding="utf-8")
        for module in at_start:
            shutil.copyfile(module, packages / module.name)
            (packages / f"{module.stem}.pth").write_text(f"import {module.stem}\n", encoding="utf-8")
        self._make_programs(installed)

    def _make_programs(self, installed: Interpreter) -> None:
        programs = self.folder / "bin"
        programs.mkdir()
        for name in ("python", "python3", f"python{installed.version}"):
            (programs / name).symlink_to(installed.executable)
        for name in ("pip", "pip3", f"pip{installed.version}"):
            _write_program(programs / name, _PIP.format(python=self.python))
        folder, own = str(self._seen(installed.programs)), os.fsencode(installed.programs / "python")
        _write_program(programs / _RUNS, _OTHERS.format(python=self.python, folder=folder, own=own))
        # There are many, and a hard link makes no file: on some file systems that takes a millisecond, a link none.
        here, is_linked = os.fspath(programs), True
        for name in _other_programs(installed):
            if is_linked := is_linked and _has_linked(f"{here}/{_RUNS}", f"{here}/{name}"):
                continue
            os.symlink(_RUNS, f"{here}/{name}")  # noqa: PTH211

    def _seen(self, path: Path) -> PurePath:
        """A path of the installation as the session sees it."""
        for folder, at in self.moved.items():
            if path.is_relative_to(folder):
                return at / path.relative_to(folder)
        return path


def user_packages(installed: Interpreter) -> Path:
    """Where `pip install --user` puts packages, below the home."""
    return Path(".local", "lib", f"python{installed.version}", "site-packages")


def _pip_wheel(installed: Interpreter) -> Iterator[str]:
    """A line for the wheel of pip that comes with Python, where no pip is installed: Kaggle's image has one."""
    if not any((folder / "pip").is_dir() for folder in installed.packages):
        folder = installed.base / "lib" / f"python{installed.version}" / "ensurepip" / "_bundled"
        yield from map(str, folder.glob("pip-*.whl"))


def _other_programs(installed: Interpreter) -> Iterator[str]:
    """The names of the programs that came with the installed packages (torchrun, jupyter, ...)."""
    folder = installed.programs
    if folder in _SYSTEM_PROGRAMS or not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(_OWN_PROGRAMS) and not entry.is_dir(follow_symlinks=False):
                yield entry.name


def _has_linked(file: str, path: str) -> bool:
    """Makes a hard link, and returns whether the file system has any."""
    try:
        os.link(file, path)
    except OSError:
        return False
    return True


def _write_program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
