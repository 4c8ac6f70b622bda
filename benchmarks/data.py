"""The data of an epoch: read from the cache of pictures, compared with decoding every DICOM file each time.

    python -m benchmarks.data [LABELS.csv[.gz]] [--images N] [--size PX ...] [--repetitions N]

Both use the program's own code, one with a cache and one with a cache of size 0, in one process and in turns. Pictures
are drawn around real masks in the competition's format (JPEG Baseline of 1024 pixels). Without a label file, the masks
are those in the wheel of torchxrayvision. "Pixels" are the content of the cache. "Samples" are the output of the data
set: pictures as bytes, masks and boxes; all of it is read, because a memory-mapped file is loaded only when it is read.
"Images" are samples converted to floats on this processor; in a training a graphics card does that.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks.measure import machine, print_table, seconds, wheel_labels
from model_src.data.dataset import ChestXrays, Sample
from model_src.data.labels import read_labels
from model_src.data.picture_cache import PictureCache
from model_src.data.pictures import Pictures, find_dicoms, read_pictures
from model_src.data.transfer import images_on_device
from runner_test.samples import SampleData, write_sample_data

Labels = dict[str, tuple[str, ...]]

CPU = torch.device("cpu")
REAL_SHARE = 0.22
"""The share of the competition's images that have a mask."""


def main() -> None:
    """Draw and read the pictures, check that both ways give the same, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("labels", type=Path, nargs="?", help="ImageId,EncodedPixels of pictures of 1024 pixels")
    parser.add_argument("--images", type=int, default=100, metavar="N", help="pictures, half of them with masks (100)")
    parser.add_argument(
        "--size", type=int, nargs="+", default=[1024, 512], metavar="PX", help="edges of the model's pictures"
    )
    parser.add_argument("--repetitions", type=int, default=7, metavar="N", help="epochs of each kind (7)")
    wanted = parser.parse_args()
    labels = _choose(read_labels(wanted.labels or wheel_labels()), wanted.images)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_data(folder, labels)
        for size in wanted.size:
            kept, decoded = _read(folder, size, limit=2**40), _read(folder, size, limit=0)
            for what, walk in _epochs(kept.ids, labels).items():
                assert walk(kept) == walk(decoded), f"{what} of {size} pixels are not the same"
                taken = seconds({"kept": partial(walk, kept), "decoded": partial(walk, decoded)}, wanted.repetitions)
                count = len(walk(kept))
                rates = [count / taken[way] for way in ("decoded", "kept")]
                ratio = taken["decoded"] / taken["kept"]
                rows.append([f"{size} pixels: {what}", *(f"{rate:.0f}" for rate in rates), f"{ratio:.1f}"])
    masks = sum(map(len, labels.values()))
    print(f"{len(labels)} pictures, {masks} masks; torch {torch.__version__}, {machine()}.\n")
    print_table(["an epoch of", "decoded each time, images/s", "kept, images/s", "ratio"], rows)


def _choose(labels: Labels, count: int) -> Labels:
    """Real labels, half of them with masks: the first of each kind, sorted by ImageId as text."""
    kinds = [sorted(each for each in labels if bool(labels[each]) == positive) for positive in (True, False)]
    return {image_id: labels[image_id] for kind in kinds for image_id in kind[: max(count // 2, 1)]}


def _write_data(folder: Path, labels: Labels) -> None:
    """Writes a DICOM file for every image of the labels."""
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["ImageId", "EncodedPixels"])
        rows.writerows((image_id, code) for image_id, codes in labels.items() for code in codes or ("-1",))
    write_sample_data(folder / "data", SampleData(images=len(labels), test_images=0, labels=folder / "labels.csv"))


def _read(folder: Path, size: int, *, limit: int) -> Pictures:
    """Reads the pictures with a cache of at most `limit` bytes."""
    cache = PictureCache(folder / f"cache-{limit}", limit=limit)
    files = find_dicoms(folder / "data" / "dicom-images-train").items()
    return read_pictures(files, cache=cache, image_size=size, unreadable="stop", threads=2)


def _epochs(ids: Sequence[str], labels: Labels) -> dict[str, Callable[[Pictures], list[int]]]:
    """The functions to measure; each returns one number for every picture that it read."""
    positives = [index for index, image_id in enumerate(ids) if labels[image_id]]
    negatives = [index for index, image_id in enumerate(ids) if not labels[image_id]]
    real = negatives + positives[: round(len(negatives) * REAL_SHARE / (1 - REAL_SHARE))]
    return {
        "pixels": _pixels,
        f"samples, {REAL_SHARE:.0%} with masks": partial(_samples, labels=labels, order=real, read=_look),
        "samples, 50% with masks": partial(_samples, labels=labels, order=negatives + positives, read=_look),
        "samples, all with masks": partial(_samples, labels=labels, order=positives, read=_look),
        f"images, {REAL_SHARE:.0%} with masks": partial(_samples, labels=labels, order=real, read=_convert),
    }


def _pixels(pictures: Pictures) -> list[int]:
    """Reads all pixels of every picture."""
    return [int(pictures.pixels(index).max()) for index in range(len(pictures.ids))]


def _samples(pictures: Pictures, labels: Labels, order: Sequence[int], read: Callable[[Sample], int]) -> list[int]:
    """Reads the samples at these positions."""
    xrays = ChestXrays(pictures, labels, order)
    return [read(xrays[place]) for place in range(len(xrays))]


def _look(sample: Sample) -> int:
    """Reads all of the picture and its masks."""
    picture, target = sample
    return int(picture.numpy().max()) + int(target["masks"].numpy().max(initial=0))


def _convert(sample: Sample) -> int:
    """Reads both, the picture converted to floats."""
    picture, target = sample
    (image,) = images_on_device([picture], CPU)
    return round(255 * image[0, 0, 0].item()) + int(target["masks"].numpy().max(initial=0))


if __name__ == "__main__":
    main()
