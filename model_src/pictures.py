"""Decoded pictures: every DICOM file is read once, scaled to the model's size and kept in one mapped file.

Reading them all before the training starts finds the files that can't be read while nothing is lost yet.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from .dicom import UnreadableDicom, read_dicom


@dataclass(frozen=True)
class Pictures:
    """Pictures by position: names, sizes and where the pixels are. Cheap to send to another process."""

    ids: tuple[str, ...]
    """ImageId of each."""
    shapes: tuple[tuple[int, int], ...]
    """(height, width) of each before it was scaled, in pixels."""
    path: Path
    """The file of all pixels, uint8 (pictures, image_size, image_size)."""
    skipped: tuple[str, ...]
    """One line for each file that could not be read."""

    def pixels(self, index: int) -> npt.NDArray[np.uint8]:
        """uint8 (image_size, image_size); a view into the mapped file."""
        view: npt.NDArray[np.uint8] = _mapped(self.path)[index]
        return view


@functools.cache
def _mapped(path: Path) -> npt.NDArray[np.uint8]:
    pixels: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return pixels


def find_dicoms(folder: Path) -> dict[str, Path]:
    """Every DICOM file below a folder under its ImageId, which is the file's name; sorted by ImageId."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.dcm"), key=lambda path: (path.stem, path)):
        if path.stem in found:
            raise ValueError(f"two files of one ImageId: {found[path.stem]} and {path}")
        found[path.stem] = path
    return found


def decode_pictures(
    files: Iterable[tuple[str, Path]],
    *,
    to: Path,
    image_size: int,
    unreadable: Literal["stop", "skip"],
    threads: int,
) -> Pictures:
    """Decode (ImageId, path) pairs into the new file `to`; pictures that aren't square are stretched to be so.

    Raises UnreadableDicom for the first file that can't be read, unless `unreadable` is "skip", and OSError before
    anything is decoded when the disk is too small.
    """
    pairs = list(files)
    needed, free = len(pairs) * image_size**2, shutil.disk_usage(to.parent).free
    if needed > free:
        raise OSError(f"{to.parent} has {free >> 20} MiB left, the decoded pictures take {needed >> 20}")
    pixels = np.lib.format.open_memmap(to, "w+", np.uint8, (max(len(pairs), 1), image_size, image_size))
    ids: list[str] = []
    shapes: list[tuple[int, int]] = []
    skipped: list[str] = []

    def read(path: Path) -> tuple[npt.NDArray[np.uint8], tuple[int, int]] | UnreadableDicom:
        try:
            picture = read_dicom(path)
        except UnreadableDicom as error:
            return error
        scaled = Image.fromarray(picture).resize((image_size, image_size), Image.Resampling.BOX)
        return np.asarray(scaled), (picture.shape[0], picture.shape[1])

    with ThreadPoolExecutor(max(threads, 1)) as pool:
        # In slices, so that finished pictures don't pile up in memory ahead of the writing.
        for start in range(0, len(pairs), 64):
            part = pairs[start : start + 64]
            for (image_id, _), result in zip(part, pool.map(read, [path for _, path in part]), strict=True):
                if isinstance(result, UnreadableDicom):
                    if unreadable == "stop":
                        raise result
                    skipped.append(str(result))
                    continue
                pixels[len(ids)], shape = result
                ids.append(image_id)
                shapes.append(shape)
    pixels.flush()
    return Pictures(tuple(ids), tuple(shapes), to, tuple(skipped))
