"""Where the detector loses its dice: replace one stage's output by the truth, keep the rest, score again.

The stages and what an oracle does at each, for a picture with true boxes and masks:

    rpn    proposals are the true boxes; on a picture without any there is then nothing to detect
    cls    a box scores 1 if it overlaps a true box by an IoU of at least 0.5, else 0; of boxes that overlap each
           other, those of different truths don't suppress each other
    box    a box that overlaps a true box by at least 0.5 becomes that box, and the mask is drawn in it anew
    mask   the mask of such a box becomes the true one, in the picture's original size
    pres   a picture without a true mask is blanked

Each is measured alone, and one after the other as a ladder. What holds, whatever the model: no oracle at all is the
model's own prediction, bit for bit; all together are 1.0; `pres` never takes away. Any other may: a true box that the
mask head isn't used to, or a suppressed neighbour, can cost more than it brings. Gains are reported as they are.

The method is error diagnosis by oracles (Hoiem et al., "Diagnosing Error in Object Detectors", 2012), applied to the
parts of torchvision's Mask R-CNN, which are called one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
from ..prediction.predict import in_shape, united
from ..prediction.thresholds import Rule
from ..score import ImageScore, dice
from .oracle_summary import BASELINE, MEASURED, Swapped, Swaps

MATCH = 0.5
"""Least IoU at which a box belongs to a true one."""
INSTANCE = 1
"""The class that is not background."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """One picture's true instances."""

    boxes: Tensor
    """float (n, 4) around the masks, in pixels of the model's picture."""
    masks: tuple[Mask, ...]
    """n masks (height, width) in the picture's original size."""
    shape: tuple[int, int]
    """That size."""

    @property
    def united(self) -> Mask:
        """(height, width)."""
        return np.any(self.masks, axis=0) if self.masks else np.zeros(self.shape, bool)


@dataclass(frozen=True)
class Instances:
    """What the box stages found in one picture."""

    boxes: Tensor
    """float (n, 4)."""
    scores: Tensor
    """float (n), falling."""
    matched: Tensor
    """int64 (n): position of the truth that the box belongs to; -1 = none."""


@dataclass(frozen=True)
class Candidates:
    """One picture's proposals and what the box head says about them, before anything is left out."""

    boxes: Tensor
    """float (n, 4): the box that each proposal was corrected to."""
    scores: Tensor
    """float (n)."""


def oracle_dice(
    model: MaskRCNN, loader: Iterable[Batch], data: Data, rule: Rule, device: torch.device
) -> Iterator[Swapped]:
    """Every picture of the loader with each set of stages replaced."""
    model.eval()
    with torch.inference_mode():
        for pictures, targets in loader:
            indices = [int(target["image_id"]) for target in targets]
            truths = [true_instances(data, index, pictures[0].shape[-1], device) for index in indices]
            batch = images_on_device(pictures, device)
            masks = replaced_masks(model, batch, truths, rule, MEASURED)
            for place, (index, truth) in enumerate(zip(indices, truths, strict=True)):
                yield graded(data.train.ids[index], truth, {swaps: masks[swaps][place] for swaps in MEASURED})


def graded(image_id: str, truth: Truth, masks: Mapping[Swaps, Mask]) -> Swapped:
    """One picture's masks against the truth."""
    true_mask = truth.united
    dice_of = {swaps: dice(mask, true_mask) for swaps, mask in masks.items()}
    areas = int(true_mask.sum()), int(masks[BASELINE].sum())
    return Swapped(ImageScore(image_id, dice_of[BASELINE], *areas), dice_of)


def true_instances(data: Data, index: int, size: int, device: torch.device) -> Truth:
    """The truth about a training picture; the boxes are measured before the masks are scaled, so none gets lost."""
    shape = data.train.shapes[index]
    masks = tuple(decode(code, *shape) for code in data.labels[data.train.ids[index]])
    return truth_of(masks, shape, size, device)


def truth_of(masks: tuple[Mask, ...], shape: tuple[int, int], size: int, device: torch.device) -> Truth:
    """Masks (height, width) with their boxes in a picture of `size` pixels."""
    scale_y, scale_x = size / shape[0], size / shape[1]
    boxes = []
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        boxes.append(
            (columns[0] * scale_x, rows[0] * scale_y, (columns[-1] + 1) * scale_x, (rows[-1] + 1) * scale_y),
        )
    return Truth(torch.tensor(np.array(boxes, np.float32).reshape(-1, 4), device=device), masks, shape)


