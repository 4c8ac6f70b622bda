"""Reading DICOM: real images in several encodings, and what is refused."""

from __future__ import annotations

import functools
import io
import math
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import apply_modality_lut, apply_voi, apply_windowing
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit

from model_src.data.dicom import UnreadableDicom, read_dicom, read_dicom_image

data_store = pytest.importorskip("data_store", reason="needs real DICOM files: pip install pydicom-data")
REAL = Path(data_store.__file__).parent / "data"
PACKAGED = Path(pydicom.__file__).parent / "data" / "test_files"
PROJECT = Path(__file__).parents[2]


@functools.cache
def real(name: str) -> npt.NDArray[np.uint8]:
    """A file of pydicom-data, read once, because decoding JPEG 2000 of four million pixels is slow."""
    return read_dicom(REAL / f"{name}.dcm")


@pytest.mark.parametrize("name", ["RG1_UNCI", "RG1_UNCR", "RG1_J2KI", "RG1_J2KR"])
def test_real_chest(name: str) -> None:
    """A real chest film of 15 bits, MONOCHROME1 and windowed: the spine is bright and the lungs are dark."""
    picture = real(name)
    assert picture.dtype == np.uint8
    assert picture.shape == (1955, 1841)
    spine, left_lung, right_lung = picture[900:1100, 850:1000], picture[700:800, 450:600], picture[600:700, 1250:1400]
    assert spine.mean() > left_lung.mean() + 60
    assert spine.mean() > right_lung.mean() + 60


def test_encodings_agree() -> None:
    """The same film, plain and through lossless JPEG 2000, is the same image."""
    plain, compressed = (real(f"RG1_{name}") for name in ("UNCR", "J2KR"))
    assert np.array_equal(plain, compressed)


def by_pydicom(header: pydicom.Dataset) -> npt.NDArray[np.float64]:
    """The image from 0 to 255 by pydicom's own functions, which are correct for rescales with a positive slope."""
    stored = header.pixel_array
    values = np.asarray(apply_modality_lut(stored, header), np.float64)
    if "VOILUTSequence" in header:
        shown = np.asarray(apply_voi(apply_modality_lut(stored, header), header), np.float64)
        low, high = 0.0, 2.0 ** header.VOILUTSequence[0].LUTDescriptor[2] - 1
    elif "WindowWidth" in header:
        shown = np.asarray(apply_windowing(values, header), np.float64)
        half = 2.0**header.BitsStored
        ends = np.array([-half / 2, half / 2 - 1] if header.PixelRepresentation else [0, half - 1])
        low, high = ends * float(header.get("RescaleSlope", 1)) + float(header.get("RescaleIntercept", 0))
    elif header.BitsStored == 8:
        shown, low, high = values, 0.0, 255.0
    else:
        shown, low, high = values, values.min(), values.max()
    grey: npt.NDArray[np.float64] = (shown - low) / (high - low) * 255
    return 255 - grey if header.PhotometricInterpretation == "MONOCHROME1" else grey


# Some of the files are damaged or malformed on purpose; pydicom warns before it reads or refuses them.
@pytest.mark.filterwarnings("ignore")
def test_every_grey_file_that_can_be_decoded() -> None:
    """The same image as by pydicom's functions, except for rounding, in files of many devices, encodings and depths."""
    read, syntaxes, depths = 0, set(), set()
    for path in sorted([*PACKAGED.glob("*.dcm"), *REAL.rglob("*.dcm")]):
        try:
            picture = real(path.stem) if path.parent == REAL else read_dicom(path)
        except UnreadableDicom:
            continue
        header = pydicom.dcmread(path)
        assert (str(picture.dtype), picture.shape) == ("uint8", (header.Rows, header.Columns)), path.name
        assert np.abs(picture - by_pydicom(header)).max() <= 0.5 + 1e-6, path.name
        assert picture.std() > 5, path.name
        read += 1
        syntaxes.add(header.file_meta.TransferSyntaxUID.name)
        depths.add(header.BitsStored)
    assert read >= 35
    assert {"JPEG 2000 Image Compression", "Explicit VR Little Endian", "RLE Lossless"} <= syntaxes
    assert {8, 10, 12, 14, 15, 16} <= depths


def test_the_competitions_own_file() -> None:
    """JPEG of 8 bits is unchanged: the spine is brighter than the lungs; the patient is a digest."""
    files = list((PROJECT.parent / "shared" / "data" / "siim").glob("*.dcm"))
    if not files:
        pytest.skip("needs a file of the competition in ../shared/data/siim")
    film, header = read_dicom_image(files[0]), pydicom.dcmread(files[0])
    assert (film.pixels.shape, str(film.pixels.dtype)) == ((1024, 1024), "uint8")
    assert np.array_equal(film.pixels, header.pixel_array)
    assert film.pixels[300:700, 480:540].mean() > film.pixels[300:500, 250:350].mean() + 20
    assert len(film.patient) == 16
    assert film.patient not in str(header.PatientID)


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
        if name.startswith("PixelPadding"):
            dataset[name].VR = "SS" if dataset.PixelRepresentation else "US"
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OB" if pixels.dtype == np.uint8 else "OW"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path)
    return path


