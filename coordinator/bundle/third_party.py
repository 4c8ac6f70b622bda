"""Finds imports that the kernel's image cannot satisfy before they cost a session, and what to do about each."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from coordinator.bundle.files import SourceFile
from coordinator.bundle.image import Image, normalised
from coordinator.bundle.imports import imports_of, names_imported, parse
from coordinator.bundle.stdlib import removed_in
from coordinator.bundle.vendor import why_not_pure
from coordinator.errors import BundleError

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_MODULES = {".py", ".so", ".pyd"}


@dataclass(frozen=True)
class Lacking:
    """A module that the image does not have, and the imports that name it."""

    module: str
    places: tuple[str, ...]
    """file:line"""


@dataclass(frozen=True)
class Surroundings:
    """What else is known about the modules that a program finds."""

    there: Collection[str] = ()
    """Modules (or distributions) that are vendored, or come with attached wheels."""
    folders: Collection[str] = ()
    """Folders among the files in which it searches for modules, beside the root and the entry's."""
    reached: Collection[str] | None = None
    """Files to which import statements lead from the entry on; None if all of them are."""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Module -> where in the program's tree it lies, and how it gets into the bundle."""
    attached: Sequence[str] = ()
    """Folders of attached sources that the program adds to sys.path: what they have is not known here."""


ALONE = Surroundings()


def lacking(
    files: Sequence[SourceFile],
    image: Image,
    *,
    entry: str = "",
    there: Collection[str] = (),
    folders: Collection[str] = (),
) -> tuple[Lacking, ...]:
    """Modules that the files import and that neither the files, the image nor `there` has, sorted by name.

    `there` names modules (or distributions) that are vendored or come with attached wheels. Imports that the program
    can do without are left out. An `entry` that is a script among the files finds what lies beside it, too, and every
    program what lies in the `folders`.
    """
    local = _top_level(files, entry, folders) | set(there)
    distributions = {normalised(name) for name in there}
    has: dict[str, bool] = {}

    def is_there(name: str) -> bool:
        if name not in has:
            has[name] = name in local or image.has_module(name) or normalised(name) in distributions
        return has[name]

    places: dict[str, dict[str, None]] = {}
    for file in files:
        if not file.is_python:
            continue
        perhaps = names_imported(file.data)
        if perhaps is not None and all(is_there(name) for name in perhaps):
            continue
        # Relative imports lead to the bundle's own files: with no package given, none is returned.
        for imported in imports_of(parse(file.data, file.path), "", file.data).imports:
            module = imported.name.partition(".")[0]
            if not imported.optional and not is_there(module):
                places.setdefault(module, {})[f"{file.path}:{imported.line}"] = None
    return tuple(Lacking(name, tuple(places[name])) for name in sorted(places))


def check_third_party(
    files: Sequence[SourceFile],
    image: Image,
    *,
    entry: str = "",
    around: Surroundings = ALONE,
    installs: bool = False,
) -> tuple[str, ...]:
    """Raises BundleError if the image lacks what the files import; else returns warnings.

    These are about files to which no import leads. With `installs` (the kernel has internet and may install something,
    runs another image, or searches in attached sources) all are.
    """
    warnings, refused = [], []
    for each in lacking(files, image, entry=entry, there=around.there, folders=around.folders):
        places = tuple(place for place in each.places if _is_reached(place, around.reached))
        if installs:
            attached = f"{around.attached[0]} must have it" if around.attached else ""
            way = around.elsewhere.get(each.module, attached or "the kernel must install it first")
            warnings.append(f"{each.places[0]} imports {each.module}, which {image} lacks: {way}")
        elif places:
            refused.append(Lacking(each.module, places))
        else:
            warnings.append(
                f"{each.places[0]} imports {each.module}, which {image} lacks; no import leads there from the entry"
            )
    if not refused:
        return tuple(warnings)
    lines = [f"  {place}: {each.module}" for each in refused for place in each.places]
    ways = [way for each in refused for way in _ways_out(each.module, around.elsewhere)]
    raise BundleError("\n".join([f"{image} lacks what the sources import:", *lines]), hint="\n".join([*ways, _NOT_SO]))


def _is_reached(place: str, reached: Collection[str] | None) -> bool:
    return reached is None or place.rpartition(":")[0] in reached


_NOT_SO = (
    'If the kernel has it all the same, say so: image_extra = ["module"] in [tool.coord]. '
    "coord image show says where the table comes from, coord image refresh makes a new one."
)


def _ways_out(module: str, elsewhere: Mapping[str, str]) -> list[str]:
    if module in elsewhere:
        return [f"{module}: {elsewhere[module]}."]
    removed = removed_in(module)
    if removed is not None:
        return [f"{module}: the standard library has it no longer since Python {removed}."]
    found = _installed(module)
    if found is None:
        return [
            f"{module}: no distribution installed here has it. Name the one that does: "
            'requirements = ["..."] in [tool.coord], then coord wheels.',
        ]
    name = normalised(found.name)
    why_not = why_not_pure(found)
    if why_not is None:
        return [f'{module}: vendor = ["{name}"] in [tool.coord] packs {found.name} {found.version} into the bundle.']
    return [
        f"{module}: {found.name} {found.version} {why_not}; vendor cannot pack it. As a wheel, kernels can install it: "
        f'requirements = ["{name}"] in [tool.coord], then coord wheels.'
    ]


def _installed(module: str) -> Distribution | None:
    from importlib.metadata import distributions

    return next((each for each in distributions() if _has(each, module)), None)


def _has(found: Distribution, module: str) -> bool:
    """Whether a distribution has the module at its top.

    `importlib.metadata.packages_distributions()` says so, too, but makes a path of each file of all distributions.
    """
    if declared := (found.read_text("top_level.txt") or "").split():
        return module in declared
    record = found.read_text("RECORD")
    if record is not None and module not in record:
        return False
    return any(
        module == (file.parts[0] if len(file.parts) > 1 else inspect.getmodulename(file.name))
        for file in found.files or ()
    )


def _top_level(files: Sequence[SourceFile], entry: str, folders: Collection[str]) -> set[str]:
    """Names that `import` finds among the files: at the bundle's root, in folders, and beside an entry script."""
    roots = {PurePosixPath("."), *map(PurePosixPath, folders)}
    if any(file.path == entry for file in files):
        roots.add(PurePosixPath(entry).parent)
    names = set()
    for file in files:
        path = PurePosixPath(file.path)
        for root in roots:
            if path.suffix in _MODULES and path.is_relative_to(root):
                # Of "fast.cpython-312-x86_64-linux-gnu.so", too, the name ends at the first dot.
                names.add(path.relative_to(root).parts[0].partition(".")[0])
    return names
