"""Reads a DICOM file as a grey image of 8 bits.

The order of the steps is that of the standard (PS3.3, C.7.6.3.1.2 and C.11): stored values, modality transformation
(rescale or table), grey scale transformation (table or window), then the photometric interpretation.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.pixels.processing import apply_modality_lut, apply_voi

from . import dicom_header

Grey = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class UnreadableDicom(ValueError):
    """A file that cannot be read as one grey image; the message names the file and the reason."""


@dataclass(frozen=True)
class DicomImage:
    """An image, and its patient."""

    pixels: Grey
    """uint8 (height, width): 0 is black, 255 is white, bones are bright."""
    patient: str
    """16 hexadecimal digits, equal for all images of a patient; empty when the header has no PatientID."""


def read_dicom(path: Path) -> Grey:
    """The image uint8 (height, width): 0 is black, 255 is white, bones are bright.

    Reads what pydicom can decode (JPEG and JPEG 2000 by Pillow, uncompressed), with 8 to 16 bits, or floats. A rescale
    (slope and intercept) and a window or a table are applied where the header has them, and their output is scaled to
    the full range. Without a window, 8-bit values stay as they are, and other values are scaled from their minimum and
    maximum to the full range; padding (PixelPaddingValue) is left out of these and is black. MONOCHROME1 is inverted.
    What the header has empty, or in another type than the standard says, counts as missing. Raises UnreadableDicom,
    also for a number that is not finite or too large, in the rescale, the window or a pixel.
    """
    return read_dicom_image(path).pixels


def read_dicom_image(path: Path) -> DicomImage:
    """The image as `read_dicom` returns it, and its patient. Raises UnreadableDicom."""
    try:
        header = pydicom.dcmread(path)
        dicom_header.complete(header)
        stored: npt.NDArray[np.generic] = header.pixel_array
        photometric = str(header.PhotometricInterpretation)
        if stored.ndim == 2 and photometric.startswith("MONOCHROME"):
            grey = _grey(stored, header, black=255 if photometric == "MONOCHROME1" else 0)
            return DicomImage(255 - grey if photometric == "MONOCHROME1" else grey, _patient(header))
    # pydicom and its decoders raise many types of exceptions on a damaged file.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableDicom(f"{path}: {reason}") from error
    raise UnreadableDicom(f"{path}: not one grey image, but {photometric} with shape {stored.shape}")


def _grey(stored: npt.NDArray[np.generic], header: pydicom.Dataset, *, black: int) -> Grey:
    """Stored values as 0 to 255; a larger stored value is not darker. Without a window padding becomes `black`."""
    if stored.dtype.kind == "f" and len(bad := stored[~(np.abs(stored) <= dicom_header.LARGEST)]):
        raise ValueError(f"a pixel is {bad[0]}, no usable number")
    values = _rescaled(stored, header)
    window, table = _window(header), dicom_header.table(header, "VOILUTSequence")
    if table is not None:
        shown = np.asarray(apply_voi(values, header), np.float64)
        return _to_bytes(shown / (2 ** int(table.LUTDescriptor[2]) - 1))
    if window is not None:
        return _to_bytes(_windowed(values.astype(np.float64), *window))
    if stored.dtype == np.uint8 and header.BitsStored == 8 and np.array_equal(values, stored):
        return stored.astype(np.uint8)
    real = values.astype(np.float64)
    padding = _padding(stored, header)
    low, high = (ends(real, where=~padding, initial=start) for ends, start in ((np.min, np.inf), (np.max, -np.inf)))
    if low > high:  # nothing but padding
        return np.full(stored.shape, black, np.uint8)
    grey = _to_bytes((real - low) / max(high - low, 1e-12))
    grey[padding] = black
    return grey


def _padding(stored: npt.NDArray[np.generic], header: pydicom.Dataset) -> Mask:
    """Which stored values stand for "no pixel": PixelPaddingValue, or from there to PixelPaddingRangeLimit.

    PS3.3, C.7.5.1.1.2: compared before the rescale.
    """
    value, limit = (dicom_header.real(header, f"PixelPadding{part}") for part in ("Value", "RangeLimit"))
    if value is None:
        return np.zeros(stored.shape, bool)
    low, high = sorted((value, value if limit is None else limit))
    return np.asarray(np.greater_equal(stored, low) & np.less_equal(stored, high))


def _rescaled(stored: npt.NDArray[np.generic], header: pydicom.Dataset) -> npt.NDArray[np.generic]:
    """The values after the modality transformation; the stored values where the header has none."""
    if dicom_header.table(header, "ModalityLUTSequence") is not None:
        return np.asarray(apply_modality_lut(stored, header))
    slope, intercept = (dicom_header.real(header, name) for name in ("RescaleSlope", "RescaleIntercept"))
    if not slope or intercept is None:  # with a slope of 0 the image would have one value only
        return stored
    return stored.astype(np.float64) * slope + intercept


def _window(header: pydicom.Dataset) -> tuple[float, float, str] | None:
    """Centre, width and function of the first window; None without a window, or with an invalid width."""
    centre, width = (dicom_header.real(header, name) for name in ("WindowCenter", "WindowWidth"))
    function = dicom_header.word(header, "VOILUTFunction").upper() or "LINEAR"
    if centre is None or width is None:
        return None
    # Some devices write a width of 0, which the standard forbids; the image would have two values only.
    is_possible = width >= 1 if function == "LINEAR" else width > 0
    return (centre, width, function) if is_possible else None


def _windowed(values: Values, centre: float, width: float, function: str) -> Values:
    """Values in the window become 0 to 1, by the formulas of PS3.3, C.11.2.1.2 and C.11.2.1.3.

    pydicom's `apply_windowing` is not used, because it scales to the range of the stored values after the rescale: with
    a negative slope its result is inverted.
    """
    if function == "LINEAR":
        if width == 1:
            return (values > centre - 0.5).astype(np.float64)
        return (values - (centre - 0.5)) / (width - 1) + 0.5
    if function == "LINEAR_EXACT":
        return (values - centre) / width + 0.5
    if function == "SIGMOID":
        # 1 / (1 + exp(-4 x)), in a form that cannot overflow.
        return (1 + np.tanh(2 * (values - centre) / width)) / 2
    raise ValueError(f"unknown VOI LUT Function {function!r}")


def _to_bytes(share: Values) -> Grey:
    """Scale 0 to 1 to 0 to 255; values outside are clipped."""
    scaled: Grey = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    return scaled


def _patient(header: pydicom.Dataset) -> str:
    """A digest of the PatientID, because the output of a run must not show the number itself."""
    identifier = dicom_header.word(header, "PatientID")
    return hashlib.sha256(f"patient/{identifier}".encode()).hexdigest()[:16] if identifier else ""