def test_eight_bits_are_left_alone(tmp_path: Path) -> None:
    """8-bit pixels are unchanged, whatever their range; MONOCHROME1 is inverted."""
    pixels = np.arange(50, 110, dtype=np.uint8).reshape(6, 10)
    assert np.array_equal(read_dicom(rewritten(tmp_path / "a.dcm", pixels)), pixels)
    inverted = rewritten(tmp_path / "b.dcm", pixels, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(read_dicom(inverted), 255 - pixels)


def test_more_bits_are_stretched(tmp_path: Path) -> None:
    """The smallest value becomes black, the largest white; a flat image is black."""
    pixels = np.array([[1000, 2000], [3000, 6100]], np.uint16)
    assert read_dicom(rewritten(tmp_path / "a.dcm", pixels)).tolist() == [[0, 50], [100, 255]]
    assert read_dicom(rewritten(tmp_path / "b.dcm", np.full((2, 2), 900, np.uint16))).max() == 0


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("kind", "padding", "header"),
    [
        (np.uint16, 0, {"PixelPaddingValue": 0}),
        (np.uint16, 255, {"PixelPaddingValue": 255}),
        (np.uint16, 65535, {"PixelPaddingValue": 65535}),
        (np.uint16, 65530, {"PixelPaddingValue": 65535, "PixelPaddingRangeLimit": 65500}),
        (np.uint16, 3, {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 9}),
        (np.uint8, 0, {"PixelPaddingValue": 0}),
        (np.uint8, 255, {"PixelPaddingValue": 255, "PixelPaddingRangeLimit": 250}),
    ],
)
def test_padding_is_out_of_the_stretch(
    tmp_path: Path, kind: type[np.unsignedinteger], photometric: str, padding: int, header: dict[str, int]
) -> None:
    """Values of "no pixel" do not widen the range of the others, and are black; 8-bit values stay as they are."""
    ramp = np.linspace(100, 200, 24).astype(kind).reshape(4, 6)
    padded = np.vstack([ramp, np.full((2, 6), padding, kind)])
    alone = read_dicom(rewritten(tmp_path / "a.dcm", ramp, PhotometricInterpretation=photometric))
    path = rewritten(tmp_path / "b.dcm", padded, PhotometricInterpretation=photometric, **header)
    picture = read_dicom(path)
    assert np.array_equal(picture[:4], alone)
    if kind is np.uint16:
        assert (alone.min(), alone.max()) == (0, 255)
        assert not picture[4:].any()
    else:
        assert np.array_equal(picture, 255 - padded if photometric == "MONOCHROME1" else padded)


def test_signed_padding_and_nothing_but_padding(tmp_path: Path) -> None:
    """A padding value of signed pixels is signed; an image of padding alone is black, and no error."""
    values = np.array([[-2000, 0], [500, 1000]], np.int16)
    path = rewritten(tmp_path / "a.dcm", values.view(np.uint16), PixelRepresentation=1, PixelPaddingValue=-2000)
    assert read_dicom(path).tolist() == [[0, 0], [128, 255]]
    # As the standard wants: padding is compared before the rescale.
    path = rewritten(
        tmp_path / "b.dcm",
        values.view(np.uint16),
        PixelRepresentation=1,
        PixelPaddingValue=-2000,
        RescaleSlope="2",
        RescaleIntercept="-7",
    )
    assert read_dicom(path).tolist() == [[0, 0], [128, 255]]
    path = rewritten(tmp_path / "c.dcm", np.full((3, 3), 9, np.uint16), PixelPaddingValue=9)
    assert not read_dicom(path).any()


@pytest.mark.parametrize("value", ["NaN", "inf", "-INF", "1e308", "-1e308", "1e39"])
@pytest.mark.parametrize("name", ["RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"])
@pytest.mark.filterwarnings("ignore")  # pydicom warns about such values
def test_numbers_that_are_none_are_refused(tmp_path: Path, name: str, value: str) -> None:
    """Of rescale and window: an error that names the attribute, not a black image."""
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8)
    header = {"RescaleSlope": "1", "RescaleIntercept": "0", "WindowCenter": "30", "WindowWidth": "60"}
    with pydicom.config.disable_value_validation():
        path = rewritten(tmp_path / "a.dcm", pixels, **(header | {name: value}))
    with pytest.raises(UnreadableDicom, match=rf"a\.dcm: {name} is .*, no usable number"):
        read_dicom(path)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e308])
