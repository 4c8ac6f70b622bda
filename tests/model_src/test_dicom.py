"""Reading DICOM: real pictures in several encodings, and what is refused."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from model_src.dicom import UnreadableDicom, read_dicom

data_store = pytest.importorskip("data_store", reason="needs real DICOM files: pip install pydicom-data")
REAL = Path(data_store.__file__).parent / "data"


@pytest.mark.parametrize("name", ["RG1_UNCI", "RG1_UNCR", "RG1_J2KI", "RG1_J2KR"])
def test_real_chest(name: str) -> None:
    """A real chest film of 15 bits, MONOCHROME1 and windowed: the spine is bright and the lungs are dark."""
    picture = read_dicom(REAL / f"{name}.dcm")
    assert picture.dtype == np.uint8
    assert picture.shape == (1955, 1841)
    spine, left_lung, right_lung = picture[900:1100, 850:1000], picture[700:800, 450:600], picture[600:700, 1250:1400]
    assert spine.mean() > left_lung.mean() + 60
    assert spine.mean() > right_lung.mean() + 60


def test_encodings_agree() -> None:
    """The same film, plain and through lossless JPEG 2000, is the same picture."""
    plain, compressed = (read_dicom(REAL / f"RG1_{name}.dcm") for name in ("UNCR", "J2KR"))
    assert np.array_equal(plain, compressed)


def rewritten(path: Path, pixels: npt.NDArray[np.unsignedinteger], **header: object) -> Path:
    """A real file with other pixels, uncompressed, and other header fields."""
    dataset = pydicom.dcmread(REAL / "RG1_UNCR.dcm")
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    del dataset.WindowCenter, dataset.WindowWidth
    for name, value in header.items():
        setattr(dataset, name, value)
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OB" if pixels.dtype == np.uint8 else "OW"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path)
    return path


def test_eight_bits_are_left_alone(tmp_path: Path) -> None:
    """Plain 8 bit pixels come out as they are, whatever their range; MONOCHROME1 is turned round."""
    pixels = np.arange(50, 110, dtype=np.uint8).reshape(6, 10)
    assert np.array_equal(read_dicom(rewritten(tmp_path / "a.dcm", pixels)), pixels)
    inverted = rewritten(tmp_path / "b.dcm", pixels, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(read_dicom(inverted), 255 - pixels)


def test_more_bits_are_stretched(tmp_path: Path) -> None:
    """The smallest value becomes black, the largest white; a flat picture is black."""
    pixels = np.array([[1000, 2000], [3000, 6100]], np.uint16)
    assert read_dicom(rewritten(tmp_path / "a.dcm", pixels)).tolist() == [[0, 50], [100, 255]]
    assert read_dicom(rewritten(tmp_path / "b.dcm", np.full((2, 2), 900, np.uint16))).max() == 0


def test_rescale_and_window_are_honoured(tmp_path: Path) -> None:
    """A falling rescale turns the picture round; what lies outside the window is cut."""
    pixels = np.array([[0, 1000], [2000, 4000]], np.uint16)
    falling = rewritten(tmp_path / "a.dcm", pixels, RescaleSlope="-1", RescaleIntercept="4000")
    assert read_dicom(falling).tolist() == [[255, 191], [128, 0]]
    windowed = rewritten(tmp_path / "b.dcm", pixels, WindowCenter="1000", WindowWidth="2000")
    picture = read_dicom(windowed)
    assert picture[1, 0] == picture[1, 1] == 255
    assert 126 <= picture[0, 1] <= 129


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    """No file, no DICOM, a colour picture, a torn one: the error names the file and says why."""
    (tmp_path / "text.dcm").write_text("not a picture")
    whole = (REAL / "RG1_J2KR.dcm").read_bytes()
    (tmp_path / "torn.dcm").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "headless.dcm").write_bytes(whole[:2000])
    for path, reason in [
        (tmp_path / "absent.dcm", "No such file"),
        (tmp_path / "text.dcm", "DICM"),
        (tmp_path / "torn.dcm", "."),
        (tmp_path / "headless.dcm", "."),
        (REAL / "SC_rgb.dcm", "not one grey picture, but RGB"),
        (REAL / "emri_small.dcm", "not one grey picture, but MONOCHROME2 with shape"),
    ]:
        with warnings.catch_warnings():
            # pydicom warns of the torn file before it fails; in a kernel that is a line in the log.
            warnings.simplefilter("ignore")
            with pytest.raises(UnreadableDicom, match=f"{path.name}.*{reason}"):
                read_dicom(path)
