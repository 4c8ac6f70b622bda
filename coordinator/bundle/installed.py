"""Installs the wheels of an attached data set, without a network, before the program starts.

They are unpacked into a folder of this process, which Python searches before its own site-packages, in child processes,
too; nothing else is changed. The kernel lists their SHA-256. (pip would need twice the time and the space, may be
missing, and refuses all of them if one is for another Python.)

This code uses the standard library only. It is a part of the kernels that need it, and coord imports it as a module for
its tests.
"""

import hashlib
import importlib.metadata
import os
import shutil
import sys
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from coordinator.bundle.attached import attached
from coordinator.bundle.bootstrap import own_folder

Wheel = Mapping[str, str]
"""`file`, `sha256`, `name`, `version`."""
ELSEWHERE = {"purelib": "", "platlib": "", "data": "", "scripts": "bin/", "headers": "include/"}
"""Where the folders of a wheel's `.data` folder go."""


def install(slug: str, wheels: Sequence[Wheel]) -> None:
    """Makes the wheels of that data set importable. One that is missing or damaged ends the run."""
    if "__file__" not in globals():
        return  # in a cell of a notebook: the script that it starts does this
    wanted = [wheel for wheel in wheels if fits(wheel["file"]) or not has_already(wheel)]
    if not wanted:
        return
    folder = unpacked(attached(slug, [wheel["file"] for wheel in wanted]), wanted)
    sys.path.insert(0 if sys.flags.safe_path else 1, str(folder))
    for variable, path in (("PYTHONPATH", folder), ("PATH", folder / "bin")):
        os.environ[variable] = os.pathsep.join(filter(None, [str(path), os.environ.get(variable)]))
    importlib.invalidate_caches()


def fits(file: str) -> bool:
    """Whether this Python, on this machine, can use the wheel of that name: by the tags at its end."""
    pythons, abis, platforms = (part.split(".") for part in file.removesuffix(".whl").rsplit("-", 3)[-3:])
    machine = "of no other system"
    if sys.platform == "linux":
        machine = f"_{os.uname().machine}"
    if not any(platform == "any" or platform.endswith(machine) for platform in platforms):
        return False
    major, minor = sys.version_info[:2]
    for python in pythons:
        version = python[3:]
        if python == f"py{major}" or (python == f"cp{major}{minor}"):
            return True
        is_open = python.startswith(f"py{major}") or (python.startswith(f"cp{major}") and "abi3" in abis)
        if is_open and version.isdigit() and int(version) <= minor:
            return True
    return False


def has_already(wheel: Wheel) -> bool:
    """Whether this Python has the package, if in another version: on a machine that is not like the image that will do.

    It ends the run if not.
    """
    here = f"Python {sys.version_info[0]}.{sys.version_info[1]} on {sys.platform}"
    try:
        version = importlib.metadata.version(wheel["name"])
    except importlib.metadata.PackageNotFoundError:
        raise SystemExit(
            f"coord: {wheel['file']} is not for {here}, and {wheel['name']} is not installed here. In Kaggle's image: "
            "coord image refresh LOG, then coord wheels. On another machine: install it, or use the image's Python"
        ) from None
    sys.stderr.write(f"coord: {wheel['file']} is not for {here}: {wheel['name']} {version} of this Python is used\n")
    return True


def unpacked(mount: Path, wheels: Sequence[Wheel]) -> Path:
    """A new folder with the content of the wheels, which is removed when the process ends."""

    def fill(folder: Path) -> None:
        with ThreadPoolExecutor() as pool:
            files, digests = zip(*((mount / wheel["file"], wheel["sha256"]) for wheel in wheels), strict=True)
            list(pool.map(unpack, files, digests, [folder] * len(wheels)))
        write_commands(folder)

    return own_folder("wheels", fill)


def unpack(file: Path, sha256: str, folder: Path) -> None:
    """Unpacks one wheel, if it has this SHA-256."""
    digest = hashlib.sha256()
    with file.open("rb") as data:
        while block := data.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != sha256:
        raise SystemExit(f"coord: {file} is not the wheel that was locked (its SHA-256 differs): coord wheels")
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            path = PurePosixPath(member.filename)
            if member.is_dir() or path.is_absolute() or ".." in path.parts:
                continue
            at = folder / place(path)
            at.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, at.open("wb") as out:
                first = source.readline() if at.parent == folder / "bin" else b""
                out.write(f"#!{sys.executable}\n".encode() if first.startswith(b"#!python") else first)
                shutil.copyfileobj(source, out, 1 << 20)
            if member.external_attr >> 16 & 0o111 or at.parent == folder / "bin":
                at.chmod(0o755)


def place(path: PurePosixPath) -> str:
    """Where a file of a wheel belongs, relative to the folder of all."""
    first, *rest = path.parts
    if len(rest) < 2 or not first.endswith(".data"):
        return str(path)
    return ELSEWHERE.get(rest[0], f"{rest[0]}/") + "/".join(rest[1:])


def write_commands(folder: Path) -> None:
    """Writes the commands that the packages' entry points name."""
    for distribution in importlib.metadata.distributions(path=[str(folder)]):
        for point in distribution.entry_points:
            module, _, function = point.value.partition(" ")[0].partition(":")
            if point.group == "console_scripts" and function:
                command = folder / "bin" / point.name
                command.parent.mkdir(exist_ok=True)
                first = function.partition(".")[0]
                text = f"#!{sys.executable}\nimport sys\nfrom {module} import {first}\nsys.exit({function}())\n"
                command.write_text(text, encoding="utf-8")
                command.chmod(0o755)
