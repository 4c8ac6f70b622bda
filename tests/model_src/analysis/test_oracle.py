"""The bottleneck analysis: properties for every model and truth, each oracle, and the summary."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.models.detection import MaskRCNN
from torchvision.ops import box_iou

from model_src.analysis.oracle import Candidates, Truth, detect, graded, match, replaced_masks, truth_of
from model_src.analysis.oracle_summary import (
    BASELINE,
    LADDER,
    MEASURED,
    STAGES,
    OracleScores,
    StageSet,
    oracle_lines,
    oracle_rows,
    summarize,
)
from model_src.data.dataset import collate
from model_src.data.rle import decode
from model_src.data.transfer import images_on_device
from model_src.network.build import build_model
from model_src.prediction.predict import predict
from model_src.prediction.thresholds import Rule
from model_src.score import dice
from tests.model_src.networks import CPU, FEW, SMALL, noise, one_thread

Mask = npt.NDArray[np.bool_]

RULE = Rule(0.1, 0.5, 0, 0.5)
SIZE = 64


@pytest.fixture(scope="module", params=[0, 1])
def model(request: pytest.FixtureRequest, narrow_here: None) -> Iterator[MaskRCNN]:
    """A detector with random weights: many wrong detections."""
    with one_thread():
        torch.manual_seed(request.param)
        yield build_model(SMALL, FEW, image_size=SIZE, weights=None).eval()


def pictures(count: int, seed: int = 0) -> list[Tensor]:
    """Noise, uint8 (1, 64, 64) each."""
    return list(noise(count, seed=seed))


def rectangle(shape: tuple[int, int], top: int, left: int, height: int, width: int) -> Mask:
    """A mask of one rectangle."""
    mask = np.zeros(shape, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def truths() -> list[Truth]:
    """Images of several sizes with none, one and two instances."""
    shapes = [(64, 64), (128, 128), (96, 48), (64, 64)]
    rectangles = [[], [(10, 20, 60, 50)], [(5, 5, 40, 12), (50, 20, 30, 20)], [(30, 2, 20, 40)]]
    return [
        truth_of(tuple(rectangle(shape, *each) for each in chosen), shape, SIZE, CPU)
        for shape, chosen in zip(shapes, rectangles, strict=True)
    ]


def replaced(
    model: MaskRCNN, truth: list[Truth], wanted: Collection[StageSet], seed: int = 0
) -> dict[StageSet, list[Mask]]:
    """The masks of noise images under these truths."""
    with torch.inference_mode():
        return replaced_masks(model, images_on_device(pictures(len(truth), seed), CPU), truth, RULE, wanted)


def test_without_an_oracle_it_is_the_models_own_prediction(model: MaskRCNN) -> None:
    """The stages called one by one give, bit for bit, the masks that the model gives as a whole."""
    samples = [(picture, {"image_id": torch.tensor(index)}) for index, picture in enumerate(pictures(4))]
    loader = DataLoader(samples, batch_size=4, collate_fn=collate)  # type: ignore[arg-type,var-annotated]
    whole = [
        each.mask(truth.shape, RULE)
        for each, truth in zip(predict([model], loader, tta="none", device=CPU), truths(), strict=True)
    ]
    ours = replaced(model, truths(), [BASELINE])[BASELINE]
    assert sum(mask.any() for mask in whole) >= 3
    assert all(map(np.array_equal, ours, whole))


@st.composite
def any_truth(draw: st.DrawFn) -> Truth:
    """Up to six instances in an image of any shape: single pixels, copies, nested and touching ones."""
    shape = (draw(st.integers(20, 150)), draw(st.integers(20, 150)))
    masks: list[Mask] = []
    for _ in range(draw(st.integers(0, 6))):
        if draw(st.booleans()) and masks:
            # The same box with another mask: its diagonal.
            rows, columns = np.nonzero(masks[-1])
            other = rectangle(shape, rows.min(), columns.min(), 1, 1)
            other[rows.max(), columns.max()] = True
            masks.append(other)
            continue
        top, left = draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))
        height, width = draw(st.integers(1, shape[0] - top)), draw(st.integers(1, shape[1] - left))
        masks.append(rectangle(shape, top, left, height, width))
    return truth_of(tuple(masks), shape, SIZE, CPU)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(any_truth(), min_size=1, max_size=2), st.integers(0, 3))
def test_all_oracles_together_are_perfect(model: MaskRCNN, truth: list[Truth], seed: int) -> None:
    """For any model and truth, also with more instances than the model may return, every pixel is correct."""
    masks = replaced(model, truth, [frozenset(STAGES), frozenset({"rpn", "cls", "box", "mask"})], seed)
    for found in masks.values():
        assert all(np.array_equal(mask, each.united) for mask, each in zip(found, truth, strict=True))


def test_all_oracles_together_are_perfect_on_real_masks(
    model: MaskRCNN, real_codes: Mapping[str, tuple[str, ...]]
) -> None:
    """The six images with the most masks of the competition: up to ten, more than the model may return."""
    most = sorted(real_codes, key=lambda image_id: (-len(real_codes[image_id]), image_id))[:6]
    full = (1024, 1024)
    truth = [truth_of(tuple(decode(code, *full) for code in real_codes[each]), full, SIZE, CPU) for each in most]
    assert max(len(each.masks) for each in truth) > SMALL.max_detections
    masks = replaced(model, truth, [BASELINE, frozenset(STAGES)])
    assert all(dice(mask, each.united) == 1.0 for mask, each in zip(masks[frozenset(STAGES)], truth, strict=True))
    assert all(dice(mask, each.united) < 1.0 for mask, each in zip(masks[BASELINE], truth, strict=True))


def test_presence_never_takes_away_and_touches_empty_pictures_only(model: MaskRCNN) -> None:
    """Empty images score 1, the others are unchanged."""
    pres = frozenset({"pres"})
    masks = replaced(model, truths(), [BASELINE, pres])
    assert masks[BASELINE][0].any()
    assert not masks[pres][0].any()
    assert all(map(np.array_equal, masks[BASELINE][1:], masks[pres][1:]))


def test_true_proposals_on_an_empty_picture_leave_nothing_to_detect(model: MaskRCNN) -> None:
    """This is why `pres` is the first step of the ladder; a batch without any proposal works, too."""
    rpn = frozenset({"rpn"})
    assert replaced(model, truths(), [BASELINE])[BASELINE][0].any()
    assert not replaced(model, truths(), [rpn])[rpn][0].any()
    assert not replaced(model, truths()[:1], [rpn])[rpn][0].any()


def near(box: list[float], *shifts: float) -> Tensor:
    """Copies of a box, moved to the right."""
    return torch.tensor([[box[0] + shift, box[1], box[2] + shift, box[3]] for shift in shifts], dtype=torch.float32)


def test_cls_keeps_what_overlaps_a_truth_and_nothing_else(model: MaskRCNN) -> None:
    """Boxes with an IoU of at least one half score 1; others are removed, even with a higher score of the model."""
    (truth,) = [truth_of((rectangle((64, 64), 10, 10, 20, 20),), (64, 64), SIZE, CPU)]
    boxes = near([10, 10, 30, 30], 0, 5, 8, 30)
    assert box_iou(boxes, truth.boxes)[:, 0].tolist() == pytest.approx([1, 0.6, 12 / 28, 0])
    scores = torch.tensor([0.01, 0.2, 0.8, 0.9])
    found = detect(model, Candidates(boxes, scores), truth, frozenset({"cls"}))
    # Of the two correct boxes, the one with the higher score of the model suppresses the other.
    assert found.boxes.tolist() == [boxes[1].tolist()]
    assert found.scores.tolist() == [1.0]
    assert found.matched.tolist() == [0]
    assert detect(model, Candidates(boxes, scores), truth, BASELINE).boxes.tolist() == boxes[[3, 2]].tolist()


def test_box_replaces_what_matches(model: MaskRCNN) -> None:
    """A matching box becomes the true box and keeps its score; another one is unchanged."""
    truth = truth_of((rectangle((64, 64), 10, 10, 20, 20),), (64, 64), SIZE, CPU)
    boxes = near([10, 10, 30, 30], 5, 30)
    found = detect(model, Candidates(boxes, torch.tensor([0.7, 0.9])), truth, frozenset({"box"}))
    assert found.boxes.tolist() == [boxes[1].tolist(), [10, 10, 30, 30]]
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])
    assert found.matched.tolist() == [-1, 0]


def test_match_takes_the_nearest_from_one_half_on() -> None:
    """An IoU of exactly one half matches; without true boxes none matches."""
    boxes, true_boxes = (
        torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9]]),
        torch.tensor([[0.0, 0, 10, 20], [50, 50, 60, 60]]),
    )
    assert match(boxes, true_boxes).tolist() == [0, -1]
    assert match(boxes, torch.zeros(0, 4)).tolist() == [-1, -1]


def test_mask_is_replaced_in_the_original_size(model: MaskRCNN) -> None:
    """The replaced mask equals the true mask in every pixel of the original size."""
    shape = (250, 190)
    truth = truth_of((rectangle(shape, 31, 17, 101, 87),), shape, SIZE, CPU)
    chosen = frozenset({"rpn", "cls", "box", "mask"})
    found = replaced(model, [truth], [chosen - {"mask"}, chosen])
    assert np.array_equal(found[chosen][0], truth.masks[0])
    assert not np.array_equal(found[chosen - {"mask"}][0], truth.masks[0])


def test_boxes_of_the_truth_are_scaled_and_never_lost() -> None:
    """The box of a single pixel of a large image remains, though it is 1/16 pixel high in the model's input."""
    truth = truth_of((rectangle((1024, 512), 1023, 0, 1, 1),), (1024, 512), SIZE, CPU)
    assert truth.boxes.tolist() == [[0, 63.9375, 0.125, 64]]


