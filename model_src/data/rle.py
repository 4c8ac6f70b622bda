"""Reads and writes the competition's run-length code.

A mask is encoded as pairs of numbers: gap and length. Pixels are counted down the columns, column after column. A gap
counts from the end of the run before, the first gap from the first pixel. `-1` means that there is no mask. The format
was verified with the official files. Two errors of the official encoder (a run that ends on the last pixel is dropped,
and the code of an empty mask is an empty text) are not part of the format and not reproduced.

`Runs` are the begin and the end of every run: a few hundred numbers for a mask of a million pixels. Areas, unions and
overlaps are computed from them without drawing a mask.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

Runs = npt.NDArray[np.int64]
"""(2n,) for n runs: begin, end, begin, end, ..., ascending; `end` is the first pixel behind a run."""

NO_MASK = "-1"
DIGITS = b"0123456789 "


def parse(encoded: str, pixels: int | None = None) -> Runs:
    """The runs of a code; empty for `-1` and for an empty text.

    `pixels` is height times width; None = unknown. Raises ValueError when the number of values is odd, a run has no
    length or overlaps the one before, or a run ends outside the image.
    """
    if encoded.strip() in (NO_MASK, ""):
        return np.zeros(0, np.int64)
    numbers = _numbers(encoded)
    if len(numbers) % 2:
        raise ValueError(f"run-length code must hold pairs, holds {len(numbers)} numbers")
    if numbers[::2].min() < 0:
        raise ValueError(f"run-length code must hold gaps >= 0, or runs overlap; holds a gap of {numbers[::2].min()}")
    if numbers[1::2].min() < 1:
        raise ValueError(f"run-length code must hold lengths >= 1, holds {numbers[1::2].min()}")
    edges = np.cumsum(numbers)
    # A sum that overflows 64 bits is negative.
    if edges.min() < 0 or (pixels is not None and edges[-1] > pixels):
        raise ValueError(f"run-length code ends at pixel {sum(numbers.tolist())} of {pixels or 'the picture'}")
    return edges


def _numbers(encoded: str) -> npt.NDArray[np.int64]:
    if encoded.isascii() and not encoded.encode().translate(None, DIGITS):
        # Four times as fast as split(). fromstring would ignore characters other than digits and blanks; here are none.
        # A number of more than 64 bits becomes the largest number of 64 bits.
        return np.fromstring(encoded, dtype=np.int64, sep=" ")
    # int() accepts "1_000" and the digits of every script, which are not allowed in a label file.
    if "_" in encoded or not encoded.isascii():
        raise ValueError("run-length code must hold whole numbers and blanks only")
    try:
        return np.array(encoded.split(), dtype=np.int64)
    except OverflowError:
        raise ValueError("run-length code holds a number that no image is large enough for") from None


def write(runs: Runs) -> str:
    """The code of runs that do not touch each other; `-1` without runs."""
    numbers = runs.copy()
    numbers[1:] -= runs[:-1]
    return " ".join(map(str, numbers.tolist())) or NO_MASK


def area(runs: Runs) -> int:
    """Number of pixels in runs that do not overlap."""
    return int(runs[1::2].sum() - runs[::2].sum())


def unite(several: Sequence[Runs]) -> Runs:
    """The union of several masks, as runs that neither overlap nor touch each other."""
    several = [runs for runs in several if len(runs)]
    if not several:
        return np.zeros(0, np.int64)
    # Most images have one mask, and most masks have no runs that touch: these are returned unchanged.
    if len(several) == 1 and (several[0][2::2] > several[0][1:-1:2]).all():
        return several[0]
    pairs = np.concatenate(several).reshape(-1, 2)
    begins, ends = pairs[np.argsort(pairs[:, 0], kind="stable")].T
    reach = np.maximum.accumulate(ends)
    # A run begins a new run of the union when no run before reaches it.
    is_first = np.concatenate(([True], begins[1:] > reach[:-1]))
    is_last = np.concatenate((is_first[1:], [True]))
    return np.stack((begins[is_first], reach[is_last]), axis=1).reshape(-1)


def times_covered(several: Sequence[Runs]) -> npt.NDArray[np.int64]:
    """How many pixels are in 0, 1, 2, ... of the masks. Index 0 counts pixels between runs only, not the whole rest."""
    edges = np.concatenate([np.zeros(0, np.int64), *several])
    steps = np.tile(np.array([1, -1]), len(edges) // 2)
    order = np.argsort(edges, kind="stable")
    depth = np.cumsum(steps[order])[:-1]
    return np.bincount(depth, weights=np.diff(edges[order])).astype(np.int64)


def decode(encoded: str, height: int, width: int) -> Mask:
    """The mask (height, width) of a code. Raises ValueError as `parse` does."""
    return union([encoded], height, width)


def union(encoded: Iterable[str], height: int, width: int) -> Mask:
    """The union (height, width) of encoded masks; empty without any. Raises ValueError as `parse` does."""
    flat = np.zeros(height * width, bool)
    for each in encoded:
        edges = parse(each, flat.size).tolist()
        # Slice by slice: a mask has only a few hundred runs, and the rest of the array is not written.
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            flat[begin:end] = True
    return flat.reshape(width, height).T


def span(runs: Runs, height: int) -> tuple[slice, slice]:
    """Rows and columns of the smallest rectangle with all runs of a mask of this height; empty without runs.

    All rows when a run continues in the next column.
    """
    if not len(runs):
        return slice(0, 0), slice(0, 0)
    first_columns, first_rows = np.divmod(runs[::2], height)
    last_columns, last_rows = np.divmod(runs[1::2] - 1, height)
    columns = slice(int(first_columns[0]), int(last_columns[-1]) + 1)
    if (first_columns != last_columns).any():
        return slice(0, height), columns
    return slice(int(first_rows.min()), int(last_rows.max()) + 1), columns


def draw(runs: Runs, height: int, rows: slice, columns: slice) -> Mask:
    """A part of the mask of this height; `rows` and `columns` have to include the `span` of the runs."""
    edge, width = rows.stop - rows.start, columns.stop - columns.start
    begin_columns, begin_rows = np.divmod(runs[::2], height)
    begins = (begin_columns - columns.start) * edge + begin_rows - rows.start
    # Counted from the begin: the end of a run in the last row is the begin of the next column.
    ends = begins + runs[1::2] - runs[::2]
    edges = np.concatenate(([0], np.stack((begins, ends), axis=1).reshape(-1), [width * edge]))
    # For a small part, writing every pixel at once is faster than writing run by run.
    flat = np.repeat(np.arange(len(edges) - 1) % 2 == 1, np.diff(edges))
    return flat.reshape(width, edge).T


def find_runs(mask: Mask) -> Runs:
    """The runs of a mask (height, width); they neither overlap nor touch each other."""
    flat = mask.T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return np.concatenate(([0] * int(flat[0]), changes, [flat.size] * int(flat[-1]))).astype(np.int64)


def encode(mask: Mask) -> str:
    """The code of a mask (height, width); `-1` when it is empty."""
    return write(find_runs(mask))
