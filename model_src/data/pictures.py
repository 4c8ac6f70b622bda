"""A run's pictures: every DICOM file is read once, scaled to the model's size and kept.

Reading them all before the training starts finds the files that can't be read while nothing is lost yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from .dicom import UnreadableDicom, read_film
from .picture_cache import Decoded, PictureCache, mapped, picture_key


@dataclass(frozen=True)
class Pictures:
    """Pictures by position: names, sizes and where the pixels are. Cheap to send to another process."""

    ids: tuple[str, ...]
    """ImageId of each."""
    shapes: tuple[tuple[int, int], ...]
    """(height, width) of each before it was scaled, in pixels."""
    patients: tuple[str, ...]
    """What stands for the patient of each; empty = not known."""
    files: tuple[Path, ...]
    """The DICOM file of each."""
    kept: tuple[Path | None, ...]
    """Where the pixels of each are kept; None = there was no room."""
    size: int
    """Edge of the square that each was scaled to, in pixels."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """One line for each file that could not be read, under its ImageId."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many were decoded, were kept already, and have to be decoded each time."""

    def pixels(self, index: int) -> npt.NDArray[np.uint8]:
        """uint8 (size, size), straight from the kept file, or decoded again without one; the latter is read-only."""
        kept = self.kept[index]
        if kept is not None:
            try:
                return mapped(kept, self.size)
            except FileNotFoundError:
                pass  # pushed out by another run that needed the room
        return decode(self.files[index], self.size).pixels

    def joined(self, others: Pictures) -> Pictures:
        """These pictures and then the others, of the same size."""
        return Pictures(
            self.ids + others.ids,
            self.shapes + others.shapes,
            self.patients + others.patients,
            self.files + others.files,
            self.kept + others.kept,
            self.size,
            {**self.skipped, **others.skipped},
            Counter(self.counts) + Counter(others.counts),
        )


def find_dicoms(folder: Path) -> dict[str, Path]:
    """Every DICOM file below a folder under its ImageId, which is the file's name; sorted by ImageId."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.dcm"), key=lambda path: (path.stem, path)):
        if path.stem in found:
            raise ValueError(f"two files of one ImageId: {found[path.stem]} and {path}")
        found[path.stem] = path
    return found


def decode(path: Path, size: int) -> Decoded:
    """A DICOM file's picture, scaled to (size, size): one that isn't square is stretched to be so.

    Raises UnreadableDicom.
    """
    film = read_film(path)
    scaled = Image.fromarray(film.pixels).resize((size, size), Image.Resampling.BOX)
    height, width = film.pixels.shape
    return Decoded(np.asarray(scaled), (height, width), film.patient)


def read_pictures(
    files: Iterable[tuple[str, Path]],
    *,
    cache: PictureCache,
    image_size: int,
    unreadable: Literal["stop", "skip"],
    threads: int,
) -> Pictures:
    """The pictures of (ImageId, path) pairs; what the cache doesn't hold is decoded, and kept as far as there is room.

    Raises UnreadableDicom for the first file that can't be read, unless `unreadable` is "skip".
    """
    pairs = list(files)
    paths = [path for _, path in pairs]
    counts: Counter[str] = Counter()

    def key_of(path: Path) -> str | UnreadableDicom:
        try:
            return picture_key(path.read_bytes(), image_size)
        except OSError as error:
            return UnreadableDicom(f"{path}: {error}")

    def read(path: Path, key: str | UnreadableDicom) -> tuple[Decoded, str] | UnreadableDicom:
        if isinstance(key, UnreadableDicom):
            return key
        if key in room and (kept := cache.load(key, image_size)) is not None:
            return kept, "kept_before"
        try:
            decoded = decode(path, image_size)
        except UnreadableDicom as error:
            return error
        if key not in room:
            return decoded, "not_kept"
        cache.store(key, decoded)
        return decoded, "decoded"

    found: list[tuple[str, Path, Path | None, tuple[int, int], str]] = []
    skipped: dict[str, str] = {}
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        keys = list(pool.map(key_of, paths))
        room = cache.make_room([key for key in keys if isinstance(key, str)], image_size)
        # In slices, so that finished pictures don't pile up in memory.
        for start in range(0, len(pairs), 64):
            part = slice(start, start + 64)
            results = pool.map(read, paths[part], keys[part])
            for (image_id, path), key, result in zip(pairs[part], keys[part], results, strict=True):
                if isinstance(result, UnreadableDicom):
                    if unreadable == "stop":
                        raise result
                    skipped[image_id] = str(result)
                    continue
                decoded, how = result
                counts[how] += 1
                kept = None if how == "not_kept" else cache.path(str(key))
                found.append((image_id, path, kept, decoded.shape, decoded.patient))
    return Pictures(
        ids=tuple(image_id for image_id, *_ in found),
        shapes=tuple(shape for _, _, _, shape, _ in found),
        patients=tuple(patient for *_, patient in found),
        files=tuple(path for _, path, *_ in found),
        kept=tuple(kept for _, _, kept, *_ in found),
        size=image_size,
        skipped=skipped,
        counts=counts,
    )
