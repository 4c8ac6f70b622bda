"""The verb wheels: resolves what the settings require, downloads it, and locks it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from coordinator.bundle import Image, image_of, place
from coordinator.errors import ProjectError
from coordinator.files import held, write_atomically
from coordinator.progress import Progress, show_nothing
from coordinator.project import Project, plain
from coordinator.wheels.downloads import Downloads
from coordinator.wheels.lock import MANIFEST, Lock, Wheel, parsed, read_lock, why_outdated
from coordinator.wheels.resolve import named, resolve
from coordinator.wheels.run_pip import run_pip


@dataclass(frozen=True)
class Prepared:
    """Wheels that are locked and on this machine."""

    lock: Lock
    folder: Path | None
    """What is pushed as a data set: the wheels and a copy of the lock; None if the image has all that is required."""
    is_new: bool
    """Whether the requirements were resolved now."""


def prepare_wheels(
    project: Project, *, upgrade: bool, say: Callable[[str], None], progress: Progress = show_nothing
) -> Prepared:
    """Resolves the requirements if that is not done yet, or `upgrade` asks for newer versions, and downloads.

    Raises ProjectError if they cannot be resolved, and the errors of `run_pip`.
    """
    requirements = project.settings.requirements
    if not requirements:
        raise ProjectError(
            f"{project.relative(project.pyproject)} requires no packages",
            hint='Name what the image lacks: requirements = ["lightgbm>=4"] in [tool.coord].',
        )
    wanted, image = parsed(requirements), image_of(project)
    with held(project.resolving_lock, wait=True):
        lock = read_lock(project.wheels_lock)
        why = "" if lock is None else why_outdated(lock, requirements, image)
        if why:
            say(f"{project.relative(project.wheels_lock)} is outdated: {why}")
        if lock is not None and why is None and not upgrade:
            return Prepared(lock, _folder_of(project, image, lock, say, progress), is_new=False)
        say(f"resolving {', '.join(requirements)} for {image}")
        with _new_folder(project) as new:
            with progress(downloads := Downloads("resolving")):
                of_image = resolve(wanted, image, new, say, downloads)
            lock = Lock(requirements, image.python, of_image, tuple(map(_wheel, sorted(new.iterdir()))))
            folder = _kept(project, lock, new)
        write_atomically(project.wheels_lock, lock.to_json())
        for warning in _told(lock.wheels, folder) if folder else ():
            say(f"warning: {warning}")
        return Prepared(lock, folder, is_new=True)


def _folder_of(
    project: Project, image: Image, lock: Lock, say: Callable[[str], None], progress: Progress
) -> Path | None:
    """The folder of the locked wheels, which are downloaded if they are not there."""
    folder = project.wheels(lock.slug)
    if not lock.wheels or folder.is_dir():
        return folder if lock.wheels else None
    say(f"downloading {lock.shown}")
    total = sum(wheel.bytes for wheel in lock.wheels)
    with _new_folder(project) as new, progress(downloads := Downloads("downloading", total)):
        _download(image, lock, new, downloads)
        return _kept(project, lock, new)


@contextlib.contextmanager
def _new_folder(project: Project) -> Iterator[Path]:
    """A folder beside those of other sets of wheels, which is removed at the end unless it was renamed."""
    above = project.wheels("new").parent
    above.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=above, prefix=".new-"))
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _download(image: Image, lock: Lock, folder: Path, downloads: Downloads) -> None:
    """Puts the locked wheels into the folder. Raises ProjectError if the index has others now."""
    with tempfile.TemporaryDirectory(prefix="coord-wheels-") as temporary:
        listed = Path(temporary, "requirements.txt")
        lines = [f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in lock.wheels]
        listed.write_text("".join(lines), encoding="utf-8", newline="\n")
        words = ["download", "--no-deps", "--dest", str(folder), "--requirement", str(listed)]
        run_pip(image, Path(temporary), words, downloads)
    for wheel in lock.wheels:
        if not (folder / wheel.file).is_file() or _sha256(folder / wheel.file) != wheel.sha256:
            raise ProjectError(f"the index has no {wheel.file} any more", hint="Resolve anew: coord wheels --upgrade")


def _kept(project: Project, lock: Lock, new: Path) -> Path | None:
    """Gives the folder its name; the folders of other sets are removed, as they may be large."""
    folder = project.wheels(lock.slug) if lock.wheels else None
    if folder is not None and not folder.is_dir():
        listed = json.dumps({"wheels": plain(lock.wheels)}, indent=2, ensure_ascii=False) + "\n"
        (new / MANIFEST).write_text(listed, encoding="utf-8", newline="\n")
        new.chmod(0o755)
        new.rename(folder)
    for other in new.parent.iterdir():
        if other not in (folder, new):
            shutil.rmtree(other, ignore_errors=True)
    return folder


def _wheel(file: Path) -> Wheel:
    modules = tuple(sorted({name for path in _paths(file) if (name := _module(path))}))
    return Wheel(file.name, *named(file), file.stat().st_size, _sha256(file), modules)


def _paths(file: Path) -> list[PurePosixPath]:
    """Where the wheel's files will lie below the folder in which Python finds modules."""
    with zipfile.ZipFile(file) as wheel:
        return [PurePosixPath(place(PurePosixPath(name))) for name in wheel.namelist()]


def _module(path: PurePosixPath) -> str | None:
    """The top-level module that a file of a wheel belongs to."""
    name = path.parts[0].partition(".")[0]
    is_module = path.suffix in (".py", ".so", ".pyi") and not path.parts[0].endswith((".dist-info", ".data"))
    return name if is_module and name.isidentifier() else None


def _told(wheels: Sequence[Wheel], folder: Path) -> Iterator[str]:
    """What will not work as in an installation."""
    for wheel in wheels:
        start_up = [path for path in _paths(folder / wheel.file) if path.suffix == ".pth" and len(path.parts) == 1]
        if start_up:
            yield (
                f"{wheel.name} {wheel.version} has {start_up[0]}, which Python reads in site-packages only: what it "
                "does there will be missing"
            )


def _sha256(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
