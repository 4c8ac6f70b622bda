"""The drawn images with the outlines of masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from model_src.output.overlays import (
    CAPTION,
    EDGE,
    PREDICTION,
    TRUTH,
    caption,
    fitted,
    outline,
    overlay,
    save_png,
    sheet,
    worst,
)
from model_src.score import Scored


def scored(image_id: str, dice: float, truth: int = 0, predicted: int = 0) -> Scored:
    """An out-of-fold image."""
    return Scored(image_id, 1, dice, truth, predicted, 0.75, "-1")


def test_worst_come_first_and_perfect_ones_never() -> None:
    """The lowest dice first, with ties by the larger area; not more than configured."""
    pictures = [
        scored("a", 0.5),
        scored("b", 0.0, truth=10),
        scored("c", 1.0, truth=9000),
        scored("d", 0.0, predicted=30),
        scored("e", 0.9),
    ]
    assert [each.image_id for each in worst(pictures, 9)] == ["d", "b", "a", "e"]
    assert [each.image_id for each in worst(pictures, 2)] == ["d", "b"]
    assert worst(pictures, 0) == []


def test_outline_is_the_masks_own_border() -> None:
    """Two pixels wide, inside the mask, also at the border of the image; a full mask has a frame."""
    mask = np.zeros((12, 14), bool)
    mask[2:10, 3:12] = True
    inner = np.zeros_like(mask)
    inner[4:8, 5:10] = True
    assert np.array_equal(outline(mask), mask & ~inner)
    assert not outline(np.zeros((5, 5), bool)).any()
    assert outline(np.ones((6, 6), bool)).sum() == 36 - 4


def test_overlay_shows_both_outlines_where_they_are() -> None:
    """Masks of the original size, in their colours, on an image of another size; two lines of text below."""
    truth, predicted = np.zeros((192, 192), bool), np.zeros((192, 192), bool)
    truth[10:50, 10:50] = True
    predicted[100:150, 100:180] = True
    lines = caption(scored("1.2.3", 0.25, truth=1600, predicted=4000))
    assert lines == ("1.2.3", "dice 0.250   score 0.75   fold 1   true 1600 px, predicted 4000 px")
    image = np.asarray(overlay(np.full((64, 64), 50, np.uint8), truth, predicted, lines))
    assert image.shape == (EDGE + CAPTION, EDGE, 3)
    for color, area in ((TRUTH, np.s_[20:100, 20:100]), (PREDICTION, np.s_[200:300, 200:360])):
        inside = (image[:EDGE] == color).all(2)
        assert inside[area].sum() == inside.sum() > 200
    assert (image[EDGE:] == 235).any()


def test_long_names_keep_both_ends() -> None:
    """A real ImageId fits or is shortened in its middle."""
    short = fitted("1.2.276.0.7230010.3.1.4.8323329.1000.1517875165.878027")
    assert short.startswith("1.2.276")
    assert short.endswith("878027")
    long = fitted("9" * 120 + "end")
    assert "…" in long
    assert long.endswith("end")


def test_sheet_and_files(tmp_path: Path) -> None:
    """Five images are two rows of four; the file is replaced as a whole."""
    page = sheet([Image.new("RGB", (10, 12), (index, 0, 0)) for index in range(5)])
    assert page.size == (4 * 14 - 4, 2 * 16 - 4)
    assert page.getpixel((3, 20)) == (4, 0, 0)
    path = tmp_path / "worst" / "page.png"
    save_png(path, Image.new("RGB", (3, 3)))
    save_png(path, page)
    with Image.open(path) as read:
        assert np.array_equal(np.asarray(read), np.asarray(page))
    assert [each.name for each in path.parent.iterdir()] == ["page.png"]
