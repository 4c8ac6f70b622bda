"""The images of a run: every DICOM file is read once, scaled to the size of the model's input, and cached.

All files are read before the training starts, so that an unreadable file is found early.
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

from ..files import is_leftover
from .dicom import UnreadableDicom, read_dicom_image
from .picture_cache import DecodedImage, PictureCache, mapped, picture_key


@dataclass(frozen=True)
class Pictures:
    """Images by position: names, sizes, and the files of the pixels. Small enough to send to other processes."""

    ids: tuple[str, ...]
    """ImageId of each."""
    shapes: tuple[tuple[int, int], ...]
    """(height, width) of each original image, in pixels."""
    patients: tuple[str, ...]
    """Identifies the patient of each; empty = unknown."""
    files: tuple[Path, ...]
    """The DICOM file of each."""
    kept: tuple[Path | None, ...]
    """The cache entry of each; None = the cache had no space for it."""
    size: int
    """Edge of the square that each image is scaled to, in pixels."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """The error message of each unreadable file, by ImageId."""
    flat: tuple[str, ...] = ()
    """The ImageIds of images with one grey value only, in the size of the model's input."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many images were decoded, were in the cache before, and have to be decoded at each use."""

    def pixels(self, index: int) -> npt.NDArray[np.uint8]:
        """uint8 (size, size): memory-mapped from the cache or, without an entry, decoded again and read-only."""
        kept = self.kept[index]
        if kept is not None:
            try:
                return mapped(kept, self.size)
            except FileNotFoundError:
                pass  # removed by another run that needed the space
        return decode(self.files[index], self.size).pixels

    def joined(self, others: Pictures) -> Pictures:
        """These images followed by the others, which have the same size."""
        return Pictures(
            self.ids + others.ids,
            self.shapes + others.shapes,
            self.patients + others.patients,
            self.files + others.files,
            self.kept + others.kept,
            self.size,
            {**self.skipped, **others.skipped},
            self.flat + others.flat,
            Counter(self.counts) + Counter(others.counts),
        )


def find_dicoms(folder: Path) -> dict[str, Path]:
    """Every DICOM file below a folder by its ImageId, which is the file's name, sorted; no leftovers of systems.

    Raises ValueError for two files with the same name.
    """
    found: dict[str, Path] = {}
    dicoms = folder.rglob("*.[dD][cC][mM]")
    files = [path for path in dicoms if not any(map(is_leftover, path.relative_to(folder).parts))]
    for path in sorted(files, key=lambda path: (path.stem, path)):
        if path.stem in found:
            raise ValueError(f"two files of one ImageId: {found[path.stem]} and {path}")
        found[path.stem] = path
    return found


def decode(path: Path, size: int) -> DecodedImage:
    """The image of a DICOM file scaled to (size, size), without keeping the aspect ratio. Raises UnreadableDicom."""
    film = read_dicom_image(path)
    scaled = Image.fromarray(film.pixels).resize((size, size), Image.Resampling.BOX)
    height, width = film.pixels.shape
    return DecodedImage(np.asarray(scaled), (height, width), film.patient)


def read_pictures(
    files: Iterable[tuple[str, Path]],
    *,
    cache: PictureCache,
    image_size: int,
    unreadable: Literal["stop", "skip"],
    threads: int,
) -> Pictures:
    """The images of (ImageId, path) pairs. Images that are not in the cache are decoded, and added if there is space.

    Raises UnreadableDicom for the first unreadable file, unless `unreadable` is "skip".
    """
    pairs = list(files)
    paths = [path for _, path in pairs]
    counts: Counter[str] = Counter()

    def key_of(path: Path) -> str | UnreadableDicom:
        try:
            return picture_key(path.read_bytes(), image_size)
        except OSError as error:
            return UnreadableDicom(f"{path}: {error}")

    def read(path: Path, key: str | UnreadableDicom) -> tuple[DecodedImage, str] | UnreadableDicom:
        if isinstance(key, UnreadableDicom):
            return key
        if key in cached and (kept := cache.load(key, image_size)) is not None:
            return kept, "kept_before"
        try:
            decoded = decode(path, image_size)
        except UnreadableDicom as error:
            return error
        if key not in cached:
            return decoded, "not_kept"
        cache.store(key, decoded)
        return decoded, "decoded"

    found: list[tuple[str, Path, Path | None, tuple[int, int], str]] = []
    skipped: dict[str, str] = {}
    flat: list[str] = []
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        keys = list(pool.map(key_of, paths))
        cached = cache.make_space([key for key in keys if isinstance(key, str)], image_size)
        # In slices, so that only a few decoded images are in memory.
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
                if decoded.pixels.min() == decoded.pixels.max():
                    flat.append(image_id)
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
        flat=tuple(flat),
        counts=counts,
    )
