"""The competition's own encoder and decoder, written from the description of what they do, pixel by pixel.

They differ from the official pair in one thing: a run that ends on the last pixel is kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def mask_to_rle(image: npt.NDArray[np.uint8], width: int, height: int) -> str:
    """The code of image (width, height), 255 where covered: every pixel is looked at, column after column."""
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
    """The image (width, height) of a code, 255 where covered: run by run into an array of floats."""
    mask = np.zeros(width * height)
    numbers = np.asarray([int(each) for each in code.split()])
    position = 0
    for gap, length in zip(numbers[0::2], numbers[1::2], strict=True):
        position += gap
        mask[position : position + length] = 255
        position += length
    return mask.reshape(width, height)