def replaced_masks(
    model: MaskRCNN, images: list[Tensor], truths: Sequence[Truth], rule: Rule, wanted: Collection[Swaps]
) -> dict[Swaps, list[Mask]]:
    """For each set of replaced stages the mask of every picture of a batch, in its original size."""
    sizes = [(image.shape[-2], image.shape[-1]) for image in images]
    inputs, _ = model.transform(images, None)
    features = model.backbone(inputs.tensors)
    proposals, _ = model.rpn(inputs, features, None)
    seen = {
        "proposed": classify(model, features, proposals, inputs.image_sizes),
        "true": classify(model, features, [truth.boxes for truth in truths], inputs.image_sizes),
    }
    drawn: dict[Swaps, list[dict[str, Tensor]]] = {}
    result: dict[Swaps, list[Mask]] = {}
    for swaps in wanted:
        boxed = swaps & {"rpn", "cls", "box"}
        if boxed not in drawn:
            candidates = seen["true" if "rpn" in boxed else "proposed"]
            found = [detect(model, each, truth, boxed) for each, truth in zip(candidates, truths, strict=True)]
            drawn[boxed] = draw(model, features, found, inputs.image_sizes, sizes, rule.score)
        result[swaps] = [
            compose(pasted, truth, swaps, rule) for pasted, truth in zip(drawn[boxed], truths, strict=True)
        ]
    return result


def classify(
    model: MaskRCNN, features: Mapping[str, Tensor], proposals: list[Tensor], sizes: list[tuple[int, int]]
) -> list[Candidates]:
    """The box head on each picture's proposals."""
    heads = model.roi_heads
    logits, corrections = heads.box_predictor(heads.box_head(heads.box_roi_pool(features, proposals, sizes)))
    counts = [len(each) for each in proposals]
    # Without any proposal in the batch, the coder forgets the classes.
    boxes = heads.box_coder.decode(corrections, proposals).reshape(-1, CLASSES, 4).split(counts)
    scores = logits.softmax(-1).split(counts)
    return [
        Candidates(clip_boxes_to_image(box, size)[:, INSTANCE], score[:, INSTANCE])
        for box, score, size in zip(boxes, scores, sizes, strict=True)
    ]


def detect(model: MaskRCNN, candidates: Candidates, truth: Truth, swaps: Swaps) -> Instances:
    """The instances that are left of a picture's candidates, as torchvision's `postprocess_detections` leaves them."""
    heads = model.roi_heads
    boxes, scores = candidates.boxes, candidates.scores
    # A true proposal belongs to its truth, wherever it was moved to and even if another one has the same box.
    own = torch.arange(len(boxes), device=boxes.device)
    matched = own if {"rpn", "box"} <= swaps else match(boxes, truth.boxes)
    if "box" in swaps and len(truth.boxes):
        boxes = torch.where(matched[:, None] >= 0, truth.boxes[matched], boxes)
    group = torch.full_like(matched, INSTANCE)
    most = heads.detections_per_img
    if "cls" in swaps:
        # The model's own scores still decide between boxes that the truth makes equal: suppression keeps their order.
        order = scores.argsort(descending=True, stable=True)
        boxes, matched = boxes[order], matched[order]
        scores, group = (matched >= 0).to(scores.dtype), matched + 1
        most = max(most, len(truth.boxes))
    kept = torch.where(scores > heads.score_thresh)[0]
    kept = kept[remove_small_boxes(boxes[kept], min_size=1e-2)]
    kept = kept[batched_nms(boxes[kept], scores[kept], group[kept], heads.nms_thresh)[:most]]
    return Instances(boxes[kept], scores[kept], matched[kept])


def match(boxes: Tensor, true_boxes: Tensor) -> Tensor:
    """int64 (n): the true box that each box overlaps most, if by an IoU of at least MATCH; else -1."""
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
    """The mask head in each picture's boxes; only instances that count are pasted, which is most of the work."""
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


def compose(pasted: Mapping[str, Tensor], truth: Truth, swaps: Swaps, rule: Rule) -> Mask:
    """One picture's mask: what the mask head drew, and true masks for those that are replaced."""
    if "pres" in swaps and not truth.masks:
        return np.zeros(truth.shape, bool)
    replaced = pasted["matched"] >= 0 if "mask" in swaps else torch.zeros_like(pasted["matched"], dtype=torch.bool)
    kept = ~replaced
    mask = rule.mask(in_shape(united(pasted["masks"][kept][:, 0], pasted["scores"][kept], rule.score), truth.shape))
    for place in set(pasted["matched"][replaced].tolist()):
        mask |= truth.masks[place]
    return mask
