"""The bottleneck analysis: replace the output of one stage by the truth, keep the rest, and score again.

The stages, and what replaces their output (the oracle) in an image with true boxes and masks:

    rpn    the proposals are the true boxes; an image without any has no detections
    cls    a box scores 1 if its IoU with a true box is at least 0.5, else 0; boxes of different true instances do not
           suppress each other
    box    a box whose IoU with a true box is at least 0.5 becomes that box, and its mask is predicted again
    mask   the mask of such a box becomes the true mask, in the original size of the image
    pres   an image without a true mask gets an empty mask

Each oracle is measured alone, and one after the other, cumulatively (the ladder). For every model: without oracles the
result is the model's own prediction, bit for bit; with all oracles the dice is 1; `pres` never reduces the dice. The
others can: a true box that is unusual for the mask head, or a suppressed neighbour, may cost more than is gained. Gains
are reported as they are.

The method is error diagnosis by oracles (Hoiem et al., "Diagnosing Error in Object Detectors", 2012), applied to the
stages of torchvision's Mask R-CNN, which are called one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.roi_heads import maskrcnn_inference
from torchvision.ops import batched_nms, box_iou, clip_boxes_to_image, remove_small_boxes

from ..data.dataset import Batch
from ..data.load import Data
from ..data.rle import decode
from ..data.transfer import images_on_device
from ..network import CLASSES
from ..prediction.predict import Autocast, in_shape, united
from ..prediction.thresholds import Rule
from ..score import ImageScore, dice
from .oracle_summary import BASELINE, MEASURED, OracleScores, StageSet

MATCH = 0.5
"""Least IoU of a box that belongs to a true box."""
INSTANCE = 1
"""The class of an instance; 0 is the background."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """The true instances of an image."""

    boxes: Tensor
    """float (n, 4) around the masks, in pixels of the model's image."""
    masks: tuple[Mask, ...]
    """n masks (height, width) in the original size of the image."""
    shape: tuple[int, int]
    """The original (height, width)."""

    @property
    def united(self) -> Mask:
        """The union of the masks (height, width)."""
        return np.any(self.masks, axis=0) if self.masks else np.zeros(self.shape, bool)


@dataclass(frozen=True)
class Instances:
    """The detections of the box stages in an image."""

    boxes: Tensor
    """float (n, 4)."""
    scores: Tensor
    """float (n), descending."""
    matched: Tensor
    """int64 (n): index of the true instance that the box belongs to; -1 = none."""


@dataclass(frozen=True)
class Candidates:
    """The proposals of an image with the output of the box head, before suppression."""

    boxes: Tensor
    """float (n, 4): the box that the box head regresses from each proposal."""
    scores: Tensor
    """float (n)."""


def oracle_dice(
    model: MaskRCNN,
    loader: Iterable[Batch],
    data: Data,
    rule: Rule,
    device: torch.device,
    autocast: Autocast = nullcontext,
) -> Iterator[OracleScores]:
    """The dice of every image of the loader with each set of stages in MEASURED replaced. `autocast`: see `predict`."""
    model.eval()
    with torch.inference_mode():
        for pictures, targets in loader:
            indices = [int(target["image_id"]) for target in targets]
            truths = [true_instances(data, index, pictures[0].shape[-1], device) for index in indices]
            batch = images_on_device(pictures, device)
            with autocast():
                masks = replaced_masks(model, batch, truths, rule, MEASURED)
            for place, (index, truth) in enumerate(zip(indices, truths, strict=True)):
                yield graded(data.train.ids[index], truth, {stages: masks[stages][place] for stages in MEASURED})


def graded(image_id: str, truth: Truth, masks: Mapping[StageSet, Mask]) -> OracleScores:
    """The dice of an image with each set of replaced stages."""
    true_mask = truth.united
    dice_of = {stages: dice(mask, true_mask) for stages, mask in masks.items()}
    areas = int(true_mask.sum()), int(masks[BASELINE].sum())
    return OracleScores(ImageScore(image_id, dice_of[BASELINE], *areas), dice_of)


def true_instances(data: Data, index: int, size: int, device: torch.device) -> Truth:
    """The true instances of a training image; boxes are measured in the original size, so that no small one is lost."""
    shape = data.train.shapes[index]
    masks = tuple(decode(code, *shape) for code in data.labels[data.train.ids[index]])
    return truth_of(masks, shape, size, device)


def truth_of(masks: tuple[Mask, ...], shape: tuple[int, int], size: int, device: torch.device) -> Truth:
    """True instances from masks (height, width), with boxes for an image of `size` pixels."""
    scale_y, scale_x = size / shape[0], size / shape[1]
    boxes = []
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        boxes.append(
            (columns[0] * scale_x, rows[0] * scale_y, (columns[-1] + 1) * scale_x, (rows[-1] + 1) * scale_y),
        )
    return Truth(torch.tensor(np.array(boxes, np.float32).reshape(-1, 4), device=device), masks, shape)


