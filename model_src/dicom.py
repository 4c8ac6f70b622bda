"""One DICOM file in, one grey picture of 8 bits out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut


class UnreadableDicom(ValueError):
    """A file that is no picture for us; the message names it and says why."""


def read_dicom(path: Path) -> npt.NDArray[np.uint8]:
    """The picture (height, width), black 0 and white 255, bones bright.

    Reads what pydicom can decode (JPEG and JPEG 2000 through pillow, uncompressed), 8 to 16 bits; rescale and window
    are applied where the header has them, and whatever is not plain 8 bit is stretched to the full range. Inverts
    MONOCHROME1. Raises UnreadableDicom.
    """
    try:
        header = pydicom.dcmread(path)
        stored: npt.NDArray[np.generic] = header.pixel_array
        values: npt.NDArray[np.generic] = apply_voi_lut(apply_modality_lut(stored, header), header)
        photometric = str(header.PhotometricInterpretation)
    # pydicom and the decoders under it raise nearly every kind of exception on a damaged file.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableDicom(f"{path}: {reason}") from error
    if values.ndim != 2 or not photometric.startswith("MONOCHROME"):
        raise UnreadableDicom(f"{path}: not one grey picture, but {photometric} with shape {stored.shape}")
    is_plain = stored.dtype == np.uint8 and np.array_equal(values, stored)
    grey = stored.astype(np.uint8) if is_plain else _stretched(values)
    return 255 - grey if photometric == "MONOCHROME1" else grey


def _stretched(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """From the smallest value to the largest becomes from 0 to 255; all alike becomes 0."""
    real = values.astype(np.float64)
    low, high = real.min(), real.max()
    stretched: npt.NDArray[np.uint8] = np.rint((real - low) / max(high - low, 1e-12) * 255).astype(np.uint8)
    return stretched
