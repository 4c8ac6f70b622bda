"""The competition's label file and its run-length encoding.

A mask is written as pairs of gap and length. The pixels are counted down the columns, column after column; a gap
counts from the end of the run before, the first from the first pixel. `-1` says that there is no mask. Checked
against the official files; the official encoder's two slips (a run that ends on the last pixel is dropped, an empty
mask gives an empty text) are not part of the format and not repeated.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

NO_MASK = "-1"


def read_labels(path: Path) -> dict[str, tuple[str, ...]]:
    """Every image of a label file with its encoded masks, in the file's order; no masks is an empty tuple.

    Reads plain or gzipped files, with blanks around header and values and with a byte order mark. Raises ValueError
    that names the line.
    """
    labels: dict[str, tuple[str, ...]] = {}
    with (
        gzip.open(path, "rt", encoding="utf-8-sig")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8-sig", newline="") as file
    ):
        rows = csv.reader(file)
        header = [name.strip() for name in next(rows, [])]
        if header != ["ImageId", "EncodedPixels"]:
            raise ValueError(f"{path}: the header must be ImageId,EncodedPixels, is {','.join(header)!r}")
        for row in rows:
            if not row:
                continue
            if len(row) != 2 or not row[0].strip():
                raise ValueError(f"{path}, line {rows.line_num}: an ImageId and one value are expected, found {row}")
            image_id, encoded = row[0].strip(), row[1].strip()
            masks = labels.setdefault(image_id, ())
            if encoded not in (NO_MASK, ""):
                labels[image_id] = (*masks, encoded)
    return labels


def decode(encoded: str, height: int, width: int) -> Mask:
    """The mask (height, width) of one encoded value.

    Raises ValueError when the numbers don't come in pairs, are negative, or lead outside the picture.
    """
    flat = np.zeros(height * width + 1, np.int8)
    if encoded.strip() not in (NO_MASK, ""):
        numbers = np.array(encoded.split(), dtype=np.int64)
        if len(numbers) % 2:
            raise ValueError(f"run-length code must hold pairs, holds {len(numbers)} numbers")
        if (numbers < 0).any() or (numbers[1::2] == 0).any():
            raise ValueError("run-length code must hold gaps >= 0 and lengths >= 1")
        edges = np.cumsum(numbers)
        if edges[-1] > height * width:
            raise ValueError(f"run-length code ends at pixel {edges[-1]} of {height * width}")
        # Runs don't overlap, so no index comes twice among the starts, nor among the ends.
        flat[edges[::2]] += 1
        flat[edges[1::2]] -= 1
    inside = np.cumsum(flat[:-1], dtype=np.int8).astype(bool)
    return inside.reshape(width, height).T


def encode(mask: Mask) -> str:
    """One encoded value for a mask (height, width); `-1` when it is empty."""
    flat = np.concatenate(([False], mask.T.ravel(), [False]))
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return " ".join(map(str, np.diff(edges, prepend=0).tolist())) or NO_MASK


def union(encoded: Iterable[str], height: int, width: int) -> Mask:
    """The mask (height, width) that covers what any of the encoded ones covers; of none, an empty one."""
    united = np.zeros((height, width), bool)
    for each in encoded:
        united |= decode(each, height, width)
    return united