def replaced_masks(
    model: MaskRCNN, images: list[Tensor], truths: Sequence[Truth], rule: Rule, wanted: Collection[StageSet]
) -> dict[StageSet, list[Mask]]:
    """The masks of a batch, in their original sizes, for each set of replaced stages."""
    sizes = [(image.shape[-2], image.shape[-1]) for image in images]
    inputs, _ = model.transform(images, None)
    features = model.backbone(inputs.tensors)
    proposals, _ = model.rpn(inputs, features, None)
    seen = {
        "proposed": classify(model, features, proposals, inputs.image_sizes),
        "true": classify(model, features, [truth.boxes for truth in truths], inputs.image_sizes),
    }
    drawn: dict[StageSet, list[dict[str, Tensor]]] = {}
    result: dict[StageSet, list[Mask]] = {}
    for stages in wanted:
        boxed = stages & {"rpn", "cls", "box"}
        if boxed not in drawn:
            candidates = seen["true" if "rpn" in boxed else "proposed"]
            found = [detect(model, each, truth, boxed) for each, truth in zip(candidates, truths, strict=True)]
            drawn[boxed] = draw(model, features, found, inputs.image_sizes, sizes, rule.score)
        result[stages] = [
            compose(pasted, truth, stages, rule) for pasted, truth in zip(drawn[boxed], truths, strict=True)
        ]
    return result


def classify(
    model: MaskRCNN, features: Mapping[str, Tensor], proposals: list[Tensor], sizes: list[tuple[int, int]]
) -> list[Candidates]:
    """The output of the box head for the proposals of each image."""
    heads = model.roi_heads
    logits, corrections = heads.box_predictor(heads.box_head(heads.box_roi_pool(features, proposals, sizes)))
    counts = [len(each) for each in proposals]
    # Without any proposal in the batch, the result of the coder has no dimension for the classes.
    boxes = heads.box_coder.decode(corrections, proposals).reshape(-1, CLASSES, 4).split(counts)
    scores = logits.softmax(-1).split(counts)
    return [
        Candidates(clip_boxes_to_image(box, size)[:, INSTANCE], score[:, INSTANCE])
        for box, score, size in zip(boxes, scores, sizes, strict=True)
    ]


def detect(model: MaskRCNN, candidates: Candidates, truth: Truth, stages: StageSet) -> Instances:
    """The detections among the candidates of an image, as in torchvision's `postprocess_detections`."""
    heads = model.roi_heads
    boxes, scores = candidates.boxes, candidates.scores
    # A true proposal belongs to its own instance, even if another instance has the same box.
    own = torch.arange(len(boxes), device=boxes.device)
    matched = own if {"rpn", "box"} <= stages else match(boxes, truth.boxes)
    if "box" in stages and len(truth.boxes):
        boxes = torch.where(matched[:, None] >= 0, truth.boxes[matched], boxes)
    group = torch.full_like(matched, INSTANCE)
    most = heads.detections_per_img
    if "cls" in stages:
        # The scores of the model still decide between boxes with equal true scores: suppression uses their order.
        order = scores.argsort(descending=True, stable=True)
        boxes, matched = boxes[order], matched[order]
        scores, group = (matched >= 0).to(scores.dtype), matched + 1
        most = max(most, len(truth.boxes))
    kept = torch.where(scores > heads.score_thresh)[0]
    kept = kept[remove_small_boxes(boxes[kept], min_size=1e-2)]
    kept = kept[batched_nms(boxes[kept], scores[kept], group[kept], heads.nms_thresh)[:most]]
    return Instances(boxes[kept], scores[kept], matched[kept])


def match(boxes: Tensor, true_boxes: Tensor) -> Tensor:
    """int64 (n): the index of the true box with the largest IoU with each box, if it is at least MATCH; else -1."""
    if not len(true_boxes):
        return torch.full((len(boxes),), -1, dtype=torch.int64, device=boxes.device)
    overlap, nearest = box_iou(boxes, true_boxes).max(1)
    return torch.where(overlap >= MATCH, nearest, -1)


def draw(
    model: MaskRCNN,
    features: Mapping[str, Tensor],
    instances: Sequence[Instances],
    inner: list[tuple[int, int]],
    outer: list[tuple[int, int]],
    score_threshold: float,
) -> list[dict[str, Tensor]]:
    """The masks of the mask head for the detections of each image, in the original sizes, of `score_threshold` or more.

    Keys: boxes, scores, matched, masks. Pasting takes most of the time, so instances with lower scores are left out.
    """
    heads = model.roi_heads
    boxes = [each.boxes for each in instances]
    logits = heads.mask_predictor(heads.mask_head(heads.mask_roi_pool(features, boxes, inner)))
    labels = [torch.full((len(each),), INSTANCE, dtype=torch.int64, device=logits.device) for each in boxes]
    counted = []
    for each, masks in zip(instances, maskrcnn_inference(logits, labels), strict=True):
        counts = each.scores >= score_threshold
        values = {"boxes": each.boxes, "scores": each.scores, "matched": each.matched, "masks": masks}
        counted.append({name: value[counts] for name, value in values.items()})
    pasted: list[dict[str, Tensor]] = model.transform.postprocess(counted, inner, outer)
    return pasted


def compose(pasted: Mapping[str, Tensor], truth: Truth, stages: StageSet, rule: Rule) -> Mask:
    """The mask of an image: the union of the predicted masks and, where they are replaced, of the true masks."""
    if "pres" in stages and not truth.masks:
        return np.zeros(truth.shape, bool)
    replaced = pasted["matched"] >= 0 if "mask" in stages else torch.zeros_like(pasted["matched"], dtype=torch.bool)
    kept = ~replaced
    mask = rule.mask(in_shape(united(pasted["masks"][kept][:, 0], pasted["scores"][kept], rule.score), truth.shape))
    for place in set(pasted["matched"][replaced].tolist()):
        mask |= truth.masks[place]
    return mask
