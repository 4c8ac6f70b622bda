"""Installed pure-Python distributions as files of the bundle, for what the kernel's image lacks.

They lie in the bundle as they lie in site-packages, metadata and licence files included: imports, package data and
`importlib.metadata` work as they do here. What only an installation has (commands, files outside site-packages, its
record) is left out.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from coordinator.bundle.files import SourceFile
from coordinator.bundle.image import Image, normalised
from coordinator.bundle.secrets import Guard
from coordinator.bundle.sizes import FOUND_MAX
from coordinator.errors import BundleError

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

_NATIVE = {".so", ".pyd", ".dll", ".dylib", ".a", ".lib", ".o"}
# They describe this installation, not the distribution; with them the bundle would differ from machine to machine.
_OF_THE_INSTALLATION = {"RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED", "direct_url.json"}
_OF_THE_INSTALLATION |= {"uv_cache.json", "uv_build.json"}


@dataclass(frozen=True)
class Vendored:
    """What goes into the bundle beside the project's own files."""

    files: tuple[SourceFile, ...] = ()
    """Sorted by path."""
    modules: frozenset[str] = frozenset()
    """Their top-level names."""
    needs: tuple[str, ...] = ()
    """Without an image: what they need that is not vendored, a sentence each."""


def vendored(root: Path, names: Sequence[str], *, image: Image | None = None, extra: Collection[str] = ()) -> Vendored:
    """The files of installed distributions, given as "einops" or "einops==0.8.2".

    `image` and `extra` (what the kernel has beside the image) must have what they need; without an image, the needs are
    those of the Python here. Raises BundleError, with all problems, if one is not installed, is another version, is
    not pure Python, was not installed from a wheel, needs what the kernel lacks, hides a module of the project at
    `root`, or holds what looks like a secret.
    """
    if not names:
        return Vendored()
    chosen = [_find(name) for name in names]
    problems = [problem for _, found in chosen for problem in _unfit(found)]
    missing = [] if problems else list(_missing(chosen, image, {normalised(name) for name in extra}))
    if image:
        problems += missing
    if problems:
        raise BundleError(
            "\n".join(["what vendor names cannot go into the bundle:", *(f"  {problem}" for problem in problems)]),
            hint="Add what is missing to vendor, or bring all as wheels: requirements in [tool.coord], coord wheels.",
        )
    files: dict[str, SourceFile] = {}
    modules: set[str] = set()
    for _, found in chosen:
        for file in _files(found):
            if files.setdefault(file.path, file) != file:
                raise BundleError(f"vendor: {file.path} is in two of the distributions, and not the same")
        modules |= _modules(found)
    _check_not_local(root, modules)
    packed = tuple(files[path] for path in sorted(files))
    # METADATA has the project's page as everybody can read it, with addresses of badges that hold tokens.
    Guard(root).check(file for file in packed if not file.path.endswith(".dist-info/METADATA"))
    return Vendored(packed, frozenset(modules), needs=() if image else tuple(missing))


def why_not_pure(distribution: Distribution) -> str | None:
    """Why an installed distribution cannot be vendored; None if it can."""
    if _is_editable(distribution):
        return "is installed as editable: install it without -e, or put its source into the project"
    if not distribution.read_text("RECORD"):
        return "was not installed from a wheel (it has no RECORD): install it again with pip"
    recorded = _recorded(distribution)
    native = next(filter(_is_native, recorded), None)
    if native is not None:
        return f"is not pure Python ({native})"
    wheel = distribution.read_text("WHEEL") or ""
    if "root-is-purelib: false" in wheel.lower():
        return "is not pure Python (its wheel was built for one platform)"
    start_up = next((path for path in recorded if path.suffix == ".pth" and len(path.parts) == 1), None)
    return f"works only in site-packages ({start_up} is read when Python starts)" if start_up else None


def _find(name: str) -> tuple[Requirement, Distribution]:
    from importlib.metadata import PackageNotFoundError, distribution

    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(name)
    except InvalidRequirement as error:
        raise BundleError(f'vendor: "{name}" is not a distribution: {str(error).splitlines()[0]}') from error
    if requirement.url or requirement.marker:
        raise BundleError(f'vendor: "{name}" must be a name, or a name with a version such as "einops==0.8.2"')
    try:
        found = distribution(requirement.name)
    except PackageNotFoundError as error:
        raise BundleError(
            f'vendor: "{requirement.name}" is not installed here', hint=f"Run: pip install '{name}'"
        ) from error
    if not _fits(requirement.specifier, found.version):
        raise BundleError(
            f'vendor: "{name}", but {found.name} {found.version} is installed here',
            hint=f"Run: pip install '{name}'",
        )
    return requirement, found