def test_small_pictures_of_a_batch_do_not_change_each_other(model: MaskRCNN) -> None:
    """The result of an image does not depend on the true instances of other images in the batch."""
    one = replaced(model, truths(), MEASURED)
    changed = [
        truths()[0],
        truths()[1],
        truths()[2],
        dataclasses.replace(truths()[3], boxes=torch.zeros(0, 4), masks=()),
    ]
    other = replaced(model, changed, [BASELINE, frozenset({"mask"}), frozenset({"pres"})])
    for stages, masks in other.items():
        assert all(map(np.array_equal, masks[:3], one[stages][:3]))


def measured(model: MaskRCNN) -> list[OracleScores]:
    """Every image with each set of stages replaced."""
    masks = replaced(model, truths(), MEASURED)
    return [
        graded(str(place), truth, {stages: masks[stages][place] for stages in MEASURED})
        for place, truth in enumerate(truths())
    ]


def test_summary_adds_up(model: MaskRCNN) -> None:
    """The ladder goes from the baseline to exactly 1, and the four kinds of error sum up to the loss."""
    swapped = measured(model)
    found = summarize(swapped)
    assert found["baseline"] == pytest.approx(sum(each.baseline.dice for each in swapped) / len(swapped))
    assert [each["name"] for each in found["alone"]] == list(STAGES)
    assert [each["name"] for each in found["ladder"]] == [f"+{stage}" for stage in LADDER]
    assert found["ladder"][-1]["value"] == 1.0
    assert sum(each["gain"] for each in found["ladder"]) == pytest.approx(1 - found["baseline"])
    assert sum(each["loss"] for each in found["split"].values()) == pytest.approx(1 - found["baseline"])
    assert found["alone"][-1]["value"] == found["ladder"][0]["value"] >= found["baseline"]
    assert found["split"]["false_positive"] == {"loss": 0.25, "images": 1}


def test_an_oracle_that_hurts_is_reported_so(model: MaskRCNN) -> None:
    """A negative gain stays negative, in the summary, the table and the log."""
    box = frozenset({"box"})
    hurt = [dataclasses.replace(each, dice={**each.dice, BASELINE: 0.5, box: 0.25}) for each in measured(model)]
    found = summarize(hurt)
    assert found["alone"][2] == {"name": "box", "value": 0.25, "gain": -0.25}
    assert ("alone", "box", "0.250000", "-0.250000", 4) in list(oracle_rows(found))
    assert "box -0.2500" in next(oracle_lines(found))
