"""DICOM: an optional tag that is there and empty, has several values, or is of another type than the standard says.

Seen: https://github.com/ImagingDataCommons/highdicom/issues/418 (RescaleSlope and RescaleIntercept present and empty).
"""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import Tag

from model_src.data.dicom import DicomImage, UnreadableDicom, read_dicom_image

data_store = pytest.importorskip("data_store", reason="needs real DICOM files: pip install pydicom-data")
REAL = Path(data_store.__file__).parent / "data" / "RG1_UNCR.dcm"

# (keyword, type in the file, value); bytes are written as they are.
Change = tuple[str, str, object]
NO_WINDOW: list[Change] = [("WindowCenter", "DS", None), ("WindowWidth", "DS", None)]
TURNED: list[Change] = [("PhotometricInterpretation", "CS", "MONOCHROME2")]
STEEP: list[Change] = [("RescaleSlope", "DS", "2"), ("RescaleIntercept", "DS", "0")]
RAISED: list[Change] = [("RescaleSlope", "DS", "1"), ("RescaleIntercept", "DS", "500")]


def _each(name: str, kind: str, *values: object, same_as: list[Change]) -> list[tuple[list[Change], list[Change]]]:
    return [([(name, kind, value)], same_as) for value in values]


# Type and value of RescaleSlope and of RescaleIntercept -> the image is the same as with these changes.
RESCALES: list[tuple[str, object, str, object, list[Change]]] = [
    ("DS", None, "DS", None, []),
    ("DS", b"", "DS", "0", []),
    ("DS", "1", "DS", b"", []),
    ("DS", b"abc ", "DS", b"x ", []),
    ("DS", "0", "DS", "0", []),
    ("LO", "abc", "LO", "", []),
    ("SQ", [], "SQ", [], []),
    ("DS", b"2\\3 ", "DS", b"0\\7 ", STEEP),
    ("LO", "2", "US", 0, STEEP),
    ("DS", "2", "DS", b"", []),  # half a rescale is none
    ("DS", b"", "DS", "500", []),
    ("FD", 1.0, "IS", "500", RAISED),
]
# What is changed in a real chest film -> the image is the same as with these changes.
SIBLINGS: list[tuple[list[Change], list[Change]]] = [
    *(
        ([("RescaleSlope", kind, slope), ("RescaleIntercept", other, intercept)], same_as)
        for kind, slope, other, intercept, same_as in RESCALES
    ),
    *_each("PhotometricInterpretation", "CS", b"monochrome1 ", b" MONOCHROME1", same_as=[]),
    *_each("PhotometricInterpretation", "CS", b"MONOCHROME1\\MONOCHROME1 ", same_as=[]),
    *_each("PhotometricInterpretation", "LO", "MONOCHROME1", same_as=[]),
    *_each("PhotometricInterpretation", "CS", b"", None, same_as=TURNED),
    ([("PhotometricInterpretation", "CS", b""), ("PresentationLUTShape", "CS", "INVERSE")], []),
    ([("PhotometricInterpretation", "CS", None), ("PresentationLUTShape", "CS", "IDENTITY")], TURNED),
    *_each("WindowCenter", "DS", None, b"", b"abc ", b"\\15000", same_as=NO_WINDOW),
    *_each("WindowWidth", "DS", None, b"", b"abc ", b"\\5 ", b"-5", same_as=NO_WINDOW),
    *_each("WindowCenter", "LO", "abc", same_as=NO_WINDOW),
    *_each("WindowCenter", "SQ", [], same_as=NO_WINDOW),
    ([("WindowCenter", "DS", b"15000\\1 "), ("WindowWidth", "DS", b"30000\\2 ")], []),
    ([("WindowCenter", "LO", "15000"), ("WindowWidth", "UL", 30000)], []),
    *_each("VOILUTFunction", "CS", None, b"", b"LINEAR\\SIGMOID ", b"linear", same_as=[]),
    *_each("VOILUTSequence", "SQ", [], [pydicom.Dataset()], same_as=[]),
    *_each("VOILUTSequence", "LO", "x", same_as=[]),
    *_each("ModalityLUTSequence", "SQ", [], [pydicom.Dataset()], same_as=[]),
    *_each("ModalityLUTSequence", "LO", "x", same_as=[]),
    *_each("BitsStored", "US", None, b"", 0, 99, [15, 15], same_as=[]),
    *_each("BitsStored", "LO", "15", "abc", same_as=[]),
    *_each("HighBit", "US", None, b"", 3, same_as=[]),
    *_each("NumberOfFrames", "IS", None, b"", b"0 ", b"-1", b"abc ", b"1\\1 ", b"1.0 ", same_as=[]),
    *_each("NumberOfFrames", "CS", "x", same_as=[]),
    *_each("PixelRepresentation", "US", None, b"", 7, [0, 0], same_as=[]),
    *_each("PixelRepresentation", "CS", "x", same_as=[]),
    *_each("SamplesPerPixel", "US", None, b"", 0, [1, 1], same_as=[]),
    *_each("SamplesPerPixel", "CS", "x", same_as=[]),
    *_each("PlanarConfiguration", "US", None, b"", same_as=[]),
    *_each("PixelSpacing", "DS", None, b"", b"abc ", b"1 ", same_as=[]),
    *_each("PixelPaddingValue", "US", None, b"", same_as=[]),
    *_each("ViewPosition", "CS", None, b"", b"PA\\AP ", b"\xff\xfe", same_as=[]),
    *_each("PatientSex", "CS", None, b"", b"F\\M ", b"?? ", same_as=[]),
    *_each("PatientAge", "AS", None, b"", b"abc ", b"12", same_as=[]),
    *_each("SpecificCharacterSet", "CS", None, b"", b"FOO ", same_as=[]),
]


