"""A small data set in the competition's own shape: DICOM files, `train-rle.csv`, `sample_submission.csv`.

    python -m runner_test.samples DIR [--images 120] [--test-images 16] [--size 256] [--positive 0.35]
                                          [--labels CSV[.gz]] [--seed 0]

The pictures are drawn, not those of patients: two dark lungs, a bright mediastinum, ribs, vessels, noise. A
pneumothorax looks as on a real film, but clearer: a darker part at the lung's edge without vessels, with the thin
bright line of the pleura along it. So a model has to learn it from the pixels, and can in a few minutes. The same
arguments give the same bytes.

The solution for the pictures to predict is written beside the folder, to DIR-solution.csv, where no session can read
it.

With `--labels` the pictures are drawn around the masks of a real label file: its images are sorted by ImageId, the
first `--images` are the labelled ones with their rows copied unchanged, the next `--test-images` are those to predict.
Real masks are 1024 x 1024 pixels, so the pictures are, too, and the file decides which are positive.

The labels' format is encoded and decoded here independently of the model source, so that the tests compare the two.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from pydicom.config import IGNORE
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEGBaseline8Bit, SecondaryCaptureImageStorage

from runner_test.samples.drawn_chest import Mask, draw, pair_of_lungs, pneumothorax
from runner_test.state import unfinished_folder

LABEL_FILE_SIZE = 1024
"""Edge of the masks in the competition's label files, in pixels."""


@dataclass(frozen=True)
class Sample:
    """A picture before it is drawn: its ImageId, its masks (edge, edge), and its rows of the label file."""

    image_id: str
    masks: tuple[Mask, ...]
    rows: tuple[str, ...]


