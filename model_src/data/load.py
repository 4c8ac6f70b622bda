"""Loads the data of a run: labelled images, test images and labels, and counts what is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..config import DataConfig
from .inputs import InputMissing, find_inside, find_source
from .labels import check_codes, read_labels
from .picture_cache import PictureCache, default_folder
from .pictures import Pictures, find_dicoms, read_pictures
from .rle import area, parse, unite

Labels = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Data:
    """The data of a run. Images are sorted by ImageId; extra images come last."""

    train: Pictures
    test: Pictures
    labels: Labels
    """The encoded masks of each labelled image; empty = no mask."""
    counts: Mapping[str, int]
    extra: int = 0
    """Number of extra images at the end of `train`, which every fold trains on and none validates."""

    @property
    def validated(self) -> range:
        """Positions of the images that are divided into folds."""
        return range(len(self.train.ids) - self.extra)

    def is_positive(self, index: int) -> bool:
        """Whether the training image at this position has a mask."""
        return bool(self.labels[self.train.ids[index]])

    def area(self, index: int) -> int:
        """Pixels in the union of the masks of the image at this position, in its original size."""
        return area(unite([parse(code) for code in self.labels[self.train.ids[index]]]))


def load_data(config: DataConfig, *, root: Path, say: Callable[[str], None]) -> Data:
    """Find the files, match images and labels, and read them; `say` is called with messages for the log.

    Images without a label row and rows without an image are left out and counted. Raises InputMissing, UnreadableDicom,
    or ValueError: for labels that do not fit their images, for extra images that are in the main source as well, for a
    cache in the output of the run, and when there is no image with a mask.
    """
    cache = PictureCache(cache_folder(config, root), limit=round(config.cache_gib * 2**30))
    source = find_source(config.source, root)
    labels = read_labels(find_inside(source, config.labels))
    found = find_dicoms(find_inside(source, config.train_folder))
    labelled = [(image_id, path) for image_id, path in found.items() if image_id in labels][: config.limit]
    try:
        to_predict = list(find_dicoms(find_inside(source, config.test_folder)).items())[: config.limit]
    except InputMissing:
        say(f"no {config.test_folder} in {source}: nothing to predict")
        to_predict = []
    more_labels, more_files = find_extra(config, source, root, taken=labels.keys() | found.keys())

    def read(files: list[tuple[str, Path]]) -> Pictures:
        pictures = read_pictures(
            files,
            cache=cache,
            image_size=config.image_size,
            unreadable=config.unreadable,
            threads=config.num_workers,
        )
        for line in pictures.skipped.values():
            say(f"skipped {line}")
        return pictures

    train, test, extra = read(labelled), read(to_predict), read(more_files)
    counts = {
        "images": len(train.ids),
        "positive": sum(bool(labels[image_id]) for image_id in train.ids),
        "test_images": len(test.ids),
        "skipped": sum(len(each.skipped) for each in (train, test, extra)),
        "test_skipped": len(test.skipped),
        "unlabelled": len(found.keys() - labels.keys()),
        "without_picture": len(labels.keys() - found.keys()),
        "extra": len(extra.ids),
        "extra_positive": sum(bool(more_labels[image_id]) for image_id in extra.ids),
        **{
            name: sum(each.counts.get(name, 0) for each in (train, test, extra))
            for name in ("decoded", "kept_before", "not_kept")
        },
        "cache_refused": cache.refused,
        "flat": len(flat := (*train.flat, *test.flat, *extra.flat)),
        "train_in_test": len(both := shared_images(train.joined(extra), test)),
    }
    say(", ".join(f"{name} {count}" for name, count in counts.items() if count))
    if counts["not_kept"]:
        say(
            f"{counts['not_kept']} images are decoded each time that they are used: {cache.folder} has no space for "
            f"them; data.cache_gib is {config.cache_gib:g}"
        )
    if test.skipped:
        say(f"test images that can't be read: {len(test.skipped)}; the submission has an empty mask (-1) for each")
    if flat:
        say(
            f"{len(flat)} images, such as {flat[0]}, have one grey value only: nothing can be seen in them, and the "
            "files are most likely damaged"
        )
    if both:
        say(
            f"{len(both)} labelled images, such as {both[0]}, are test images, too: the submission's score will be "
            "too high"
        )
    if not counts["positive"]:
        raise ValueError(f"{source} has no image with a mask to train on: {counts}")
    together, both_labels = train.joined(extra), {**labels, **more_labels}
    shapes = dict(zip(together.ids, together.shapes, strict=True))
    check_codes(both_labels, shapes)
    return Data(together, test, both_labels, counts, len(extra.ids))


def shared_images(train: Pictures, test: Pictures) -> list[str]:
    """The ImageIds of `train` that are in `test` as well: by their name or, where the cache has both, by their file."""
    files = set(test.kept) - {None}
    names = set(test.ids)
    shared = {each for each, kept in zip(train.ids, train.kept, strict=True) if each in names or kept in files}
    return sorted(shared)


def find_extra(
    config: DataConfig, source: Path, root: Path, *, taken: set[str]
) -> tuple[dict[str, tuple[str, ...]], list[tuple[str, Path]]]:
    """Labels and files of the extra images; both empty without `extra_labels`.

    Raises ValueError when there is no such image, and for an ImageId that is `taken`: the fold that validates it would
    train on it, too.
    """
    if config.extra_labels is None:
        return {}, []
    folder = find_source(config.extra_source, root) if config.extra_source else source
    labels = read_labels(find_inside(folder, config.extra_labels))
    files = find_dicoms(find_inside(folder, config.extra_folder) if config.extra_folder else folder)
    chosen = [(image_id, path) for image_id, path in files.items() if image_id in labels]
    if not chosen:
        raise ValueError(f"{config.extra_labels} labels no image in {folder}: there are no extra images")
    if twice := sorted(taken & {image_id for image_id, _ in chosen}):
        raise ValueError(
            f"{len(twice)} extra images are in {config.source} as well, such as {', '.join(twice[:3])}; "
            "set data.extra_folder to a folder of other images, or remove them"
        )
    return {image_id: labels[image_id] for image_id, _ in chosen}, chosen


def cache_folder(config: DataConfig, root: Path) -> Path:
    """The folder of the cache. Raises ValueError when it is in the output of the session."""
    folder = (Path(config.cache_dir) if config.cache_dir else default_folder()).resolve()
    output = (root / "working").resolve()
    if folder.is_relative_to(output):
        raise ValueError(f"data.cache_dir {folder} is in {output}: the whole cache would become the output of the run")
    return folder
