"""An epoch's data: from kept pictures, and decoding every DICOM file each time.

    python -m benchmarks.data [--images N] [--size PX] [--repetitions N]

Both go through the program's own code, one with a cache and one with a cache that has no room, on drawn pictures in
the competition's format (JPEG Baseline of 1024 pixels), half of them with masks, in one process. "Pixels" are what the
cache holds; "samples" are what the detector is given: float pictures, masks and boxes, which both ways have to make.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measure import machine, print_table, seconds
from model_src.dataset import ChestXrays
from model_src.labels import read_labels
from model_src.picture_cache import PictureCache
from model_src.pictures import Pictures, find_dicoms, read_pictures
from runner_test.sample_data import write_sample_data


def main() -> None:
    """Draw, read, check that both ways give the same, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=60, metavar="N", help="pictures an epoch (60)")
    parser.add_argument(
        "--size", type=int, nargs="+", default=[1024, 512], metavar="PX", help="edges of the model's pictures"
    )
    parser.add_argument("--repetitions", type=int, default=7, metavar="N", help="epochs of each kind (7)")
    wanted = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sample_data(folder / "data", images=wanted.images, test_images=0, size=1024, positive=0.5)
        labels = read_labels(folder / "data" / "train-rle.csv")
        for size in wanted.size:
            kept, decoded = _read(folder, size, limit=2**40), _read(folder, size, limit=0)
            assert all(np.array_equal(kept.pixels(i), decoded.pixels(i)) for i in range(wanted.images))
            for what, walk in (("pixels", _pixels), ("samples", partial(_samples, labels=labels))):
                taken = seconds({"kept": partial(walk, kept), "decoded": partial(walk, decoded)}, wanted.repetitions)
                rates = [wanted.images / taken[way] for way in ("decoded", "kept")]
                ratio = taken["decoded"] / taken["kept"]
                rows.append([f"{what}, {size} pixels", *(f"{rate:.0f}" for rate in rates), f"{ratio:.1f}"])
    print(f"{wanted.images} pictures; {machine()}.\n")
    print_table(["an epoch of", "decoded each time, images/s", "kept, images/s", "ratio"], rows)


def _read(folder: Path, size: int, *, limit: int) -> Pictures:
    """The pictures through a cache of its own; a limit of 0 bytes keeps none."""
    cache = PictureCache(folder / f"cache-{limit}", limit=limit)
    files = find_dicoms(folder / "data" / "dicom-images-train").items()
    return read_pictures(files, cache=cache, image_size=size, unreadable="stop", threads=2)


def _pixels(pictures: Pictures) -> None:
    """Every picture's pixels, read to the last."""
    for index in range(len(pictures.ids)):
        pictures.pixels(index).max()


def _samples(pictures: Pictures, labels: dict[str, tuple[str, ...]]) -> None:
    """Every picture's sample."""
    xrays = ChestXrays(pictures, labels, range(len(pictures.ids)))
    for place in range(len(xrays)):
        xrays[place]


if __name__ == "__main__":
    main()
