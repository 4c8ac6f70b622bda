"""The competition's run-length code, read and written, with and without pixels.

A mask is written as pairs of gap and length. The pixels are counted down the columns, column after column; a gap
counts from the end of the run before, the first from the first pixel. `-1` says that there is no mask. Checked
against the official files; the official encoder's two slips (a run that ends on the last pixel is dropped, an empty
mask gives an empty text) are not part of the format and not repeated.

Between text and pixels stand `Runs`: where each run begins and ends. Areas, unions and overlaps need no more than
these, a few hundred numbers for a mask of a million pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

Runs = npt.NDArray[np.int64]
"""(2n,) for n runs: begin, end, begin, end and so on, never falling; `end` is the first pixel behind a run."""

NO_MASK = "-1"
DIGITS = b"0123456789 "


def parse(encoded: str, pixels: int | None = None) -> Runs:
    """The runs of one encoded value; none for `-1` and for an empty text.

    `pixels` is height times width; None = not known yet. Raises ValueError when the numbers don't come in pairs, a
    run has no length or overlaps the one before, or a number leads outside the picture.
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
    # A sum that is too large for 64 bits comes out negative.
    if edges.min() < 0 or (pixels is not None and edges[-1] > pixels):
        raise ValueError(f"run-length code ends at pixel {sum(numbers.tolist())} of {pixels or 'the picture'}")
    return edges


def _numbers(encoded: str) -> npt.NDArray[np.int64]:
    if encoded.isascii() and not encoded.encode().translate(None, DIGITS):
        # Four times as fast as split(), and it cannot meet what it would have to refuse. What is larger than 64
        # bits becomes the largest number that is not.
        return np.fromstring(encoded, dtype=np.int64, sep=" ")
    # int() takes "1_000" and the digits of every script; a label file doesn't.
    if "_" in encoded or not encoded.isascii():
        raise ValueError("run-length code must hold whole numbers and blanks only")
    try:
        return np.array(encoded.split(), dtype=np.int64)
    except OverflowError:
        raise ValueError("run-length code holds a number that no picture is large enough for") from None


def write(runs: Runs) -> str:
    """The encoded value of runs that don't touch; `-1` of none."""
    numbers = runs.copy()
    numbers[1:] -= runs[:-1]
    return " ".join(map(str, numbers.tolist())) or NO_MASK


def area(runs: Runs) -> int:
    """Pixels in runs that don't overlap."""
    return int(runs[1::2].sum() - runs[::2].sum())


def unite(several: Sequence[Runs]) -> Runs:
    """The runs that cover what any covers; they neither overlap nor touch."""
    several = [runs for runs in several if len(runs)]
    if not several:
        return np.zeros(0, np.int64)
    # Most images have one mask, and most masks no runs that touch: they are what is wanted as they stand.
    if len(several) == 1 and (several[0][2::2] > several[0][1:-1:2]).all():
        return several[0]
    pairs = np.concatenate(several).reshape(-1, 2)
    begins, ends = pairs[np.argsort(pairs[:, 0], kind="stable")].T
    reach = np.maximum.accumulate(ends)
    # A run is the first of a new one when nothing before reaches it.
    is_first = np.concatenate(([True], begins[1:] > reach[:-1]))
    is_last = np.concatenate((is_first[1:], [True]))
    return np.stack((begins[is_first], reach[is_last]), axis=1).reshape(-1)


def times_covered(several: Sequence[Runs]) -> npt.NDArray[np.int64]:
    """How many pixels are covered 0, 1, 2... times, up to the last run; index 0 is not the rest of the picture."""
    edges = np.concatenate([np.zeros(0, np.int64), *several])
    steps = np.tile(np.array([1, -1]), len(edges) // 2)
    order = np.argsort(edges, kind="stable")
    depth = np.cumsum(steps[order])[:-1]
    return np.bincount(depth, weights=np.diff(edges[order])).astype(np.int64)


def decode(encoded: str, height: int, width: int) -> Mask:
    """The mask (height, width) of one encoded value. Raises ValueError as `parse` does."""
    return union([encoded], height, width)


def union(encoded: Iterable[str], height: int, width: int) -> Mask:
    """The mask (height, width) that covers what any of the encoded ones covers; of none, an empty one."""
    flat = np.zeros(height * width, bool)
    for each in encoded:
        edges = parse(each, flat.size).tolist()
        # Slice by slice: a mask has a few hundred runs, and what is not covered is not touched at all.
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            flat[begin:end] = True
    return flat.reshape(width, height).T


def span(runs: Runs, height: int) -> tuple[slice, slice]:
    """Rows and columns of the smallest rectangle with all runs of a mask of that height; of no runs, an empty one.

    Where a run goes on in the next column, all rows.
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
    """These rows and columns of the mask of that height that the runs mean; they hold at least the runs' `span`."""
    edge, width = rows.stop - rows.start, columns.stop - columns.start
    begin_columns, begin_rows = np.divmod(runs[::2], height)
    begins = (begin_columns - columns.start) * edge + begin_rows - rows.start
    # Counted from its begin: a run down to the last row ends in its column, which is where the next one begins.
    ends = begins + runs[1::2] - runs[::2]
    edges = np.concatenate(([0], np.stack((begins, ends), axis=1).reshape(-1), [width * edge]))
    # In a small part, writing every pixel is faster than writing the runs one by one.
    flat = np.repeat(np.arange(len(edges) - 1) % 2 == 1, np.diff(edges))
    return flat.reshape(width, edge).T


def find_runs(mask: Mask) -> Runs:
    """The runs of a mask (height, width); they neither overlap nor touch."""
    flat = mask.T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return np.concatenate(([0] * int(flat[0]), changes, [flat.size] * int(flat[-1]))).astype(np.int64)


def encode(mask: Mask) -> str:
    """One encoded value for a mask (height, width); `-1` when it is empty."""
    return write(find_runs(mask))