@pytest.mark.filterwarnings("ignore:overflow")  # 1e308 in float32
def test_pixels_that_are_no_numbers_are_refused(tmp_path: Path, kind: type[np.floating], bad: float) -> None:
    """Pixels of floats can be read; one that is not finite, or is out of every device's range, is an error."""
    pixels = np.linspace(0, 1, 64).astype(kind).reshape(8, 8)
    name = "FloatPixelData" if kind is np.float32 else "DoubleFloatPixelData"
    for values, is_good in ((pixels, True), (np.where(pixels == pixels.max(), kind(bad), pixels), False)):
        dataset = pydicom.dcmread(rewritten(tmp_path / "a.dcm", np.zeros((8, 8), np.uint16)))
        del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
        dataset.BitsAllocated = kind().itemsize * 8
        setattr(dataset, name, values.tobytes())
        dataset.save_as(tmp_path / "b.dcm")
        if is_good:
            assert np.array_equal(read_dicom(tmp_path / "b.dcm"), np.rint(values.astype(np.float64) * 255))
            continue
        with pytest.raises(UnreadableDicom, match=r"b\.dcm: a pixel is .*, no usable number"):
            read_dicom(tmp_path / "b.dcm")


@pytest.mark.parametrize(
    "header",
    [
        {"RescaleSlope": "", "RescaleIntercept": ""},
        {"RescaleSlope": "", "RescaleIntercept": "-1024"},
        {"RescaleSlope": "2", "RescaleIntercept": ""},
        {"RescaleIntercept": "-1024"},
        {"RescaleSlope": "2"},
    ],
)
def test_half_a_rescale_is_none(tmp_path: Path, header: dict[str, str]) -> None:
    """Where slope or intercept is empty or missing there is no rescale: 8-bit values stay, a window is that of them."""
    pixels = np.arange(50, 114, dtype=np.uint8).reshape(8, 8)
    assert np.array_equal(read_dicom(rewritten(tmp_path / "a.dcm", pixels, **header)), pixels)
    window = {"WindowCenter": "80", "WindowWidth": "40"}
    plain = read_dicom(rewritten(tmp_path / "b.dcm", pixels, **window))
    assert np.array_equal(read_dicom(rewritten(tmp_path / "c.dcm", pixels, **window, **header)), plain)


def test_rescale_and_window_are_honoured(tmp_path: Path) -> None:
    """A rescale with a negative slope inverts the image; values outside the window are clipped."""
    pixels = np.array([[0, 1000], [2000, 4000]], np.uint16)
    falling = rewritten(tmp_path / "a.dcm", pixels, RescaleSlope="-1", RescaleIntercept="4000")
    assert read_dicom(falling).tolist() == [[255, 191], [128, 0]]
    windowed = rewritten(tmp_path / "b.dcm", pixels, WindowCenter="1000", WindowWidth="2000")
    picture = read_dicom(windowed)
    assert picture[1, 0] == picture[1, 1] == 255
    assert 126 <= picture[0, 1] <= 129


def window(values: list[float], function: str | None, centre: float, width: float) -> list[float]:
    """The standard's formulas (PS3.3, C.11.2.1.2.1 and C.11.2.1.3), one value at a time, from 0 to 255."""
    shown = []
    for x in values:
        if function == "SIGMOID":
            shown.append(255 / (1 + math.exp(min(-4 * (x - centre) / width, 700))))
            continue
        c, w = (centre, width) if function == "LINEAR_EXACT" else (centre - 0.5, width - 1)
        inside = ((x - c) / w + 0.5) * 255 if w else 255.0
        shown.append(0.0 if x <= c - w / 2 else 255.0 if x > c + w / 2 else inside)
    return shown


@pytest.mark.parametrize("function", [None, "LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("centre", "width"), [(2048, 4096), (1000, 300), (100, 1), (0, 5000)])
@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (2, -1024), (-1, 4095)])
def test_windows(
    tmp_path: Path, function: str | None, centre: float, width: float, slope: float, intercept: float
) -> None:
    """Each function at and around its ends, after a rescale with a positive and with a negative slope."""
    stored = np.array(
        [[0, 1, 99, 100, 101, 849, 850, 851], [1000, 1149, 1150, 1151, 2047, 2048, 4094, 4095]], np.uint16
    )
    header: dict[str, object] = {"WindowCenter": str(centre), "WindowWidth": str(width)}
    header |= {"RescaleSlope": str(slope), "RescaleIntercept": str(intercept)}
    if function:
        header["VOILUTFunction"] = function
    picture = read_dicom(rewritten(tmp_path / "a.dcm", stored, BitsStored=12, HighBit=11, **header))
    expected = window((stored.astype(float) * slope + intercept).ravel().tolist(), function, centre, width)
    assert np.abs(picture.ravel() - np.array(expected)).max() <= 0.5 + 1e-6


