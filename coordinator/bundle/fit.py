"""Prepares collected sources for the image that they will run on.

Adds vendored distributions, and checks that the image's Python can read the sources and has what they import.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

from coordinator.bundle.files import SourceFile
from coordinator.bundle.image import Image
from coordinator.bundle.sources import Collected
from coordinator.bundle.syntax import check_syntax_of
from coordinator.bundle.third_party import Surroundings, check_third_party, lacking
from coordinator.bundle.vendor import vendored
from coordinator.errors import BundleError


@dataclass(frozen=True)
class Fitted:
    """All files of a bundle, and warnings about them."""

    files: tuple[SourceFile, ...]
    """Sorted by path."""
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Packages:
    """The third-party packages that a kernel has beside those of its image."""

    vendor: Sequence[str] = ()
    """Installed distributions that go into the bundle."""
    extra: Collection[str] = ()
    """Modules or distributions that are there for another reason."""
    are_whole: bool = True
    """Every module of a package counts as imported, as a computed name may name it; otherwise only those to which
    import statements lead."""
    are_installed: bool = False
    """The kernel may install some, or runs another image: missing ones are warnings, not errors."""


def fit_to_image(found: Collected, packages: Packages, *, entry: str, image: Image | None) -> Fitted:
    """The sources with the distributions that are vendored. Without an image nothing is checked.

    Raises BundleError if a source is too new for the image's Python, a distribution cannot be vendored, or an import
    finds nothing.
    """
    vendor, extra = packages.vendor, packages.extra
    if image:
        check_syntax_of(image.python, found.files)
    packed = vendored(found.root, vendor, image=image, extra=extra)
    warnings = packed.needs
    if image:
        around = Surroundings(
            there=(*packed.modules, *extra),
            folders=[folder.relative_to(found.root).as_posix() for folder in found.folders],
            elsewhere={name: each.remedy(found.root) for name, each in found.elsewhere.items()},
            attached=found.attached,
        )
        installs = packages.are_installed or bool(found.attached)
        check = partial(check_third_party, found.files, image, entry=entry, installs=installs)
        try:
            warnings = check(around=around)
        except BundleError:  # only then it matters which files an import leads to
            whole = {each.source.path for each in found.modules if each.package and packages.are_whole}
            warnings = check(around=replace(around, reached={*found.reached, *whole}))
    return Fitted(tuple(sorted((*found.files, *packed.files), key=lambda file: file.path)), warnings)


def modules_imported(
    found: Collected, vendor: Sequence[str], brought: Collection[str], *, entry: str, python: str
) -> tuple[str, ...]:
    """Modules to which import statements lead from the entry on, and that neither the bundle nor that Python has.

    Without those that are `brought`, and those that the program can do without. Raises BundleError if a distribution
    cannot be vendored.
    """
    nothing = Image(date="", python=python, source="", packages={}, modules={})
    there = (*vendored(found.root, vendor).modules, *brought)
    folders = [folder.relative_to(found.root).as_posix() for folder in found.folders]
    every = lacking(found.files, nothing, entry=entry, there=there, folders=folders)
    return tuple(
        each.module for each in every if any(place.rpartition(":")[0] in found.reached for place in each.places)
    )
