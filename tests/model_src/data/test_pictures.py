"""Reading all images of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_src.data.dicom import UnreadableDicom
from model_src.data.picture_cache import PictureCache
from model_src.data.pictures import decode, find_dicoms, read_pictures


def test_two_files_of_one_image_are_refused(sample_data: Path, tmp_path: Path) -> None:
    """It is unclear which of them is the image, so this is an error."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.dcm").touch()
    with pytest.raises(ValueError, match="two files of one ImageId"):
        find_dicoms(tmp_path)


def test_unreadable_pictures_stop_or_are_skipped(sample_data: Path, tmp_path: Path) -> None:
    """By the setting: an error that names the file, or the other images, with the file in `skipped`."""
    files = list(find_dicoms(sample_data / "dicom-images-test").items())
    (tmp_path / "broken.dcm").write_bytes(files[0][1].read_bytes()[:700])
    files[1:1] = [("broken", tmp_path / "broken.dcm"), ("gone", tmp_path / "gone.dcm")]
    cache = PictureCache(tmp_path / "cache", limit=2**30)
    with pytest.raises(UnreadableDicom, match=r"broken\.dcm"):
        read_pictures(files, cache=cache, image_size=32, unreadable="stop", threads=1)
    kept = read_pictures(files, cache=cache, image_size=32, unreadable="skip", threads=1)
    assert kept.ids == tuple(image_id for image_id, _ in files if image_id not in ("broken", "gone"))
    assert list(kept.skipped) == ["broken", "gone"]
    assert all(f"{image_id}.dcm" in line for image_id, line in kept.skipped.items())
    assert kept.pixels(2).std() > 10
    for index, path in enumerate(kept.files):
        assert np.array_equal(kept.pixels(index), decode(path, kept.size).pixels)
