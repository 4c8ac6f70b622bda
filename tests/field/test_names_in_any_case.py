"""Ends of file names that are written in capitals, as cameras, scanners and other systems do.

Seen: found by trying it on coord (a folder of `.DCM` files gave "no picture with a mask").
"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from model_src.data.labels import read_labels
from model_src.data.pictures import find_dicoms
from runner_test.state.competitions import _read


@pytest.mark.parametrize("end", [".dcm", ".DCM", ".Dcm", ".dCm"])
def test_dicom_files_are_found(tmp_path: Path, end: str) -> None:
    """Their ImageId is the name without its end; two ends of one id are two files of it."""
    (tmp_path / "study").mkdir()
    (tmp_path / f"study/1.2.3{end}").touch()
    (tmp_path / f"study/other{end}x").touch()
    assert list(find_dicoms(tmp_path)) == ["1.2.3"]
    (tmp_path / ("1.2.3.dcm" if end != ".dcm" else "1.2.3.DCM")).touch()
    with pytest.raises(ValueError, match=r"two files of one ImageId"):
        find_dicoms(tmp_path)


@pytest.mark.parametrize("name", ["train.csv.gz", "TRAIN.CSV.GZ", "train.csv.Gz", "TRAIN.CSV"])
def test_label_files_and_solutions_are_unpacked(tmp_path: Path, name: str) -> None:
    """By the model source and by the local Kaggle."""
    text = b"ImageId,EncodedPixels\na,-1\n"
    path = tmp_path / name
    path.write_bytes(gzip.compress(text) if name.lower().endswith(".gz") else text)
    assert list(read_labels(path)) == ["a"]
    assert _read(path, "here")[0] == ["ImageId", "EncodedPixels"]
