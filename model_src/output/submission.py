"""Checks a submission for everything that Kaggle would refuse, before it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from ..data.rle import parse

NAMED = 5
"""How many images of one kind of problem a message names."""


def check_submission(rows: Sequence[tuple[str, str]], shapes: Mapping[str, tuple[int, int]]) -> None:
    """Check that the rows (ImageId, encoded mask) are one well-formed row per expected image, and no other row.

    `shapes` has the original (height, width) of each expected image by its ImageId. Raises ValueError with all kinds of
    problems, one per line, with the names of some images of each.
    """
    times = Counter(image_id for image_id, _ in rows)
    problems = [
        *_named("no row for", shapes.keys() - times.keys()),
        *_named("a row that was not asked for:", times.keys() - shapes.keys()),
        *_named("more than one row for", [image_id for image_id, n in times.items() if n > 1]),
        *_named("neither a mask nor -1 for", [image_id for image_id, encoded in rows if not encoded.strip()]),
    ]
    malformed = []
    for image_id, encoded in rows:
        if image_id in shapes:
            height, width = shapes[image_id]
            try:
                parse(encoded, height * width)
            except ValueError as error:
                malformed.append(f"{image_id} ({width}x{height} pixels): {error}")
    problems += malformed[:NAMED]
    if len(malformed) > NAMED:
        problems.append(f"and {len(malformed) - NAMED} malformed masks more")
    if problems:
        raise ValueError("the submission is not written, because Kaggle would refuse it:\n" + "\n".join(problems))


def _named(what: str, ids: Collection[str]) -> list[str]:
    """One line about these images; empty without any."""
    if not ids:
        return []
    some = ", ".join(sorted(ids)[:NAMED])
    return [f"{what} {some}" + (f" and {len(ids) - NAMED} more" if len(ids) > NAMED else "")]
