"""Prepares collected sources for the image that they will run on.

Adds vendored distributions, and checks that the image's Python can read the sources and has what they import.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from coordinator.bundle.files import SourceFile
from coordinator.bundle.image import Image
from coordinator.bundle.syntax import check_syntax_of
from coordinator.bundle.third_party import check_third_party
from coordinator.bundle.vendor import vendored


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
    are_installed: bool = False
    """The kernel may install some, or runs another image: missing ones are warnings, not errors."""


def fit_to_image(
    sources: Sequence[SourceFile], packages: Packages, *, root: Path, entry: str, image: Image | None
) -> Fitted:
    """The sources with the distributions that are vendored. Without an image nothing is checked.

    Raises BundleError if a source is too new for the image's Python, a distribution cannot be vendored, or an import
    finds nothing.
    """
    vendor, extra = packages.vendor, packages.extra
    if image:
        check_syntax_of(image.python, sources)
    packed = vendored(root, vendor, image=image, extra=extra)
    warnings = packed.needs
    if image:
        warnings = check_third_party(
            sources, image, entry=entry, there=(*packed.modules, *extra), installs=packages.are_installed
        )
    return Fitted(tuple(sorted((*sources, *packed.files), key=lambda file: file.path)), warnings)
