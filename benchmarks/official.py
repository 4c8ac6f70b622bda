"""The competition's own encoder and decoder, pixel by pixel, written from their description.

They differ from the official functions in one point: a run that ends on the last pixel is kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def mask_to_rle(image: npt.NDArray[np.uint8], width: int, height: int) -> str:
    """The run-length code of an image (width, height), 255 in the mask and 0 elsewhere; reads every pixel."""
    code = []
    last, gap, length = 0, 0, 0
    for column in range(width):
        for row in range(height):
            value = image[column][row]
            if value == 255:
                length += 1
            else:
                if last == 255:
                    code += [str(gap), str(length)]
                    gap, length = 0, 0
                gap += 1
            last = value
    if last == 255:
        code += [str(gap), str(length)]
    return " ".join(code)


def rle_to_mask(code: str, width: int, height: int) -> npt.NDArray[np.float64]:
    """The image (width, height) of a run-length code, floats, 255 in the mask and 0 elsewhere."""
    mask = np.zeros(width * height)
    numbers = np.asarray([int(each) for each in code.split()])
    position = 0
    for gap, length in zip(numbers[0::2], numbers[1::2], strict=True):
        position += gap
        mask[position : position + length] = 255
        position += length
    return mask.reshape(width, height)
