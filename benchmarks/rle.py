"""Decodes the real masks from text, unites those of each image and encodes the result, in several ways.

    python -m benchmarks.rle [LABELS.csv[.gz]] [--images N] [--repetitions N]

pycocotools is measured if it is installed; it is given numbers, not text, and returns its own compressed code. The
official algorithm reads every pixel, so it gets a sample of the images, drawn with a fixed seed.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measure import machine, print_table, seconds, wheel_labels
from benchmarks.official import mask_to_rle, rle_to_mask
from model_src.data.labels import read_labels
from model_src.data.rle import encode, parse, union, unite, write

SIZE = 1024

Way = Callable[[Sequence[str]], object]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rle")
    parser.add_argument("labels", type=Path, nargs="?", help="label file (default: that of torchxrayvision)")
    parser.add_argument("--images", type=int, default=20, help="sample for the official algorithm (%(default)s)")
    parser.add_argument("--repetitions", type=int, default=5, help="runs of each way, in turns (%(default)s)")
    given = parser.parse_args()
    images = [codes for codes in read_labels(given.labels or wheel_labels()).values() if codes]
    print(f"{sum(map(len, images))} masks of {len(images)} images; {machine()}\n")
    same(images)

    ways: dict[str, Way] = {"model_src, through pixels": through_pixels, "model_src, runs only": through_runs}
    coco = pycocotools()
    if coco is None:
        print("pycocotools: skipped, not installed\n")
    else:
        ways["pycocotools, through pixels"] = functools.partial(coco_pixels, coco)
        ways["pycocotools, runs only"] = functools.partial(coco_runs, coco)
    compare(ways, images, given.repetitions)
    print()
    sample = random.Random(0).sample(images, given.images)
    compare({"model_src, through pixels": through_pixels, "official algorithm": official}, sample, given.repetitions)


def compare(ways: Mapping[str, Way], images: Sequence[Sequence[str]], repetitions: int) -> None:
    """Prints one table with ratios to the first way."""
    taken = seconds({name: functools.partial(each_image, way, images) for name, way in ways.items()}, repetitions)
    rows = [
        [name, f"{1000 * each / len(images):.3f}", f"{each / next(iter(taken.values())):.2f}"]
        for name, each in taken.items()
    ]
    print_table([f"decode, unite, encode {len(images)} images", "ms an image", "ratio"], rows)


def each_image(way: Way, images: Sequence[Sequence[str]]) -> None:
    """Calls the function for each image, and keeps no results, so that memory does not matter."""
    for codes in images:
        way(codes)


def through_pixels(codes: Sequence[str]) -> str:
    """Like the training program, with a mask in between."""
    return encode(union(codes, SIZE, SIZE))


def through_runs(codes: Sequence[str]) -> str:
    """Like scoring, without a mask in between."""
    return write(unite([parse(code, SIZE * SIZE) for code in codes]))


def official(codes: Sequence[str]) -> str:
    """With the competition's functions, and the maximum of the masks in between."""
    masks = [rle_to_mask(code, SIZE, SIZE) for code in codes]
    return mask_to_rle(np.maximum.reduce(masks).astype(np.uint8), SIZE, SIZE)


def coco_pixels(coco: ModuleType, codes: Sequence[str]) -> Any:
    """pycocotools with a mask in between; its masks are in column order, as those of the competition."""
    masks = coco.decode(coco_codes(coco, codes))
    return coco.encode(np.asfortranarray(masks.any(axis=2).view(np.uint8)) if len(codes) > 1 else masks)


def coco_runs(coco: ModuleType, codes: Sequence[str]) -> Any:
    """pycocotools without a mask in between."""
    return coco.merge(coco_codes(coco, codes))


def coco_codes(coco: ModuleType, codes: Sequence[str]) -> Any:
    """The codes in the form of pycocotools."""
    counts = [coco_counts(code) for code in codes]
    return coco.frPyObjects([{"counts": each, "size": [SIZE, SIZE]} for each in counts], SIZE, SIZE)


@functools.cache
def coco_counts(code: str) -> npt.NDArray[np.uint32]:
    """The input of pycocotools: gaps and lengths alternate as in the text, and the last gap is written, too.

    Results are cached, so that reading text is not measured: `same` calls it for every code before.
    """
    numbers = [int(number) for number in code.split()]
    return np.array([*numbers, SIZE * SIZE - sum(numbers)], np.uint32)


def pycocotools() -> ModuleType | None:
    """The module, or None if it is not installed."""
    return importlib.import_module("pycocotools.mask") if importlib.util.find_spec("pycocotools") else None


def same(images: Sequence[Sequence[str]]) -> None:
    """Raises AssertionError unless all ways give the same results."""
    coco = pycocotools()
    for codes in images:
        assert through_pixels(codes) == through_runs(codes)
        if coco is not None:
            decoded = coco.decode(coco_codes(coco, codes)).any(axis=2)
            assert np.array_equal(decoded, union(codes, SIZE, SIZE))
            assert np.array_equal(coco.decode(coco_pixels(coco, codes)).reshape(SIZE, SIZE), decoded)
            assert np.array_equal(coco.decode(coco_runs(coco, codes)), decoded)
    assert official(images[0]) == through_pixels(images[0])


if __name__ == "__main__":
    main()
