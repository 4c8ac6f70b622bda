"""Reads the competition's label file in all of its variants, and computes statistics of the labels.

python -m model_src.data.labels LABELS.csv[.gz] [--ids IDS.csv] [--exclude IDS.csv] [--first N] [--images M] [--json]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .rle import NO_MASK, Runs, area, parse, times_covered, unite

HEADER = ["ImageId", "EncodedPixels"]
SIZE = 1024
"""Edge of the images of the competition, in pixels."""
PERCENTILES = (0, 5, 25, 50, 75, 95, 100)
LONGEST_VALUE = 2**26
"""Characters of one value: more than the code of any realistic mask of 4096 x 4096 pixels has."""


def read_labels(path: Path, *, shape: tuple[int, int] | None = None) -> dict[str, tuple[str, ...]]:
    """The encoded masks of every image of a label file, in the order of the file; empty for an image without a mask.

    Reads plain and gzipped files, with or without a byte order mark and with blanks around header and values. `shape`
    is the (height, width) of the images; without it, it is not checked whether a code fits into its image. Raises
    ValueError, which names file, line and ImageId.
    """
    labels: dict[str, tuple[str, ...]] = {}
    rows = _rows(path)
    _, header = next(rows, (0, []))
    if header != HEADER:
        raise ValueError(f"{path}: the header must be {','.join(HEADER)}, is {','.join(header)!r}")
    for line, row in rows:
        if len(row) != 2 or not row[0]:
            raise ValueError(f"{path}, line {line}: an ImageId and one value are expected, found {row}")
        image_id, encoded = row
        try:
            parse(encoded, shape and shape[0] * shape[1])
        except ValueError as error:
            raise ValueError(f"{path}, line {line}, ImageId {image_id}: {error}") from None
        masks = labels.setdefault(image_id, ())
        if encoded not in (NO_MASK, ""):
            labels[image_id] = (*masks, encoded)
    return labels


def check_codes(labels: Mapping[str, Sequence[str]], shapes: Mapping[str, tuple[int, int]]) -> None:
    """Raise ValueError, which names the ImageId, when a code does not fit into the (height, width) of its image."""
    for image_id, (height, width) in shapes.items():
        codes = labels.get(image_id, ())
        for place, encoded in enumerate(codes, start=1):
            try:
                parse(encoded, height * width)
            except ValueError as error:
                which = f"{width}x{height} pixels: mask {place} of {len(codes)}"
                raise ValueError(f"ImageId {image_id}, {which}: {error}") from None


def read_ids(path: Path) -> list[str]:
    """The different ImageIds in the first column of a CSV file, with or without a header, in the order of the file."""
    ids = [row[0] for _, row in _rows(path)]
    return list(dict.fromkeys(ids[1:] if ids[:1] == HEADER[:1] else ids))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and stripped values of every row that isn't blank.

    Not by pandas, whose parser reads the competition's 12 954 rows in 0.14 s where this takes 0.20 s: importing pandas
    takes 0.6 s, longer than the whole program `model_src.score`, and its rows have lost their line numbers.
    """
    csv.field_size_limit(LONGEST_VALUE)
    with (
        gzip.open(path, "rt", encoding="utf-8-sig", newline="")
        if path.suffix.lower() == ".gz"
        else path.open(encoding="utf-8-sig", newline="")
    ) as file:
        reader = csv.reader(file)
        try:
            for row in reader:
                if row:
                    yield reader.line_num, [value.strip() for value in row]
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            where = f"{path}, line {reader.line_num + 1}"
            raise ValueError(f"{where}: the compressed file is damaged: {error}") from error
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path}, line {reader.line_num + 1}: {error}") from error


@dataclass(frozen=True)
class LabelStatistics:
    """Statistics of labelled images. Areas are in pixels."""

    images: int
    """Images with a row."""
    unannotated: int
    """Requested images without a row."""
    positives: int
    """Images with a mask."""
    masks: int
    masks_an_image: Mapping[int, int]
    """How many images have 1, 2, 3, ... masks."""
    pixels_covered: Mapping[int, int]
    """How many pixels are in 1, 2, 3, ... masks of their image."""
    mean_over: int
    """The number of images in the denominator of the two means; images without a row may count as empty."""
    union_mean: float
    """Share of pixels in any mask."""
    instance_sum_mean: float
    """The same, with a pixel counted once for every mask that it is in."""
    image_area: Mapping[int, float]
    """Percentiles of the area of the union of an image's masks, over the images with a mask."""
    mask_area: Mapping[int, float]
    """Percentiles of the area of single masks."""


