"""Values of a DICOM header, which devices and anonymisers leave empty, or write in another type than the standard says.

An empty value, and one of another type, counts as missing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pydicom

LARGEST = 1e30
"""Largest absolute value of a pixel, and of the numbers that transform it: it has a square in float64."""


def first(header: pydicom.Dataset, name: str) -> object:
    """The value, or the first of several; None for an empty one, one that cannot be read, and a sequence of items."""
    try:
        value: object = header.get(name)
    except Exception:  # each type of value has errors of its own
        return None
    if isinstance(value, pydicom.Sequence):
        return None
    if isinstance(value, list | tuple | pydicom.multival.MultiValue):
        value = value[0] if len(value) else None
    return None if value == "" else value


def number(header: pydicom.Dataset, name: str) -> float | None:
    """A finite number, also of a text; None without one."""
    try:
        value = float(str(first(header, name)))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def real(header: pydicom.Dataset, name: str) -> float | None:
    """A number that arithmetic can use; None for an empty one or a text.

    Raises ValueError for NaN, infinity and what no device measures: with it all pixels would be black, or white.
    """
    value = first(header, name)
    try:
        found = float(str(value))
    except ValueError:
        return None
    if not abs(found) <= LARGEST:
        raise ValueError(f"{name} is {value}, no usable number")
    return found


def word(header: pydicom.Dataset, name: str) -> str:
    """A text without blanks around it; empty without one."""
    value = first(header, name)
    return "" if value is None else str(value).strip()


def table(header: pydicom.Dataset, name: str) -> pydicom.Dataset | None:
    """The first look-up table of a sequence, if it has its descriptor and its data."""
    try:
        found = header[name].value[0]
        return found if len(found.LUTDescriptor) == 3 and len(found.LUTData) else None
    except Exception:  # the sequence, an item, or a value in it, is missing or of another type
        return None


def complete(header: pydicom.Dataset) -> None:
    """Replaces the missing values that pydicom needs for the pixels, as for one image whose values use all bits.

    Without PhotometricInterpretation, PresentationLUTShape says which values are white. Raises nothing.
    """
    bits = int(number(header, "BitsAllocated") or 16)
    inverse = word(header, "PresentationLUTShape").upper() == "INVERSE"
    _set(
        header,
        "PhotometricInterpretation",
        word(header, "PhotometricInterpretation").upper() or f"MONOCHROME{2 - inverse}",
    )
    _set(header, "SamplesPerPixel", _one_of((1, 3), number(header, "SamplesPerPixel")))
    _set(header, "BitsStored", _one_of((bits, *range(1, bits)), number(header, "BitsStored")))
    _set(header, "PixelRepresentation", _one_of((0, 1), number(header, "PixelRepresentation")))
    if "NumberOfFrames" in header:
        _set(header, "NumberOfFrames", max(1, int(number(header, "NumberOfFrames") or 1)))


def _one_of(values: Sequence[int], found: float | None) -> int:
    """The number if it is one of the values, else the first of them."""
    return int(found) if found is not None and found in values else values[0]


def _set(header: pydicom.Dataset, name: str, value: str | int) -> None:
    if name in header:
        del header[name]  # with the type that the file has for it
    setattr(header, name, value)