@functools.cache
def _corner() -> bytes:
    """A real chest film, cut to a corner of it."""
    header = pydicom.dcmread(REAL)
    corner: npt.NDArray[np.generic] = header.pixel_array[900:932, 850:890].copy()
    header.Rows, header.Columns = corner.shape
    header.PixelData = corner.tobytes()
    file = io.BytesIO()
    header.save_as(file)
    return file.getvalue()


def _read(path: Path, changes: list[Change]) -> DicomImage:
    """The image of the film with these changes of its header."""
    header = pydicom.dcmread(io.BytesIO(_corner()))
    for name, kind, value in changes:
        tag = Tag(tag_for_keyword(name) or name)
        if name in header:
            del header[name]
        if isinstance(value, bytes):
            header[tag] = RawDataElement(tag, kind, len(value), value, 0, False, True)
        else:
            header.add(DataElement(tag, kind, value))
    header.save_as(path)
    return read_dicom_image(path)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """pydicom warns of what it finds in such files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize(
    ("changes", "same_as"), SIBLINGS, ids=lambda changes: ",".join(f"{n}={v}" for n, _, v in changes)
)
def test_such_a_tag_counts_as_missing(tmp_path: Path, changes: list[Change], same_as: list[Change]) -> None:
    """The image is that of a header which says the same in the standard's way; the run goes on."""
    assert np.array_equal(_read(tmp_path / "a.dcm", changes).pixels, _read(tmp_path / "b.dcm", same_as).pixels)


@pytest.mark.parametrize(
    ("kind", "value", "is_known"),
    [
        ("LO", None, False),
        ("LO", b"", False),
        ("LO", b"  ", False),
        ("SQ", [], False),
        ("IS", "17", True),
        ("LO", b"17\\18 ", True),
    ],
)
def test_patients(tmp_path: Path, kind: str, value: object, is_known: bool) -> None:
    """An empty PatientID, and one that is no text, is no patient: such images do not all have one patient."""
    assert bool(_read(tmp_path / "a.dcm", [("PatientID", kind, value)]).patient) == is_known


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("PhotometricInterpretation", "CS", "GREY"), "Unknown .* 'Photometric Interpretation' value 'GREY'"),
        (("VOILUTFunction", "CS", "CUBIC"), "unknown VOI LUT Function 'CUBIC'"),
        (("RescaleSlope", "DS", b"nan "), "RescaleSlope is nan, no usable number"),
        (("RescaleSlope", "DS", b"1e999 "), "RescaleSlope is 1e999, no usable number"),
        (("WindowCenter", "DS", b"nan "), "WindowCenter is nan, no usable number"),
        (("WindowCenter", "DS", b"-inf"), "WindowCenter is -inf, no usable number"),
        (("WindowWidth", "DS", b"1e999 "), "WindowWidth is 1e999, no usable number"),
        (("Rows", "US", None), "Missing required element: .* 'Rows'"),
        (("BitsAllocated", "US", b""), "Missing required element: .* 'Bits Allocated'"),
    ],
)
def test_what_has_another_meaning_is_refused(tmp_path: Path, change: Change, told: str) -> None:
    """A word that coord does not know, no usable number, a required value that cannot be guessed: with the file."""
    with pytest.raises(UnreadableDicom, match=f"a.dcm: {told}"):
        _read(tmp_path / "a.dcm", [change])