def _unfit(found: Distribution) -> Iterator[str]:
    why = why_not_pure(found)
    if why is not None:
        yield f"{found.name} {found.version} {why}"
        return
    files = [Path(str(found.locate_file(path))) for path in _packed(found)]
    size = sum(file.stat().st_size for file in files if file.is_file())
    if size > FOUND_MAX:
        yield f"{found.name} {found.version} has {size:,} bytes, and a bundle takes in {FOUND_MAX:,} at most"


def _missing(chosen: Sequence[tuple[Requirement, Distribution]], image: Image | None, extra: set[str]) -> Iterator[str]:
    """What the chosen distributions require and the kernel will not have, another Python than the image's included."""
    from packaging.requirements import InvalidRequirement, Requirement

    there: dict[str, str | None] = {**(image.packages if image else {}), **dict.fromkeys(extra)}
    there |= {normalised(found.name): found.version for _, found in chosen}
    for wanted, found in chosen:
        label = f"{found.name} {found.version}"
        versions = "".join(found.metadata.get_all("Requires-Python") or [])
        # Only major and minor are known; the image has one of the last micro versions.
        if image and not _fits(versions, f"{image.python}.99"):
            yield f"{label} needs Python {versions}, the image has {image.python}"
        for text in found.requires or []:
            try:
                need = Requirement(text)
            except InvalidRequirement:
                yield f"{label} needs something that cannot be read: {text}"
                continue
            if not any(_applies(need, image, one) for one in ("", *wanted.extras)):
                continue
            name, version = normalised(need.name), there.get(normalised(need.name))
            if name not in there:
                yield f"{label} needs {_bare(need)}, which is {'neither in the image nor' if image else 'not'} vendored"
            elif version is not None and not _fits(need.specifier, version):
                yield f"{label} needs {_bare(need)}, but {need.name} {version} is there"


def _fits(specifier: SpecifierSet | str, version: str) -> bool:
    """Whether the version is one of those; True where one of the two does not follow PEP 440."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(str(specifier)).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True


def _applies(need: Requirement, image: Image | None, extra: str) -> bool:
    """Whether the requirement's marker holds in the image; without one, here."""
    environment = marker_environment(image) if image else {}
    return need.marker is None or need.marker.evaluate({**environment, "extra": extra})


def marker_environment(image: Image) -> dict[str, str]:
    """The variables of markers (PEP 508) in the image."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{image.python}.0",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{image.python}.0",
        "python_version": image.python,
        "sys_platform": "linux",
    }


def _bare(need: Requirement) -> str:
    return f"{need.name}{need.specifier}"


def _files(found: Distribution) -> Iterator[SourceFile]:
    for path in _packed(found):
        try:
            yield SourceFile(path.as_posix(), Path(str(found.locate_file(path))).read_bytes())
        except OSError as error:
            raise BundleError(
                f"vendor: {found.name} {found.version} is not whole: {path} cannot be read: {error.strerror}",
                hint=f"Run: pip install --force-reinstall '{found.name}=={found.version}'",
            ) from error


def _recorded(found: Distribution) -> list[PurePosixPath]:
    """The files that were installed. (`Distribution.files` leaves out those that are missing, since Python 3.12.)"""
    lines = (found.read_text("RECORD") or "").splitlines()
    return [PurePosixPath(row[0]) for row in csv.reader(lines) if row]


def _packed(found: Distribution) -> list[PurePosixPath]:
    """The files of site-packages that go into the bundle."""
    return [
        path
        for path in _recorded(found)
        if ".." not in path.parts
        and not path.is_absolute()
        and "__pycache__" not in path.parts
        and path.suffix not in (".pyc", ".pyo")
        and not (path.parts[0].endswith(".dist-info") and path.name in _OF_THE_INSTALLATION)
    ]


def _modules(found: Distribution) -> set[str]:
    tops = {path.parts[0] for path in _packed(found) if path.suffix == ".py" or len(path.parts) > 1}
    names = {top.removesuffix(".py") for top in tops if not top.endswith(".dist-info")}
    return {name for name in names if name.isidentifier()}


def _check_not_local(root: Path, modules: Collection[str]) -> None:
    for name in sorted(modules):
        package = root / name
        local = next(
            (path for path in (package.with_name(f"{name}.py"), package / "__init__.py") if path.is_file()), None
        )
        if local is not None:
            raise BundleError(
                f'vendor: the project has a module "{name}" of its own ({local.relative_to(root)})',
                hint="Rename it, or leave the distribution out of vendor.",
            )


def _is_native(path: PurePosixPath) -> bool:
    return path.suffix in _NATIVE or ".so." in path.name


def _is_editable(distribution: Distribution) -> bool:
    """As PEP 610 records it."""
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return False
    return isinstance(origin, dict) and bool((origin.get("dir_info") or {}).get("editable"))
