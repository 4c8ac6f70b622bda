"""How large a bundle may become by what nobody asked for: sizes are known before anything is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from coordinator.errors import BundleError

FOUND_MAX = 32_000_000
"""The most bytes of all files that are in a bundle because of an import: a kernel holds 1 MiB, compressed."""
NAMED_MAX = 1_000_000
"""The most bytes of a data file that goes in only because a script names it: a larger one is probably not data of the
program."""
SLOW_CODECS = frozenset({"punycode", "idna"})
"""They take time by the square of a text's length: a hundred thousand characters, more than a minute."""


def unpacked_max(compressed: int) -> int:
    """The most bytes that an archive of so many bytes may hold: sources have a tenth of that."""
    return max(64_000_000, 64 * compressed)


class Sizes:
    """The sizes of the files that imports bring into a bundle; `add` them before they are read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sizes: dict[PurePosixPath, int] = {}
        self._total = 0

    def add(self, files: Iterable[Path]) -> None:
        """Raises BundleError, with the folder that most of it lies in, if they are too large together."""
        for file in files:
            path = PurePosixPath(file.relative_to(self._root).as_posix())
            self._total -= self._sizes.get(path, 0)
            self._sizes[path] = file.stat().st_size
            self._total += self._sizes[path]
        if self._total > FOUND_MAX:
            raise self._too_large()

    def _too_large(self) -> BundleError:
        inside: Counter[PurePosixPath] = Counter()
        for path, size in self._sizes.items():
            inside.update(dict.fromkeys((path, *path.parents), size))
        place = max((path for path, size in inside.items() if size > self._total / 2), key=lambda path: len(path.parts))
        if place in self._sizes:
            found, name, way = f"{place} has", str(place), str(place)
        else:
            count = sum(place in path.parents for path in self._sizes)
            found = f"{place}/ has {count:,} files of"
            name, way = f"{place}/", f"{place}/**/*"
        return BundleError(
            f"{found} {inside[place]:,} bytes: too much for a bundle, which takes in {FOUND_MAX:,} bytes of what lies "
            "beside imported modules",
            hint=f'Leave it out: a line "/{name}" in .coordignore, or --exclude "/{name}" of coord bundle. A data set '
            f'can have it instead. coord bundle --include "{way}" takes it in all the same.',
        )
