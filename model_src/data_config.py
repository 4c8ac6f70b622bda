"""The settings of the data and the folds, which are a part of the config: see config.py.

Standard library only, like config.py.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from .ranges import Checked, Count, Seed, Share, absolute_path, at_least, check, multiple_of, naming


@dataclass(frozen=True)
class DataConfig(Checked):
    """Which images and labels, and how they are read."""

    source: Annotated[str, naming("a data set or a competition")] = "seesee/siim-train-test"
    """A Kaggle data set ("owner/slug") or a competition ("slug") that is attached to the kernel."""
    labels: Annotated[str, naming("a file")] = "train-rle.csv"
    """Name of the label file in the source; subfolders are searched, too."""
    train_folder: Annotated[str, naming("a folder")] = "dicom-images-train"
    """Name of the folder of labelled DICOM files in the source."""
    test_folder: Annotated[str, naming("a folder")] = "dicom-images-test"
    """Name of the folder of DICOM files to predict; without such a folder the submission has no rows."""
    image_size: Annotated[int, at_least(64), multiple_of(32)] = 1024
    """Edge of the square image that the model sees, in pixels."""
    num_workers: Annotated[int, at_least(0)] = 2
    """Processes that prepare batches, and threads that decode images; 0 = the main process does both."""
    unreadable: Literal["stop", "skip"] = "stop"
    """Whether a file that cannot be read stops the run, or is left out and counted; in the test set it gets no mask."""
    limit: Count | None = None
    """Use the first n images, sorted by ImageId, of train and of test only; None = all. For quick experiments."""
    extra_labels: Annotated[str, naming("a file")] | None = None
    """Name of a label file of extra images, which every fold trains on and none validates; None = no extra images."""
    extra_source: Annotated[str, naming("a data set or a competition")] | None = None
    """The data set or competition with the extra labels and images; None = `source`."""
    extra_folder: Annotated[str, naming("a folder")] | None = None
    """Name of the folder of the extra images in their source; None = the whole source is searched."""
    cache_dir: Annotated[str, absolute_path()] | None = None
    """Absolute path of the cache of decoded images; None = a folder in the system's temporary folder."""
    cache_gib: Annotated[float, at_least(0)] = 20.0
    """Largest size of the cache in GiB; the least recently used images are removed. One of 1024 pixels takes 1 MiB."""

    def __post_init__(self) -> None:
        check(
            self,
            (
                self.extra_labels is None and bool(self.extra_source or self.extra_folder),
                "extra_labels must name a file when extra_source or extra_folder is given, is null",
            ),
        )


@dataclass(frozen=True)
class FoldsConfig(Checked):
    """Cross-validation, grouped by image and patient, stratified by presence and area."""

    n: Annotated[int, at_least(2)] = 5
    """Number of folds."""
    area_bins: Count = 10
    """Number of strata: images with a mask are divided by its area into so many groups of equal size."""
    run: tuple[int, ...] = ()
    """Folds to train, counted from 0; empty = all."""
    seed: Seed | None = None
    """Seed of the folds and the holdout; None = the run's seed. If set, runs with different seeds have equal folds."""
    holdout: Annotated[float, at_least(0, below=1)] = 0.0
    """Share of the labelled images that no fold trains on or validates, stratified like the folds. 0 = none.

    The mean of the models of all folds can be measured on these images only.
    """
    placeholder_share: Share = 0.5
    """A PatientID of more than this share of the labelled images is a placeholder, such as "anonymous", and no patient.

    0 = all of them: every image is a patient of its own; 1 = none: a patient is never in two folds.
    """

    def __post_init__(self) -> None:
        unknown = [fold for fold in self.run if not 0 <= fold < self.n]
        check(
            self,
            (bool(unknown), f"run must hold folds from 0 to {self.n - 1}, holds {unknown}"),
            (len(set(self.run)) < len(self.run), f"run must name each fold once, is {list(self.run)}"),
        )
