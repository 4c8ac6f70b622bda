"""Finds the wheels that requirements need beside the image's packages, with pip's resolver.

The image's packages are put before pip as wheels without content, in a folder, with one constraint each: so pip takes
them where a requirement allows their version, downloads nothing of them, and names the ones that are in the way. A
package that the requirements name themselves in another version than the image's replaces that one.
"""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from coordinator.bundle import Image, normalised
from coordinator.wheels.run_pip import PLATFORMS, run_pip

_NO_EXTRA = re.compile(r"^WARNING: (\S+) \S+ does not provide the extra", re.MULTILINE)


@dataclass(frozen=True)
class Found:
    """A wheel that is needed."""

    name: str
    """Normalised."""
    version: str
    file: str
    sha256: str | None
    """None if the index does not say."""


@dataclass(frozen=True)
class Resolution:
    """All that the requirements need."""

    wheels: tuple[Found, ...]
    """What the image lacks."""
    image: dict[str, str | None]
    """Packages of the image that are needed, or replaced."""


def resolve(requirements: Sequence[Requirement], image: Image, say: Callable[[str], None]) -> Resolution:
    """Resolves the requirements. Raises the errors of `run_pip`."""
    versions = {name: version for name, version in image.packages.items() if version and _is_version(version)}
    # Their own requirements are unknown, and so are those of their extras: then the index has to say.
    open_ = {name for each in requirements if each.extras and (name := normalised(each.name)) in versions}
    while True:
        report, missing = _asked(requirements, image, versions, open_)
        if missing <= open_:
            break
        open_ |= missing
    found, image_has = [], {}
    for item in report["install"]:
        name, version = normalised(item["metadata"]["name"]), item["metadata"]["version"]
        url = urlsplit(item["download_info"]["url"])
        file = unquote(url.path).rpartition("/")[2]
        if name in image.packages:
            image_has[name] = image.packages[name]
        if _is_stub(file) or (name in versions and _public(versions[name]) == _public(version)):
            continue
        hashes = item["download_info"].get("archive_info", {}).get("hashes", {})
        found.append(Found(name, version, file, hashes.get("sha256")))
        if name in image.packages:
            has = f"the image has {image.packages[name] or 'it in a version that its table does not know'}"
            say(f"{name} {version} will be used before the image's: {has}")
    return Resolution(tuple(sorted(found, key=lambda each: each.file)), dict(sorted(image_has.items())))


def _asked(
    requirements: Sequence[Requirement], image: Image, versions: dict[str, str], open_: Collection[str]
) -> tuple[dict[str, Any], set[str]]:
    """(pip's report, packages of the image whose extras something needs)."""
    with tempfile.TemporaryDirectory(prefix="coord-wheels-") as temporary:
        folder = Path(temporary)
        links, constraints, report = folder / "image", folder / "constraints.txt", folder / "report.json"
        links.mkdir()
        for name, version in versions.items():
            if name not in open_:
                _write_stub(links, image, name, version)
        kept = _constraints(requirements, versions, open_)
        constraints.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        output = run_pip(
            image,
            folder,
            [
                *("install", "--dry-run", "--report", str(report), "--target", str(folder / "target")),
                *("--find-links", str(links), "--constraint", str(constraints)),
            ],
            [str(requirement) for requirement in requirements],
        )
        missing = {normalised(name) for name in _NO_EXTRA.findall(output)} & set(versions)
        return json.loads(report.read_text(encoding="utf-8")), missing


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


def _is_stub(file: str) -> bool:
    return f"-{_BUILD}-" in file
