"""The competition's metric and the score of a submission."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from model_src.data.rle import Mask, encode, union
from model_src.score import (
    Scored,
    all_empty,
    choose_presence,
    competition_score,
    dice,
    grade,
    main,
    mean_dice,
    score,
    split_loss,
    with_presence,
)
from tests.model_src.session_root import PROJECT


def scored(*, value: float = 0.0, truth: int = 0, top: float = 0.0) -> Scored:
    """A scored image with these values."""
    return Scored("id", 0, value, truth, 0, top, "-1")


def test_dice_of_two_masks() -> None:
    """Twice the overlap over the sum; 1 where both are empty, 0 where only one is."""
    left, right, empty = (np.array(each, bool) for each in ([1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 0, 0]))
    assert dice(left, right) == pytest.approx(4 / 6)
    assert dice(left, left) == dice(empty, empty) == 1
    assert dice(left, empty) == dice(empty, left) == 0


def test_all_empty_on_the_real_labels(real_codes: Mapping[str, tuple[str, ...]]) -> None:
    """9 378 of 12 047 images have no mask: this is the score of an empty submission."""
    pictures = [
        scored(value=float(not codes), truth=sum(int(each) for code in codes for each in code.split()[1::2]))
        for codes in real_codes.values()
    ]
    assert all_empty(pictures) == mean_dice(pictures) == pytest.approx(9378 / 12047)


def test_real_instances_are_united(real_codes: Mapping[str, tuple[str, ...]]) -> None:
    """For the image with ten masks, a single mask does not score 1, all of them do."""
    codes = max(real_codes.values(), key=len)
    truth = union(codes, 1024, 1024)
    assert dice(union(reversed(codes), 1024, 1024), truth) == 1
    assert 0 < dice(union(codes[:1], 1024, 1024), truth) < 1


@given(
    st.lists(
        st.builds(
            scored,
            value=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
            truth=st.sampled_from([0, 9]),
            top=st.sampled_from([0.0, 0.3, 0.6, 0.9]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_presence_is_the_best_there_is(pictures: list[Scored]) -> None:
    """No other threshold is better, and the returned mean is that of the threshold."""
    threshold, value = choose_presence(pictures)

    def at(each: float) -> float:
        return sum(with_presence(picture, each) for picture in pictures) / len(pictures)

    assert value == pytest.approx(at(threshold))
    assert value == pytest.approx(max(at(each) for each in [0.0, *(picture.top_score for picture in pictures)]))


small_masks = arrays(np.bool_, (3, 4))


@given(
    st.lists(st.tuples(st.lists(small_masks, max_size=3), st.lists(small_masks, max_size=3)), min_size=1, max_size=6)
)
def test_score_from_runs_is_that_of_the_masks(images: list[tuple[list[Mask], list[Mask]]]) -> None:
    """For any masks, dice and areas equal those by counting pixels, and the parts are exact."""
    submission = {str(place): [encode(mask) for mask in predicted] for place, (predicted, _) in enumerate(images)}
    truth = {str(place): [encode(mask) for mask in true] for place, (_, true) in enumerate(images)}
    graded = grade(submission, truth, shape=(3, 4))
    for each in graded:
        predicted, true = (union(codes[each.image_id], 3, 4) for codes in (submission, truth))
        assert each.dice == dice(predicted, true)
        assert (each.predicted_area, each.truth_area) == (predicted.sum(), true.sum())
    found = score(graded)
    assert found.dice == pytest.approx(sum(each.dice for each in graded) / len(graded))
    assert found.all_empty == sum(not each.truth_area for each in graded) / len(graded)
    parts = vars(found.split).values()
    assert 1 - found.dice == pytest.approx(math.fsum(part.loss for part in parts), abs=1e-12)
    assert sum(part.images for part in parts) == sum(bool(each.truth_area or each.predicted_area) for each in graded)
    for mean, n, of_positives in (
        (found.dice_positive, found.positives, True),
        (found.dice_empty, found.empties, False),
    ):
        values = [each.dice for each in graded if bool(each.truth_area) == of_positives]
        assert n == len(values)
        assert mean == pytest.approx(sum(values) / n) if n else math.isnan(mean)


def test_split_of_the_loss() -> None:
    """One image of each kind: the loss of each part and its images; a perfect image has no loss."""
    truth = {"fp": (), "missed": ("0 4",), "disjoint": ("0 4",), "half": ("0 4",), "exact": ("0 4",), "empty": ()}
    submission = {"fp": ("0 1",), "missed": (), "disjoint": ("8 4",), "half": ("2 4",), "exact": ("0 4",), "empty": ()}
    found = split_loss(grade(submission, truth, shape=(3, 4)))
    losses = {name: Fraction(part.loss).limit_denominator(100) for name, part in vars(found).items()}
    sixth = Fraction(1, 6)
    assert losses == {"false_positive": sixth, "missed": sixth, "disjoint": sixth, "partial": sixth / 2}
    assert [part.ids for part in vars(found).values()] == [("fp",), ("missed",), ("disjoint",), ("half",)]
    assert found.partial.images == 2


def test_the_competitions_score_of_a_part(tmp_path: Path) -> None:
    """The mean over a part of the images; the whole submission is checked, and errors are described."""
    truth, submission = tmp_path / "solution.csv", tmp_path / "submission.csv"
    truth.write_text("ImageId,EncodedPixels\na,1 4\nb,-1\nc,10 2\nc,20 2\nd,-1\n")
    submission.write_text("ImageId,EncodedPixels\na,1 2\nb,-1\nc,-1\nd,5 5\n")
    assert competition_score(submission, truth, ["a", "b"]) == pytest.approx((2 * 2 / (2 + 4) + 1) / 2)
    assert competition_score(submission, truth, ["b"]) == 1
    assert competition_score(submission, truth, ["c", "d"]) == 0
    for text, message in (
        ("a,1 2\nb,-1\nc,-1\n", "no row for 1 image: d"),
        ("a,1 2\nb,-1\nc,-1\nd,-1\ne,-1\n", "not asked for: 1 image: e"),
        ("a,1\nb,-1\nc,-1\nd,-1\n", "ImageId a"),
    ):
        submission.write_text(f"ImageId,EncodedPixels\n{text}")
        with pytest.raises(ValueError, match=message):
            competition_score(submission, truth, ["b"])


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in a new process."""
    return subprocess.run(
        [sys.executable, "-m", "model_src.score", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )


def test_real_submission(real_labels: Path, competition_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real submission has the score of the competition, and the known parts of its loss."""
    ids = competition_files / "stage1_sample_submission.csv"
    lines = run(competition_files / "stage1_submission_se154.csv", real_labels, "--ids", ids).stdout.splitlines()
    figures = [tuple(map(float, re.findall(r" (\d\S*)", line)[:2])) for line in lines]
    assert figures == [
        (0.874599, 1372),
        (0.468793, 290),
        (0.983364, 1082),
        (0.788630, 1372),
        (0.125401, 1372),
        (0.013120, 18),
        (0.063411, 87),
        (0.003644, 5),
        (0.045226, 198),
    ]
    assert main([str(ids), str(real_labels), "--ids", str(ids), "--json"]) == 0
    empty: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert empty["dice"] == empty["all_empty"] == pytest.approx(0.788630, abs=5e-7)
    assert (empty["dice_positive"], empty["dice_empty"], len(empty["split"]["missed"]["ids"])) == (0, 1, 290)


def test_several_rows_an_image_score_like_one(
    tmp_path: Path, real_labels: Path, real_codes: Mapping[str, tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The label file as a submission, with several rows per image, scores 1, and so does its merged form."""
    merged = tmp_path / "merged.csv"
    labels = {image_id: codes for image_id, codes in real_codes.items() if len(codes) > 1}
    rows = [f"{image_id}, {encode(union(codes, 1024, 1024))}" for image_id, codes in labels.items()]
    merged.write_text("\n".join(["ImageId,EncodedPixels", *rows]))
    for submission, ids, images in ((real_labels, real_labels, 12047), (merged, merged, len(labels))):
        assert main([str(submission), str(real_labels), "--ids", str(ids), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["images"], found["dice"]) == (images, 1)
    assert found["dice_empty"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["most.csv", "truth.csv"], "truth.csv has 1 images that most.csv lacks, such as c; to score a part"),
        (["most.csv", "truth.csv", "--ids", "truth.csv"], "the submission has no row for 1 image: c"),
        (["truth.csv", "most.csv"], "the submission has rows that were not asked for: 1 image: c"),
        (["truth.csv", "truth.csv", "--ids", "most.csv"], "rows that were not asked for: 1 image: c"),
        (["other.csv", "truth.csv", "--ids", "other.csv"], "the truth has no row for 4 images: v, w, x, ..."),
        (["bad.csv", "truth.csv"], "bad.csv, line 2, ImageId a: run-length code must hold pairs"),
        (["most.csv", "nowhere.csv"], "No such file"),
        (["none.csv", "none.csv"], "there are no images to score"),
    ],
)
def test_errors_of_the_command_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: Sequence[str],
    message: str,
) -> None:
    """Missing and unexpected ids, unreadable files: one line on standard error, exit code 1, no score."""
    monkeypatch.chdir(tmp_path)
    rows = {
        "truth": "a,-1\nb,4 2\nc,1 1",
        "most": "a,-1\nb,-1",
        "other": "v,-1\nw,-1\nx,-1\ny,-1",
        "bad": "a,1",
        "none": "",
    }
    for name, text in rows.items():
        Path(f"{name}.csv").write_text(f"ImageId,EncodedPixels\n{text}\n")
    assert main(arguments) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
