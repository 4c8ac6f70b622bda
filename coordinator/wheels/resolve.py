"""Finds the wheels that requirements need beside the image's packages, with pip's resolver.

The image's packages are put before pip as wheels without content, in a folder, with one constraint each: so pip takes
them where a requirement allows their version, downloads nothing of them, and names the ones that are in the way. A
package that the requirements name themselves in another version than the image's replaces that one.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename
from packaging.version import InvalidVersion, Version

from coordinator.bundle import Image, normalised
from coordinator.wheels.downloads import Downloads
from coordinator.wheels.run_pip import PLATFORMS, run_pip

_NO_EXTRA = re.compile(r"^WARNING: (\S+) \S+ does not provide the extra", re.MULTILINE)


def resolve(
    requirements: Sequence[Requirement],
    image: Image,
    folder: Path,
    say: Callable[[str], None],
    downloads: Downloads,
) -> dict[str, str | None]:
    """Downloads the wheels that the image lacks into the empty folder.

    Returns the packages of the image that are needed or replaced, with their versions. Raises the errors of `run_pip`.
    """
    versions = {name: version for name, version in image.packages.items() if version and _is_version(version)}
    # Their own requirements are unknown, and so are those of their extras: then the index has to say.
    open_ = {name for each in requirements if each.extras and (name := normalised(each.name)) in versions}
    while (missing := _download(requirements, image, folder, versions, open_, downloads)) - open_:
        open_ |= missing
        for file in folder.iterdir():
            file.unlink()
    of_image = {}
    for file in sorted(folder.iterdir()):
        name, version = named(file)
        if name in image.packages:
            of_image[name] = image.packages[name]
        if _is_stub(file) or (name in versions and _public(versions[name]) == _public(version)):
            file.unlink()
        elif name in image.packages:
            has = image.packages[name] or "it in a version that its table does not know"
            say(f"{name} {version} will be used before the image's: the image has {has}")
    return of_image


def named(file: Path) -> tuple[str, str]:
    """(name as PEP 503 says, version) of a wheel's file."""
    name, version, *_ = parse_wheel_filename(file.name)
    return str(name), str(version)


def _download(
    requirements: Sequence[Requirement],
    image: Image,
    folder: Path,
    versions: dict[str, str],
    open_: Collection[str],
    downloads: Downloads,
) -> set[str]:
    """Fills the folder; returns the packages of the image whose extras something needs."""
    with tempfile.TemporaryDirectory(prefix="coord-wheels-") as temporary:
        links, constraints = Path(temporary, "image"), Path(temporary, "constraints.txt")
        links.mkdir()
        for name, version in versions.items():
            if name not in open_:
                _write_stub(links, image, name, version)
        kept = _constraints(requirements, versions, open_)
        constraints.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8", newline="\n")
        options = ["--dest", str(folder), "--find-links", str(links), "--constraint", str(constraints)]
        output = run_pip(image, Path(temporary), ["download", *options, *map(str, requirements)], downloads)
        return {normalised(name) for name in _NO_EXTRA.findall(output)} & set(versions)


def _constraints(requirements: Sequence[Requirement], versions: dict[str, str], open_: Collection[str]) -> list[str]:
    """The image's versions, but of packages that the requirements want in another one."""
    wanted = {normalised(each.name) for each in requirements if not _allows(each, versions)}
    return [
        f"{name}=={_public(version) if name in open_ else version}"
        for name, version in versions.items()
        if name not in wanted
    ]


def _allows(requirement: Requirement, versions: dict[str, str]) -> bool:
    version = versions.get(normalised(requirement.name))
    return version is None or requirement.specifier.contains(version, prereleases=True)


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _public(version: str) -> str:
    """Without what a build adds for itself, as in 2.10.0+cu128."""
    return Version(version).public


_BUILD = "999999coord"
"""The build number of wheels without content: of several wheels of one version, pip takes the one with the highest."""


def _write_stub(links: Path, image: Image, name: str, version: str) -> None:
    tag = f"cp{image.python.replace('.', '')}"
    tag = f"{tag}-{tag}-{PLATFORMS[0]}"  # no other wheel is more special
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(links / f"{stem}-{_BUILD}-{tag}.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


def _is_stub(file: Path) -> bool:
    return f"-{_BUILD}-" in file.name
