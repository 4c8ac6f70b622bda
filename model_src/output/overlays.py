"""Draws the images with the lowest dice, with the outlines of the true and the predicted masks."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ..data.rle import decode, union
from ..files import replacing
from ..score import Scored

if TYPE_CHECKING:  # it brings pydicom, which the merge of folds does without
    from ..data.load import Data

Mask = npt.NDArray[np.bool_]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Color = tuple[int, int, int]

TRUTH: Color = (86, 220, 255)
PREDICTION: Color = (255, 150, 30)
EDGE = 384
"""Edge of a drawn image in pixels."""
CAPTION = 58
COLUMNS = 4


def worst(scored: Sequence[Scored], most: int) -> list[Scored]:
    """At most `most` images with the lowest dice, all below 1; ties: the larger area first."""
    order = sorted(scored, key=lambda each: (each.dice, -each.truth_area - each.predicted_area, each.image_id))
    return [each for each in order if each.dice < 1][:most]


def write_worst(directory: Path, scored: Sequence[Scored], data: Data, *, most: int) -> None:
    """Write `worst/<rank>-<ImageId>.png` for each image, and all of them in `worst.png`; no file without images."""
    index_of = {image_id: index for index, image_id in enumerate(data.train.ids)}
    drawn = []
    for rank, each in enumerate(worst(scored, most), start=1):
        index = index_of[each.image_id]
        shape = data.train.shapes[index]
        truth, predicted = union(data.labels[each.image_id], *shape), decode(each.encoded, *shape)
        image = overlay(data.train.pixels(index), truth, predicted, caption(each))
        save_png(directory / "worst" / f"{rank:02}-{each.image_id}.png", image)
        drawn.append(image)
    if drawn:
        save_png(directory / "worst.png", sheet(drawn))


def caption(scored: Scored) -> tuple[str, str]:
    """The two lines of text below an image."""
    figures = f"dice {scored.dice:.3f}   score {scored.top_score:.2f}   fold {scored.fold}"
    return scored.image_id, f"{figures}   true {scored.truth_area} px, predicted {scored.predicted_area} px"


def overlay(pixels: npt.NDArray[np.uint8], truth: Mask, predicted: Mask, lines: Sequence[str]) -> Image.Image:
    """An image (size, size) with the outlines of two masks of any size, and lines of text below it."""
    canvas = Image.new("RGB", (EDGE, EDGE + CAPTION), (20, 20, 20))
    drawn = np.array(Image.fromarray(pixels).resize((EDGE, EDGE), Image.Resampling.BILINEAR).convert("RGB"))
    for mask, color in ((truth, TRUTH), (predicted, PREDICTION)):
        scaled = Image.fromarray(mask.astype(np.uint8) * 255).resize((EDGE, EDGE), Image.Resampling.BILINEAR)
        drawn[outline(np.asarray(scaled) >= 128)] = color
    canvas.paste(Image.fromarray(drawn), (0, 0))
    draw = ImageDraw.Draw(canvas)
    for place, line in enumerate(lines):
        draw.text((6, EDGE + 4 + 16 * place), fitted(line), (235, 235, 235), font(12))
    x, y = 6, EDGE + 4 + 16 * len(lines)
    for name, color in (("truth", TRUTH), ("prediction", PREDICTION)):
        draw.rectangle((x, y + 3, x + 10, y + 11), color)
        draw.text((x + 16, y), name, color, font(12))
        x += 70
    return canvas


def fitted(line: str) -> str:
    """The line shortened in its middle to the width of the image, because ImageIds differ at their ends."""
    cut = line
    while font(12).getlength(cut) > EDGE - 12:
        line = line[: len(line) // 2 - 1] + line[len(line) // 2 + 1 :]
        cut = f"{line[: len(line) // 2]}…{line[len(line) // 2 :]}"
    return cut


def outline(mask: Mask) -> Mask:
    """The border of a mask, two pixels wide: pixels of the mask with another pixel within two steps along an axis."""
    padded = np.pad(mask, 2)
    inside = mask.copy()
    height, width = mask.shape
    for step in (0, 1, 3, 4):
        inside &= padded[step : step + height, 2 : 2 + width] & padded[2 : 2 + height, step : step + width]
    return mask & ~inside


def sheet(images: Sequence[Image.Image]) -> Image.Image:
    """One image with several images of equal size, COLUMNS per row."""
    width, height = images[0].size
    columns = min(COLUMNS, len(images))
    page = Image.new("RGB", (columns * (width + 4) - 4, -(-len(images) // columns) * (height + 4) - 4))
    for place, image in enumerate(images):
        page.paste(image, (place % columns * (width + 4), place // columns * (height + 4)))
    return page


@functools.cache
def font(size: int) -> Font:
    """Pillow's own font, `size` in pixels: no other is certain to be installed."""
    return ImageFont.load_default(size)


def save_png(path: Path, image: Image.Image) -> None:
    """Replace a PNG file; its folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        image.save(file, "PNG")
