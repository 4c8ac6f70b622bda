"""Which image is validated in which fold.

The unit is the image, with all its rows, so that none is on both sides. Images with a mask and images without are
dealt out separately, so that every fold has its share of both. The order in which they are dealt is that of a digest
of seed and ImageId: the same on every machine, whatever its library versions, and independent of the file's order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


def assign_folds(is_positive: Mapping[str, bool], *, n: int, seed: int) -> dict[str, int]:
    """The fold of each ImageId, 0 to n - 1; sizes differ by one at most, positives by one at most."""

    def order(image_id: str) -> bytes:
        return hashlib.sha256(f"{seed}/{image_id}".encode()).digest()

    positives = sorted((image_id for image_id, has_mask in is_positive.items() if has_mask), key=order)
    negatives = sorted((image_id for image_id, has_mask in is_positive.items() if not has_mask), key=order)
    # The negatives go on where the positives stopped, or the first folds would get the odd ones of both.
    return {image_id: index % n for index, image_id in enumerate(positives + negatives)}