@dataclass(frozen=True)
class SampleData:
    """Which data set to write. Raises ValueError for values that contradict each other."""

    images: int = 120
    """Number of labelled pictures, at least 1."""
    test_images: int = 16
    """Number of pictures to predict."""
    size: int | None = None
    """Edge of a picture in pixels, at least 32: 256, or 1024 with `labels`."""
    positive: float | None = None
    """Share of pictures with a mask: 0.35, or what `labels` says."""
    labels: Path | None = None
    """A label file of the competition (CSV, also .gz) whose masks are drawn around."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.images < 1 or self.test_images < 0:
            raise ValueError(f"images must be >= 1 and test-images >= 0, are {self.images} and {self.test_images}")
        if self.labels is not None:
            if self.size not in (None, LABEL_FILE_SIZE) or self.positive is not None:
                raise ValueError("labels decide size (1024) and positive; leave both out")
        elif self.edge < 32 or not 0 <= self.share <= 1:
            raise ValueError(f"size must be >= 32 and positive from 0 to 1, are {self.edge} and {self.share}")

    @property
    def edge(self) -> int:
        """Edge of a picture, in pixels."""
        return self.size or (256 if self.labels is None else LABEL_FILE_SIZE)

    @property
    def share(self) -> float:
        """Share of pictures with a mask, where no label file decides it."""
        return 0.35 if self.positive is None else self.positive

    def samples(self) -> list[Sample]:
        """The labelled pictures, then those to predict. Raises OSError and ValueError for the label file."""
        if self.labels is not None:
            return _from_labels(self.labels, self.images + self.test_images)
        return [
            *_invented(self.images, self.share, self.edge, self.seed, "train"),
            *_invented(self.test_images, self.share, self.edge, self.seed, "test"),
        ]


DEFAULT: Final = SampleData()


def write_sample_data(directory: Path, data: SampleData = DEFAULT) -> None:
    """Write the data set to `directory`, which must not exist yet; it appears complete or not at all.

    Raises FileExistsError, and OSError and ValueError for a label file that can't be used.
    """
    if directory.exists():
        raise FileExistsError(f"{directory} exists already; remove it or choose another directory")
    samples = data.samples()
    with unfinished_folder(directory) as unfinished:
        for index, sample in enumerate(samples):
            folder = "dicom-images-train" if index < data.images else "dicom-images-test"
            _write_dicom(unfinished / folder, sample, data.edge, data.seed)
        _write_labels(unfinished / "train-rle.csv", samples[: data.images])
        lines = [f"{sample.image_id},-1\n" for sample in samples[data.images :]]
        _write_text(unfinished / "sample_submission.csv", ["ImageId,EncodedPixels\n", *lines])
        _write_solution(directory.with_name(f"{directory.name}-solution.csv"), samples[data.images :])
        unfinished.replace(directory)


def _write_solution(path: Path, samples: Sequence[Sample]) -> None:
    """One row a picture with the union of its masks, as the competition scores."""
    truth = [_encode(np.any(sample.masks, axis=0)) if sample.masks else "-1" for sample in samples]
    rows = [f"{sample.image_id},{code}\n" for sample, code in zip(samples, truth, strict=True)]
    _write_text(path, ["ImageId,EncodedPixels\n", *rows])


def _invented(count: int, positive: float, size: int, seed: int, part: str) -> Iterator[Sample]:
    """`count` samples of which round(count * positive) have masks; every third of these has two."""
    with_mask = set(_random(seed, part).permutation(count)[: round(count * positive)].tolist())
    for index in range(count):
        image_id = _uid(seed, part, index)
        rng = _random(seed, image_id, "masks")
        lungs = pair_of_lungs(_random(seed, image_id, "lungs"))
        sides = rng.permutation(2)[: 1 + (rng.random() < 1 / 3)] if index in with_mask else ()
        masks = tuple(pneumothorax(lungs[side], side == 0, size, rng) for side in sorted(sides))
        yield Sample(image_id, masks, tuple(f" {_encode(mask)}" for mask in masks) or (" -1",))


def _from_labels(path: Path, count: int) -> list[Sample]:
    """The first `count` images of a label file, sorted by ImageId, with their rows as they stand."""
    rows: dict[str, list[str]] = {}
    with gzip.open(path, "rt") if path.suffix.lower() == ".gz" else path.open(encoding="utf-8") as file:
        for image_id, value in list(csv.reader(file))[1:]:
            rows.setdefault(image_id.strip(), []).append(value)
    # The ids become names of files and folders.
    if odd := [image_id for image_id in rows if not UID(image_id, validation_mode=IGNORE).is_valid]:
        raise ValueError(f"{path}: an ImageId must be a DICOM identifier, is {odd[0]!r}")
    if len(rows) < count:
        raise ValueError(f"{path} holds {len(rows)} images, {count} are asked for")
    return [
        Sample(image_id, tuple(_decode(row) for row in rows[image_id] if row.strip() != "-1"), tuple(rows[image_id]))
        for image_id in sorted(rows)[:count]
    ]


def _write_dicom(folder: Path, sample: Sample, size: int, seed: int) -> None:
    """Write <folder>/<study>/<series>/<image id>.dcm with the header fields that the real files have."""
    picture = draw(
        sample.masks,
        pair_of_lungs(_random(seed, sample.image_id, "lungs")),
        size,
        _random(seed, sample.image_id, "picture"),
    )
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=90)
    rng = _random(seed, sample.image_id, "patient")
    study, series = _uid(seed, sample.image_id, "study"), _uid(seed, sample.image_id, "series")
    patient = hashlib.sha256(sample.image_id.encode()).hexdigest()[:16]

    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = UID(sample.image_id)
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    # Fixed, so that another version of pydicom writes the same bytes.
    meta.ImplementationClassUID = UID(_uid("implementation"))
    meta.ImplementationVersionName = "SAMPLE_DATA"

    header = Dataset()
    header.file_meta = meta
    header.SpecificCharacterSet = "ISO_IR 100"
    header.SOPClassUID = SecondaryCaptureImageStorage
    header.SOPInstanceUID = UID(sample.image_id)
    header.StudyDate, header.StudyTime = "19010101", "000000.00"
    header.AccessionNumber, header.StudyID, header.ReferringPhysicianName = "", "", ""
    header.Modality, header.ConversionType = "CR", "WSD"
    header.PatientName = header.PatientID = f"sample-{patient}"
    header.PatientBirthDate = ""
    header.PatientSex = str(rng.choice(["F", "M"]))
    # The standard wants the unit Y, which the real files leave out.
    header.add_new("PatientAge", "AS", f"{rng.integers(18, 90):03d}Y")
    header.BodyPartExamined = "CHEST"
    header.ViewPosition = str(rng.choice(["AP", "PA"]))
    header.SeriesDescription = f"view: {header.ViewPosition}"
    header.StudyInstanceUID, header.SeriesInstanceUID = UID(study), UID(series)
    header.SeriesNumber, header.InstanceNumber = 1, 1
    header.PatientOrientation = ""
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.Rows, header.Columns = size, size
    header.PixelSpacing = [0.168, 0.168]
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 8, 8, 7, 0
    header.LossyImageCompression, header.LossyImageCompressionMethod = "01", "ISO_10918_1"
    header.PixelData = encapsulate([encoded.getvalue()])
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True

    path = folder / study / series / f"{sample.image_id}.dcm"
    path.parent.mkdir(parents=True)
    header.save_as(path, enforce_file_format=True)


def _write_labels(path: Path, samples: Sequence[Sample]) -> None:
    """The label file in the competition's format, with its blanks; copied rows are unchanged."""
    lines = [f"{sample.image_id},{row}\n" for sample in samples for row in sample.rows]
    _write_text(path, ["ImageId, EncodedPixels\n", *lines])


def _write_text(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def _encode(mask: Mask) -> str:
    """Run-length encoding of a mask (edge, edge): pairs of gap and length, column by column, as in the competition.

    A gap is counted from the end of the previous run.
    """
    flat = np.concatenate(([False], mask.T.ravel(), [False]))
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return " ".join(map(str, np.diff(edges, prepend=0)))


def _decode(row: str) -> Mask:
    """The mask (1024, 1024) of one row of a real label file."""
    edges = np.cumsum([int(each) for each in row.split()])
    flat = np.zeros(LABEL_FILE_SIZE**2, bool)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        flat[start:stop] = True
    return flat.reshape(LABEL_FILE_SIZE, LABEL_FILE_SIZE).T


def _digest(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:16], "big")


def _random(*parts: object) -> np.random.Generator:
    """A generator for each purpose, so that a picture does not depend on how many were drawn before."""
    return np.random.default_rng(_digest(*parts))


def _uid(*parts: object) -> str:
    """A DICOM identifier below 2.25, the root for generated numbers (DICOM PS3.5, annex B.2)."""
    return f"2.25.{_digest(*parts)}"
