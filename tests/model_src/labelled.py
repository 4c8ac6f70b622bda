"""Labelled images without pixels, for the tests of what is decided by labels and patients."""

from __future__ import annotations

from pathlib import Path

from model_src.data.load import Data
from model_src.data.pictures import Pictures


def made_up(images: list[tuple[str, str, str]], *, extra: int) -> Data:
    """Data of (ImageId, code of the mask or nothing, patient), without pixels; the last `extra` are extra."""
    ids, codes, whose = zip(*images, strict=True)
    train = Pictures(ids, ((8, 8),) * len(ids), whose, (Path("x.dcm"),) * len(ids), (None,) * len(ids), 64)
    labels = {image_id: (code,) if code else () for image_id, code in zip(ids, codes, strict=True)}
    return Data(train, train, labels, {}, extra)