def test_windows_of_real_headers(tmp_path: Path) -> None:
    """The first of several windows is used; one of width 0 is ignored; MONOCHROME1 is inverted after the window."""
    pixels = np.array([[0, 1000], [2000, 4000]], np.uint16)
    plain = read_dicom(rewritten(tmp_path / "a.dcm", pixels))
    first = read_dicom(rewritten(tmp_path / "b.dcm", pixels, WindowCenter="1000", WindowWidth="2000"))
    several = rewritten(tmp_path / "c.dcm", pixels, WindowCenter=["1000", "50"], WindowWidth=["2000", "10"])
    assert np.array_equal(read_dicom(several), first)
    for width in ("0", ""):
        useless = rewritten(tmp_path / "d.dcm", pixels, WindowCenter="1000", WindowWidth=width)
        assert np.array_equal(read_dicom(useless), plain)
    turned = rewritten(
        tmp_path / "e.dcm",
        pixels,
        WindowCenter="1000",
        WindowWidth="2000",
        PhotometricInterpretation="MONOCHROME1",
    )
    assert np.array_equal(read_dicom(turned), 255 - first)
    unknown = rewritten(tmp_path / "f.dcm", pixels, WindowCenter="1", WindowWidth="2", VOILUTFunction="CUBIC")
    with pytest.raises(UnreadableDicom, match="unknown VOI LUT Function 'CUBIC'"):
        read_dicom(unknown)


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_every_depth_fills_the_range(tmp_path: Path, bits: int) -> None:
    """All values of so many bits become all grey values, in order; signed values, too."""
    values = np.linspace(0, 2**bits - 1, 600).astype(np.uint16).reshape(20, 30)
    header = {"BitsStored": bits, "HighBit": bits - 1}
    picture = read_dicom(rewritten(tmp_path / "a.dcm", values, **header))
    assert (picture.min(), picture.max(), len(np.unique(picture))) == (0, 255, 256)
    assert (np.diff(picture.ravel().astype(int)) >= 0).all()
    shifted = values.astype(np.int32) - 2 ** (bits - 1)
    signed = rewritten(tmp_path / "b.dcm", shifted.astype(np.int16).view(np.uint16), PixelRepresentation=1, **header)
    assert np.array_equal(read_dicom(signed), picture)


def test_jpeg_and_jpeg_2000(tmp_path: Path) -> None:
    """Compressed images of 8 bits equal Pillow's decoding of the same stream; MONOCHROME1 is inverted."""
    ramp = np.add.outer(np.arange(64), np.arange(0, 160, 2)).astype(np.uint8)
    for syntax, kind in [(JPEGBaseline8Bit, "JPEG"), (JPEG2000Lossless, "JPEG2000")]:
        stream = io.BytesIO()
        Image.fromarray(ramp).save(stream, kind)
        path = rewritten(tmp_path / f"{kind}.dcm", ramp, PhotometricInterpretation="MONOCHROME1")
        dataset = pydicom.dcmread(path)
        dataset.PixelData = encapsulate([stream.getvalue()])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path)
        assert np.array_equal(read_dicom(path), 255 - np.asarray(Image.open(stream)))


def test_patient_is_known_by_a_digest(tmp_path: Path) -> None:
    """Equal for equal PatientIDs, except for blanks; different for different ones; empty without one."""
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)

    def patient(identifier: str | None) -> str:
        return read_dicom_image(rewritten(tmp_path / "a.dcm", pixels, PatientID=identifier)).patient

    assert patient("Ann") == patient(" Ann ") != patient("Bob")
    assert len(patient("Ann")) == 16
    assert patient("") == patient(None) == ""


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    """A missing file, another format, a colour image, a damaged one: the error names the file and the reason."""
    (tmp_path / "text.dcm").write_text("not an image")
    whole = (REAL / "RG1_J2KR.dcm").read_bytes()
    (tmp_path / "torn.dcm").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "headless.dcm").write_bytes(whole[:2000])
    for path, reason in [
        (tmp_path / "absent.dcm", "No such file"),
        (tmp_path / "text.dcm", "DICM"),
        (tmp_path / "torn.dcm", "."),
        (tmp_path / "headless.dcm", "."),
        (REAL / "SC_rgb.dcm", "not one grey image, but RGB"),
        (REAL / "emri_small.dcm", "not one grey image, but MONOCHROME2 with shape"),
    ]:
        with warnings.catch_warnings():
            # pydicom warns about the damaged file before it fails.
            warnings.simplefilter("ignore")
            with pytest.raises(UnreadableDicom, match=f"{path.name}.*{reason}"):
                read_dicom(path)
