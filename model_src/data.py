"""Everything that a run reads: labelled pictures, pictures to predict, labels, and the count of what was left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .config import DataConfig
from .inputs import InputMissing, find_inside, find_source
from .labels import read_labels
from .pictures import Pictures, decode_pictures, find_dicoms


@dataclass(frozen=True)
class Data:
    """Pictures are in the order of their ImageIds."""

    train: Pictures
    test: Pictures
    labels: Mapping[str, tuple[str, ...]]
    """The encoded masks of each labelled image; empty = it has none."""
    counts: Mapping[str, int]

    def is_positive(self, index: int) -> bool:
        """Whether the training picture at this position has a mask."""
        return bool(self.labels[self.train.ids[index]])


def load_data(config: DataConfig, *, root: Path, scratch: Path, say: Callable[[str], None]) -> Data:
    """Find, match and decode; `say` gets a line for whatever a reader of the run should know.

    Pictures without a label row and rows without a picture are left out and counted. Raises InputMissing,
    UnreadableDicom, or ValueError when nothing is left to train on.
    """
    source = find_source(config.source, root)
    labels = read_labels(find_inside(source, config.labels))
    found = find_dicoms(find_inside(source, config.train_folder))
    labelled = [(image_id, path) for image_id, path in found.items() if image_id in labels][: config.limit]
    try:
        to_predict = list(find_dicoms(find_inside(source, config.test_folder)).items())[: config.limit]
    except InputMissing:
        say(f"no {config.test_folder} in {source}: nothing to predict")
        to_predict = []

    def decode(name: str, files: list[tuple[str, Path]]) -> Pictures:
        pictures = decode_pictures(
            files,
            to=scratch / f"{name}.npy",
            image_size=config.image_size,
            unreadable=config.unreadable,
            threads=config.num_workers,
        )
        for line in pictures.skipped:
            say(f"skipped {line}")
        return pictures

    train, test = decode("train", labelled), decode("test", to_predict)
    counts = {
        "images": len(train.ids),
        "positive": sum(bool(labels[image_id]) for image_id in train.ids),
        "test_images": len(test.ids),
        "skipped": len(train.skipped) + len(test.skipped),
        "unlabelled": len(found.keys() - labels.keys()),
        "without_picture": len(labels.keys() - found.keys()),
    }
    say(", ".join(f"{name} {count}" for name, count in counts.items()))
    if not counts["positive"]:
        raise ValueError(f"{source} has no picture with a mask to train on: {counts}")
    return Data(train, test, labels, counts)
