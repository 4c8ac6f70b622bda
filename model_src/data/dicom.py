"""One DICOM file in, one grey picture of 8 bits out.

The order is the standard's (PS3.3, C.7.6.3.1.2 and C.11): stored values, modality transformation (rescale or table),
grey scale transformation (table or window), then the photometric interpretation.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.pixels.processing import apply_modality_lut, apply_voi

Grey = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]


class UnreadableDicom(ValueError):
    """A file that is no picture for us; the message names it and says why."""


@dataclass(frozen=True)
class Film:
    """A picture and what its header says that matters."""

    pixels: Grey
    """(height, width), black 0 and white 255, bones bright."""
    patient: str
    """16 hex digits that are the same for all pictures of one patient; empty when the header has no PatientID."""


def read_dicom(path: Path) -> Grey:
    """The picture (height, width), black 0 and white 255, bones bright.

    Reads what pydicom can decode (JPEG and JPEG 2000 through pillow, uncompressed), 8 to 16 bits. A rescale and a
    window or a table are applied where the header has them, and what they let through becomes the full range. Without
    a window plain 8 bits are left as they are, and whatever else is stretched from its smallest to its largest value.
    MONOCHROME1 is inverted. Raises UnreadableDicom.
    """
    return read_film(path).pixels


def read_film(path: Path) -> Film:
    """The picture as `read_dicom` gives it, and whose it is."""
    try:
        header = pydicom.dcmread(path)
        stored: npt.NDArray[np.generic] = header.pixel_array
        photometric = str(header.PhotometricInterpretation)
        if stored.ndim == 2 and photometric.startswith("MONOCHROME"):
            grey = _grey(stored, header)
            return Film(255 - grey if photometric == "MONOCHROME1" else grey, _patient(header))
    # pydicom and the decoders under it raise nearly every kind of exception on a damaged file.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableDicom(f"{path}: {reason}") from error
    raise UnreadableDicom(f"{path}: not one grey picture, but {photometric} with shape {stored.shape}")


def _grey(stored: npt.NDArray[np.generic], header: pydicom.Dataset) -> Grey:
    """Stored values as 0 to 255, in the direction in which they are stored."""
    values = np.asarray(apply_modality_lut(stored, header))
    window = _window(header)
    if header.get("VOILUTSequence"):
        shown = np.asarray(apply_voi(values, header), np.float64)
        bits = int(header.VOILUTSequence[0].LUTDescriptor[2])
        return _to_bytes(shown / (2**bits - 1))
    if window is not None:
        return _to_bytes(_windowed(values.astype(np.float64), *window))
    if stored.dtype == np.uint8 and header.BitsStored == 8 and np.array_equal(values, stored):
        return stored.astype(np.uint8)
    real = values.astype(np.float64)
    low, high = real.min(), real.max()
    return _to_bytes((real - low) / max(high - low, 1e-12))


def _window(header: pydicom.Dataset) -> tuple[float, float, str] | None:
    """Centre, width and function of the first window; None without one, or with one of no width."""
    centre, width = (_first(header.get(name)) for name in ("WindowCenter", "WindowWidth"))
    function = str(header.get("VOILUTFunction") or "LINEAR").strip().upper()
    if centre is None or width is None:
        return None
    # Some devices write a width of 0, which the standard forbids and which would leave black and white only.
    is_possible = width >= 1 if function == "LINEAR" else width > 0
    return (centre, width, function) if is_possible else None


def _first(value: object) -> float | None:
    """The first of several values, or the only one."""
    if value is None or value == "":
        return None
    if isinstance(value, pydicom.multival.MultiValue):
        return float(value[0]) if len(value) else None
    return float(str(value))


def _windowed(values: Values, centre: float, width: float, function: str) -> Values:
    """From 0 to 1 by the formulas of PS3.3, C.11.2.1.2 and C.11.2.1.3.

    Not pydicom's `apply_windowing`, which scales to the range of the stored values after the rescale: with a falling
    rescale that range is upside down, and so is its result.
    """
    if function == "LINEAR":
        if width == 1:
            return (values > centre - 0.5).astype(np.float64)
        return (values - (centre - 0.5)) / (width - 1) + 0.5
    if function == "LINEAR_EXACT":
        return (values - centre) / width + 0.5
    if function == "SIGMOID":
        # 1 / (1 + exp(-4 x)), written so that nothing leaves the range of a float.
        return (1 + np.tanh(2 * (values - centre) / width)) / 2
    raise ValueError(f"unknown VOI LUT Function {function!r}")


def _to_bytes(share: Values) -> Grey:
    """From 0 to 1 becomes from 0 to 255; what lies outside is cut."""
    scaled: Grey = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    return scaled


def _patient(header: pydicom.Dataset) -> str:
    """A digest, because a run's output is no place for anybody's number."""
    identifier = str(header.get("PatientID") or "").strip()
    return hashlib.sha256(f"patient/{identifier}".encode()).hexdigest()[:16] if identifier else ""