def statistics_of(
    labels: Mapping[str, Sequence[str]],
    *,
    shape: tuple[int, int],
    unannotated: int = 0,
    mean_over: int | None = None,
) -> LabelStatistics:
    """The statistics of images that all have the same `shape` (height, width).

    `unannotated` is copied to the result. `mean_over` is the denominator of the means; None = the number of `labels`.
    Raises ValueError when it is 0 or less than the number of labels.
    """
    if mean_over is None:
        mean_over = len(labels)
    if mean_over < max(len(labels), 1):
        raise ValueError(f"the means must be over at least one image and all {len(labels)} labelled ones")
    pixels = shape[0] * shape[1]
    masks = [[parse(code, pixels) for code in codes] for codes in labels.values() if codes]
    covered: Counter[int] = Counter()
    for each in masks:
        covered.update({times: int(n) for times, n in enumerate(times_covered(each)) if times and n})
    return LabelStatistics(
        images=len(labels),
        unannotated=unannotated,
        positives=len(masks),
        masks=sum(map(len, masks)),
        masks_an_image=dict(sorted(Counter(map(len, masks)).items())),
        pixels_covered=dict(sorted(covered.items())),
        mean_over=mean_over,
        union_mean=sum(covered.values()) / (mean_over * pixels),
        instance_sum_mean=sum(times * n for times, n in covered.items()) / (mean_over * pixels),
        image_area=_percentiles([unite(each) for each in masks]),
        mask_area=_percentiles([runs for each in masks for runs in each]),
    )


def _percentiles(masks: Sequence[Runs]) -> dict[int, float]:
    """Percentiles of the areas, linearly interpolated; empty without a mask."""
    if not masks:
        return {}
    values = np.percentile([area(runs) for runs in masks], PERCENTILES)
    return dict(zip(PERCENTILES, values.tolist(), strict=True))


def choose(
    labels: Mapping[str, tuple[str, ...]],
    *,
    ids: Collection[str] | None = None,
    exclude: Collection[str] = (),
    first: int | None = None,
) -> dict[str, tuple[str, ...]]:
    """The labels of `ids` (None = all) without `exclude`, sorted by ImageId as text; only the `first` ones if given."""
    kept = (labels.keys() if ids is None else labels.keys() & set(ids)) - set(exclude)
    return {image_id: labels[image_id] for image_id in sorted(kept)[:first]}


def table(found: LabelStatistics, size: int) -> str:
    """The statistics as lines of text."""

    def counts(values: Mapping[int, float]) -> str:
        return "  ".join(f"{key}: {value:.0f}" for key, value in values.items()) or "none"

    lines = {
        "images": str(found.images),
        "asked for, without a row": str(found.unannotated),
        "with a mask": str(found.positives),
        "masks": str(found.masks),
        "masks per image": counts(found.masks_an_image),
        "pixels covered n times": counts(found.pixels_covered),
        "union mean": repr(found.union_mean),
        "instance-sum mean": repr(found.instance_sum_mean),
        "means over": f"{found.mean_over} images of {size}x{size} pixels",
        "area of an image, percentiles": counts(found.image_area),
        "area of a mask, percentiles": counts(found.mask_area),
    }
    return "\n".join(f"{name:<29}  {value}" for name, value in lines.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. An error is one line on standard error and the exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m model_src.data.labels", description="Statistics of a label file.")
    parser.add_argument("labels", type=Path, help="ImageId,EncodedPixels; .csv or .csv.gz")
    parser.add_argument("--ids", type=Path, help="only the ImageIds in this file's first column")
    parser.add_argument("--exclude", type=Path, help="all but the ImageIds in this file's first column")
    parser.add_argument("--first", type=int, help="only the first N images, sorted by ImageId as text")
    parser.add_argument("--images", type=int, help="divide the means by M images; the others count as empty")
    parser.add_argument("--size", type=int, default=SIZE, help="edge of the images in pixels (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    if given.size < 1 or (given.first is not None and given.first < 1):
        parser.error("--size and --first must be at least 1")
    shape = (given.size, given.size)
    try:
        labels = read_labels(given.labels, shape=shape)
        ids = read_ids(given.ids) if given.ids else None
        exclude = read_ids(given.exclude) if given.exclude else []
        chosen = choose(labels, ids=ids, exclude=exclude, first=given.first)
        unannotated = len(set(ids or ()) - labels.keys() - set(exclude))
        found = statistics_of(chosen, shape=shape, unannotated=unannotated, mean_over=given.images)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(found), indent=2) if given.json else table(found, given.size))
    return 0


if __name__ == "__main__":
    sys.exit(main())
