"""Sample data: the competition's formats, drawn pictures, and nothing half-written."""

from __future__ import annotations

import csv
import gzip
import hashlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGBaseline8Bit

from model_src.labels import decode, encode, read_labels, union
from runner_test.samples import SampleData, write_sample_data


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty labelled pictures of 128 pixels and four to predict."""
    directory = tmp_path_factory.mktemp("sample") / "data"
    write_sample_data(directory, SampleData(images=30, test_images=4, size=128))
    return directory


def digests(directory: Path) -> dict[str, str]:
    """The digest of every file, by path."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_same_arguments_same_bytes(sample: Path, tmp_path: Path) -> None:
    """The bytes depend on neither time, machine nor order; another seed gives another data set."""
    write_sample_data(tmp_path / "again", SampleData(images=30, test_images=4, size=128))
    assert digests(tmp_path / "again") == digests(sample)
    write_sample_data(tmp_path / "other", SampleData(images=30, test_images=4, size=128, seed=1))
    shared = digests(tmp_path / "other").keys() & digests(sample).keys()
    assert shared == {"train-rle.csv", "sample_submission.csv"}


def test_layout_and_header(sample: Path) -> None:
    """<study>/<series>/<image id>.dcm, with the fields and the encoding of the real files, and no patient's name."""
    files = sorted((sample / "dicom-images-train").rglob("*.dcm"))
    assert len(files) == 30
    assert len(list((sample / "dicom-images-test").rglob("*.dcm"))) == 4
    for path in files:
        header = pydicom.dcmread(path)
        assert header.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
        assert path.parts[-3:] == (header.StudyInstanceUID, header.SeriesInstanceUID, f"{header.SOPInstanceUID}.dcm")
        assert all(len(part) <= 64 for part in (header.StudyInstanceUID, header.SOPInstanceUID))
        assert (header.Rows, header.Columns, header.BitsStored) == (128, 128, 8)
        assert (header.PhotometricInterpretation, header.Modality) == ("MONOCHROME2", "CR")
        assert header.PatientID.startswith("sample-")
        assert header.pixel_array.shape == (128, 128)


def test_label_file_is_written_as_the_competition_wrote_it(sample: Path) -> None:
    """The blank in the header and before each value, -1 for none, several rows for some images."""
    lines = (sample / "train-rle.csv").read_text().splitlines()
    assert lines[0] == "ImageId, EncodedPixels"
    assert all(line.split(",")[1].startswith(" ") for line in lines[1:])
    labels = read_labels(sample / "train-rle.csv")
    assert labels.keys() == {path.stem for path in (sample / "dicom-images-train").rglob("*.dcm")}
    assert sum(map(bool, labels.values())) == round(30 * 0.35)
    assert {len(codes) for codes in labels.values()} == {0, 1, 2}
    assert all(encode(decode(code, 128, 128)) == code for codes in labels.values() for code in codes)


def test_sample_submission_names_the_test_pictures(sample: Path) -> None:
    """One row with -1 for each picture to predict."""
    lines = (sample / "sample_submission.csv").read_text().splitlines()
    ids = {path.stem for path in (sample / "dicom-images-test").rglob("*.dcm")}
    assert lines[0] == "ImageId,EncodedPixels"
    assert {line.removesuffix(",-1") for line in lines[1:]} == ids


def test_signal_is_in_the_pixels(sample: Path) -> None:
    """The pixels under a mask are darker than the same place in healthy pictures."""
    labels = read_labels(sample / "train-rle.csv")
    pictures = {
        path.stem: pydicom.dcmread(path).pixel_array.astype(float)
        for path in (sample / "dicom-images-train").rglob("*.dcm")
    }
    healthy = np.mean([pictures[image_id] for image_id, codes in labels.items() if not codes], axis=0)
    for image_id, codes in labels.items():
        if codes:
            under = union(codes, 128, 128)
            assert pictures[image_id][under].mean() < healthy[under].mean() - 15


def test_real_labels_are_kept_as_they_are(tmp_path: Path) -> None:
    """With a label file: its first images by id, their rows unchanged, pictures of 1024 pixels drawn around them."""
    path = tmp_path / "labels.csv.gz"
    block = np.zeros((1024, 1024), bool)
    block[300:500, 200:300] = True
    rows = [
        "2.25.4,-1",
        "2.25.3, -1",
        f"2.25.2,{encode(block)}",
        f"2.25.2, {encode(block.T)}",
        "2.25.1,-1",
    ]
    with gzip.open(path, "wt") as file:
        file.write("\n".join(["ImageId, EncodedPixels", *rows]) + "\n")
    write_sample_data(tmp_path / "data", SampleData(images=3, test_images=1, labels=path))
    with (tmp_path / "data/train-rle.csv").open(newline="") as file:
        assert list(csv.reader(file))[1:] == [
            ["2.25.1", "-1"],
            ["2.25.2", encode(block)],
            ["2.25.2", f" {encode(block.T)}"],
            ["2.25.3", " -1"],
        ]
    assert [path.stem for path in (tmp_path / "data/dicom-images-test").rglob("*.dcm")] == ["2.25.4"]
    picture = pydicom.dcmread(next((tmp_path / "data").rglob("2.25.2.dcm"))).pixel_array
    assert picture.shape == (1024, 1024)
    assert picture[320:480, 220:280].mean() < 80


def test_solution_is_out_of_the_sessions_reach(sample: Path) -> None:
    """Beside the folder: a row for each picture to predict, some of which have a mask."""
    with sample.with_name("data-solution.csv").open(newline="") as file:
        solution = {row["ImageId"]: row["EncodedPixels"] for row in csv.DictReader(file)}
    assert sorted(solution) == sorted(path.stem for path in (sample / "dicom-images-test").rglob("*.dcm"))
    assert 0 < sum(code != "-1" for code in solution.values()) < 4
    for image_id, code in solution.items():
        if code != "-1":
            picture = pydicom.dcmread(next(sample.rglob(f"{image_id}.dcm"))).pixel_array
            assert picture[decode(code, 128, 128)].mean() < picture.mean()


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    """A directory that exists is not touched, and a failure leaves nothing behind."""
    here = tmp_path / "here"
    (here / "data").mkdir(parents=True)
    with pytest.raises(FileExistsError, match="exists already"):
        write_sample_data(here / "data")
    labels = tmp_path / "labels.csv"
    # A code that leads outside the picture is detected only when the masks are decoded.
    labels.write_text("ImageId,EncodedPixels\n2.25.1,-1\n2.25.2,5 5 5\n")
    with pytest.raises(ValueError, match="zip"):
        write_sample_data(here / "new", SampleData(images=2, test_images=0, labels=labels))
    labels.write_text("ImageId,EncodedPixels\n2.25.1,-1\n../../x,-1\n")
    with pytest.raises(ValueError, match=r"must be a DICOM identifier, is '\.\./\.\./x'"):
        write_sample_data(here / "new", SampleData(images=2, test_images=0, labels=labels))
    assert list(here.iterdir()) == [here / "data"]
    assert not list((here / "data").iterdir())
