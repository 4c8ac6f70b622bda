"""The merge of runs of single folds."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from model_src import merge
from model_src.config import Config, to_dict
from model_src.prediction import fold_maps
from model_src.prediction.thresholds import Counts, RuleChoice
from tests.model_src.session_root import PROJECT


def read(root: Path, name: str) -> dict[str, Any]:
    """A JSON file of the run's output."""
    return dict(json.loads((root / "working" / name).read_text()))


def rows(root: Path, name: str) -> list[dict[str, str]]:
    """A CSV file of the run's output."""
    with (root / "working" / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_merged_folds_are_as_one_run(
    finished_run: tuple[Path, str], single_fold_runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows, rules, metrics, bottlenecks, worst images and submission equal those of a run of all folds."""
    root, folders = finished_run[0] / "working", [each / "working" for each in single_fold_runs]
    with (tmp_path / "oof.csv").open("w", newline="") as file:
        found = [row for each in single_fold_runs for row in rows(each, "oof.csv")]
        writer = csv.DictWriter(file, fieldnames=list(found[0]))
        writer.writeheader()
        writer.writerows(sorted(found, key=lambda row: row["ImageId"]))
    whole = read(finished_run[0], "metrics.json")
    (tmp_path / "metrics.json").write_text(json.dumps({"config": whole["config"], "seconds": 1.0}))
    events = "".join((folder / "metrics.jsonl").read_text() for folder in folders)
    (tmp_path / "metrics.jsonl").write_text(events)
    assert merge.main([str(tmp_path), *map(str, folders)]) == 0
    assert capsys.readouterr().out == ""

    assert sorted(path.name for path in tmp_path.glob("worst/*")) == sorted(path.name for path in root.glob("worst/*"))
    same = ["oof.csv", "thresholds.csv", "oracle.csv", "submission.csv"]
    same += ["worst.png", *(f"worst/{path.name}" for path in root.glob("worst/*"))]
    for name in same:
        assert (tmp_path / name).read_bytes() == (root / name).read_bytes(), name
    summary = json.loads((tmp_path / "metrics.json").read_text())
    for name in ("primary", "metrics", "baselines", "choice", "ablation", "oracle"):
        assert summary[name] == whole[name]
    assert summary["thresholds"] == pytest.approx(whole["thresholds"], abs=1e-6)  # top scores are rounded in oof.csv
    assert summary["seconds"] == 1.0
    assert summary["profile"].keys() == whole["profile"].keys()
    assert summary["profile"]["steps"] == whole["profile"]["steps"]
    # A run of all folds does not write the files for a merge.
    assert not {"test_maps.npz", "oracle_pictures.csv"} & {path.name for path in root.iterdir()}


def test_what_a_fold_left_out_is_not_merged(
    single_fold_runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the maps of a fold there is no submission, without its scores no bottlenecks; each with a message."""
    folder = tmp_path / "base--f0" / "local-v1"
    shutil.copytree(single_fold_runs[0] / "working", folder)
    (folder / "test_maps.npz").unlink()
    (folder / "oracle_pictures.csv").unlink()
    merge.merge_submission(tmp_path, [folder], {"config": to_dict(Config())}, [], cast(RuleChoice, None), None)
    assert capsys.readouterr().out == "no submission.csv: base--f0 has no test_maps.npz here\n"
    whole = single_fold_runs[1] / "working"
    assert merge.merge_oracle(tmp_path, [folder, whole], []) is None
    assert capsys.readouterr().out == "no analysis of bottlenecks: base--f0 has no oracle_pictures.csv here\n"
    assert merge.merge_oracle(tmp_path, [folder], []) is None
    assert capsys.readouterr().out == ""
    parts = [fold_maps.read_maps(each / "working" / "test_maps.npz") for each in single_fold_runs]
    with pytest.raises(ValueError, match="predicted different images"):
        fold_maps.check_same_images([parts[0], replace(parts[1], skipped=("a",))])


def test_repeats_are_merged(tmp_path: Path) -> None:
    """The mean over all images, and the rows, for the seeds that every fold has."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, ids in zip(folders, ("ce", "d"), strict=True):
        folder.mkdir()
        for name in ("oof.csv", "oof.seed1.csv"):
            (folder / name).write_text("ImageId,dice\n" + "".join(f"{each},0\n" for each in ids))
    repeats = [{"values": [{"seed": seed, "value": seed / of} for seed in (0, 1, 2)[:of]]} for of in (3, 2)]
    found = merge.merge_repeats(tmp_path, folders, repeats)
    assert found is not None
    assert found["values"] == [{"seed": 0, "value": 0.0}, {"seed": 1, "value": pytest.approx((2 / 3 + 1 / 2) / 3)}]
    assert (tmp_path / "oof.seed1.csv").read_text() == "ImageId,dice\nc,0\nd,0\ne,0\n"
    assert merge.merge_repeats(tmp_path, folders, [repeats[0], None]) is None


def test_merging_needs_no_torch() -> None:
    """Folds are merged on the user's machine, with numpy and Pillow."""
    code = "import sys, model_src.merge; print({'torch', 'pydicom', 'pandas'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_rows_of_other_images_are_not_merged(tmp_path: Path) -> None:
    """oof.csv and counts.npz have to be of the same images."""
    (tmp_path / "oof.csv").write_text("ImageId,fold\nb,0\n")
    with pytest.raises(ValueError, match="do not have the same images"):
        merge.read_scored(tmp_path / "oof.csv", ["a"], cast(Counts, None), Config())
