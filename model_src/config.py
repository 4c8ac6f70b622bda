"""The hyper-parameters of one experiment, declared once: names, types, defaults, units and ranges.

Standard library only, so that the user's side can check an experiment without torch. Every field has a
default; the defaults together are the diary's best run on the real data: learning rate 0.001 divided by ten
every four epochs, 10 epochs, ResNet-50, pictures of 1024 pixels.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from .typed import build


def _refuse(*problems: tuple[bool, str]) -> None:
    """Raise one ValueError with the text of every problem that is there, one a line, each beginning with its field."""
    found = [text for is_wrong, text in problems if is_wrong]
    if found:
        raise ValueError("\n".join(found))


def _not_fraction(value: float) -> bool:
    return not 0 <= value <= 1


def _not_positive(value: float) -> bool:
    return not 0 < value < math.inf


def _negative(value: float) -> bool:
    return not 0 <= value < math.inf


@dataclass(frozen=True)
class DataConfig:
    """Which pictures and labels, and how they are read."""

    source: str = "seesee/siim-train-test"
    """A Kaggle data set ("owner/slug") or a competition ("slug") that is attached to the kernel."""
    labels: str = "train-rle.csv"
    """Name of the label file inside the source; searched a few folders deep."""
    train_folder: str = "dicom-images-train"
    """Name of the folder of labelled DICOM files inside the source."""
    test_folder: str = "dicom-images-test"
    """Name of the folder of DICOM files to predict; a source without it gives a submission without rows."""
    image_size: int = 1024
    """Edge of the square picture that the model sees, in pixels."""
    num_workers: int = 2
    """Processes that prepare batches, and threads that decode; 0 = none beside the main one."""
    unreadable: Literal["stop", "skip"] = "stop"
    """A picture that can't be read stops the run, or is left out, counted and reported; one to predict gets no mask."""
    limit: int | None = None
    """Only the first n pictures, sorted by ImageId, of train and of test; None = all. For quick tries."""
    extra_labels: str | None = None
    """Name of a label file of more pictures, which every fold trains on and none validates; None = no such pictures."""
    extra_source: str | None = None
    """The data set or competition with these labels and pictures; None = the same source."""
    extra_folder: str | None = None
    """Name of the folder of these pictures inside their source; None = anywhere in it."""
    cache_dir: str | None = None
    """Absolute path of the folder for decoded pictures; None = one below the system's temporary folder."""
    cache_gib: float = 20.0
    """Most that it may hold, in GiB; what was unused for longest goes first. A picture of 1024 pixels takes 1 MiB."""

    def __post_init__(self) -> None:
        _refuse(
            (not self.source.strip("/"), "source must name a data set or a competition, is empty"),
            (not self.labels, "labels must name a file, is empty"),
            (not self.train_folder, "train_folder must name a folder, is empty"),
            (not self.test_folder, "test_folder must name a folder, is empty"),
            (self.image_size < 64, f"image_size must be >= 64, is {self.image_size}"),
            (self.image_size % 32 != 0, f"image_size must be a multiple of 32, is {self.image_size}"),
            (self.num_workers < 0, f"num_workers must be >= 0, is {self.num_workers}"),
            (self.limit is not None and self.limit < 1, f"limit must be >= 1 or null, is {self.limit}"),
            *(
                (getattr(self, name) == "", f"{name} must be null or a name, is empty")
                for name in ("extra_labels", "extra_source", "extra_folder")
            ),
            (
                self.extra_labels is None and bool(self.extra_source or self.extra_folder),
                "extra_labels must name a file when extra_source or extra_folder is given, is null",
            ),
            (
                self.cache_dir is not None and not PurePosixPath(self.cache_dir).is_absolute(),
                f"cache_dir must be an absolute path or null, is {self.cache_dir!r}",
            ),
            (_negative(self.cache_gib), f"cache_gib must be >= 0, is {self.cache_gib}"),
        )


@dataclass(frozen=True)
class FoldsConfig:
    """Cross-validation, grouped by image and patient, stratified by presence and area."""

    n: int = 5
    """Number of folds."""
    area_bins: int = 10
    """Groups of one size that the pictures with a mask are sorted into by its area, for each fold to get its share."""
    run: tuple[int, ...] = ()
    """Folds to train, counted from 0; empty = all."""
    seed: int | None = None
    """Seeds the folds and the holdout; None = the run's own seed. With one, runs of other seeds have the same folds."""
    holdout: float = 0.0
    """Share of the labelled pictures that no fold trains on or validates, chosen like the folds.

    What the mean of the folds' models is worth can be measured on these alone. 0 = none.
    """

    def __post_init__(self) -> None:
        outside = [fold for fold in self.run if not 0 <= fold < self.n]
        _refuse(
            (self.n < 2, f"n must be >= 2, is {self.n}"),
            (self.area_bins < 1, f"area_bins must be >= 1, is {self.area_bins}"),
            (bool(outside), f"run must hold folds from 0 to {self.n - 1}, holds {outside}"),
            (len(set(self.run)) < len(self.run), f"run must name each fold once, is {list(self.run)}"),
            (not 0 <= self.holdout < 1, f"holdout must be at least 0 and below 1, is {self.holdout}"),
            (
                self.seed is not None and not 0 <= self.seed < 2**31,
                f"seed must be from 0 to 2147483647 or null, is {self.seed}",
            ),
        )


@dataclass(frozen=True)
class MaskLossConfig:
    """What the mask head learns from: a weighted sum of up to three losses, each a mean over the proposals."""

    bce: float = 1.0
    """Weight of the binary cross-entropy of the pixels, Mask R-CNN's own."""
    dice: float = 0.0
    """Weight of 1 - dice, V-Net's soft form."""
    lovasz: float = 0.0
    """Weight of the Lovasz hinge, a convex stand-in for 1 - IoU."""

    def __post_init__(self) -> None:
        weights = {each.name: getattr(self, each.name) for each in fields(self)}
        _refuse(
            *((_negative(weight), f"{name} must be >= 0, is {weight}") for name, weight in weights.items()),
            (not any(weights.values()), f"{', '.join(weights)}: one of them must be above 0"),
        )


FROM_SCRATCH = "none"
"""What `model.weights` may say instead of null, for where a file's format has no null, such as TOML."""
PUBLISHED = {
    "resnet18": ("IMAGENET1K_V1",),
    "resnet34": ("IMAGENET1K_V1",),
    "resnet50": ("COCO_V1", "IMAGENET1K_V1", "IMAGENET1K_V2"),
}
"""Names under which torchvision has published weights: COCO for the whole detector, ImageNet for the backbone."""
LIKE_PUBLISHED = re.compile(r"(COCO|IMAGENET1K)_V\d+", re.IGNORECASE)


@dataclass(frozen=True)
class ModelConfig:
    """The network."""

    backbone: Literal["resnet18", "resnet34", "resnet50"] = "resnet50"
    """The residual network under the feature pyramid."""
    weights: str | None = None
    """A state dict to start from: a path, a file's name in any attached input, or a published name, such as COCO_V1.

    None or "none" = from scratch. `PUBLISHED` has the names for each backbone.
    """
    trainable_layers: int = 3
    """Backbone stages that are trained, from the top, 0 to 5. Without weights all are, whatever this says."""
    channels: int = 256
    """Width of the feature pyramid and of the mask head."""
    box_features: int = 1024
    """Width of the two layers that classify a proposal."""
    anchor_sizes: tuple[int, ...] = (32, 64, 128, 256, 512)
    """Edge of the anchors on each of the five pyramid levels, in pixels of the model's picture."""
    max_detections: int = 20
    """Most instances a picture."""
    mask_loss: MaskLossConfig = field(default_factory=MaskLossConfig)
    channels_last: bool = True
    """Keep weights and features with the channels innermost: the numbers mean the same, convolutions are faster."""

    def __post_init__(self) -> None:
        published = PUBLISHED[self.backbone]
        looks_published = self.weights is not None and LIKE_PUBLISHED.fullmatch(self.weights) is not None
        _refuse(
            (self.weights == "", "weights must name a file or be null, is empty"),
            (
                looks_published and self.weights not in published,
                f"weights must be {' or '.join(published)} for {self.backbone}, or name a file, is {self.weights!r}",
            ),
            (
                not 0 <= self.trainable_layers <= 5,
                f"trainable_layers must be from 0 to 5, is {self.trainable_layers}",
            ),
            (self.channels < 1, f"channels must be >= 1, is {self.channels}"),
            (self.box_features < 1, f"box_features must be >= 1, is {self.box_features}"),
            (
                len(self.anchor_sizes) != 5 or min(self.anchor_sizes) < 1,
                f"anchor_sizes must hold five sizes >= 1, is {list(self.anchor_sizes)}",
            ),
            (self.max_detections < 1, f"max_detections must be >= 1, is {self.max_detections}"),
        )


@dataclass(frozen=True)
class ProposalsConfig:
    """How many candidate boxes each stage of Mask R-CNN looks at: the main lever on its speed."""

    pre_nms_train: int = 2000
    """Best anchors a pyramid level, before suppression, while training."""
    pre_nms_test: int = 1000
    """The same while predicting."""
    post_nms_train: int = 2000
    """Proposals a picture that are left after suppression, while training."""
    post_nms_test: int = 1000
    """The same while predicting."""
    rpn_batch: int = 256
    """Anchors a picture that enter the proposal loss."""
    rpn_positive_fraction: float = 0.5
    """Share of these that may be positive."""
    roi_batch: int = 512
    """Proposals a picture that enter the box and mask losses."""
    roi_positive_fraction: float = 0.25
    """Share of these that may be positive (the paper's 1:3)."""

    def __post_init__(self) -> None:
        counts = tuple(each.name for each in fields(self) if not each.name.endswith("fraction"))
        shares = ("rpn_positive_fraction", "roi_positive_fraction")
        _refuse(
            *((getattr(self, name) < 1, f"{name} must be >= 1, is {getattr(self, name)}") for name in counts),
            *(
                (_not_fraction(getattr(self, name)), f"{name} must be from 0 to 1, is {getattr(self, name)}")
                for name in shares
            ),
        )


@dataclass(frozen=True)
class OptimConfig:
    """The optimizer."""

    name: Literal["sgd", "adamw"] = "sgd"
    """Stochastic gradient descent with momentum, or AdamW (its beta2 is 0.999)."""
    lr: float = 0.001
    """Learning rate after the warm-up."""
    momentum: float = 0.9
    """Share of the last update that is kept; AdamW's beta1."""
    weight_decay: float = 0.0005
    """L2 penalty; for AdamW the decoupled decay."""
    clip_norm: float | None = None
    """Largest L2 norm of all gradients together; None = not clipped."""

    def __post_init__(self) -> None:
        _refuse(
            (_not_positive(self.lr), f"lr must be > 0, is {self.lr}"),
            (not 0 <= self.momentum < 1, f"momentum must be from 0 to below 1, is {self.momentum}"),
            (_negative(self.weight_decay), f"weight_decay must be >= 0, is {self.weight_decay}"),
            (
                self.clip_norm is not None and _not_positive(self.clip_norm),
                f"clip_norm must be > 0 or null, is {self.clip_norm}",
            ),
        )


@dataclass(frozen=True)
class ScheduleConfig:
    """The learning rate over time: linear warm-up inside the first epoch, and then down."""

    name: Literal["step", "cosine"] = "step"
    """step: reduced between epochs; cosine: half a wave over all epochs, from step to step."""
    warmup_steps: int = 1000
    """Optimizer steps of linear warm-up, at most one epoch of them; 0 = none."""
    step_size: int = 4
    """Epochs between two reductions; for step."""
    gamma: float = 0.1
    """Factor of each reduction; for step."""
    lr_end: float = 0.0
    """Learning rate at the end of the last epoch; for cosine."""

    def __post_init__(self) -> None:
        _refuse(
            (self.warmup_steps < 0, f"warmup_steps must be >= 0, is {self.warmup_steps}"),
            (self.step_size < 1, f"step_size must be >= 1, is {self.step_size}"),
            (not 0 < self.gamma <= 1, f"gamma must be above 0 and at most 1, is {self.gamma}"),
            (_negative(self.lr_end), f"lr_end must be >= 0, is {self.lr_end}"),
        )


@dataclass(frozen=True)
class TrainConfig:
    """The loop."""

    epochs: int = 10
    """Most epochs a fold."""
    batch_size: int = 4
    """Pictures a step, all processes together."""
    micro_batches: int | None = None
    """Parts of a step's batch, each computed by itself; their gradients are averaged. None = one a process.

    The numbers follow from it alone: 2 on one card are the same run as on two. It also saves memory.
    """
    processes: int | None = None
    """Processes that share each step and each evaluation; None = one a graphics card."""
    negatives_per_positive: float = 1.0
    """Pictures without a mask for each one with, drawn anew each epoch; 0 = none, as the diary did."""
    negatives_per_positive_end: float | None = None
    """The same in the last epoch; those between lie on a line. None = it stays as it is."""
    patience: int = 3
    """Evaluations without a better value of the monitored metric before a fold stops; 0 = never stops early."""
    monitor: Literal["val/dice", "val/dice_positive", "val/loss", "val/loss_positive"] = "val/dice"
    """The metric that decides which epoch is the best; "_positive" looks at the pictures with a mask alone."""
    monitor_mode: Literal["max", "min"] = "max"
    """Whether more of it is better, or less."""
    average_best: int = 1
    """How many of a fold's best evaluated epochs are kept, for the average of their weights; 1 = no average.

    The state to go on from has all of them, a finished fold its best epoch and the average.
    """
    validation_loss: bool = False
    """Report val/loss, which the diary called "metric": the losses on the validated pictures, less the RPN's box loss.

    Lower is better. Monitoring it reports it, whatever this says.
    """
    evaluate_every: int = 1
    """Epochs between two evaluations; the last epoch is always evaluated."""
    log_every: int = 20
    """Steps between two lines in the log."""
    amp: Literal["off", "auto"] = "off"
    """Half precision where it helps; auto: bfloat16 or, on older cards, float16 with scaled gradients; not on a CPU."""
    checkpoint_every: int = 500
    """Steps between two states on disk to go on from after a crash; 0 = only when the run is stopped."""
    keep_state_gib: float = 8.0
    """Most that finished folds leave to be trained on from in a continued run (`fold<k>.state.pth`), in GiB; 0 = none.

    Weights and momentum: 350 MB a fold for resnet50 (AdamW: 525), and 175 more for each of `average_best` above 1,
    beside the 175 of its best weights (350 with an average). A kernel may leave 20 GB, all folds and repeats together:
    those for which there is no room can't be given more epochs.
    """
    time_limit_seconds: float | None = None
    """Seconds from the start after which a run saves its state and ends as incomplete; None = none.

    Below the session's own limit. Kept free while a fold trains: the longest step, evaluation and save so far, nothing
    for what comes after the folds. The rule is chosen and the test pictures are predicted if there is time left for it
    at the pace of the slowest evaluation, and half as much more; if not, the run ends before as incomplete, and one
    that continues it does only that. The analysis of bottlenecks is left out if there is no time for it.
    """
    stop_after_steps: int | None = None
    """Optimizer steps, all folds and repeats together, after which a run does the same; None = none."""
    resume_from: str | None = None
    """An earlier run to continue: the output of a kernel ("owner/slug") that is attached, or a folder.

    "." is the working directory itself, where an earlier run may or may not have left a state.
    """

    def __post_init__(self) -> None:
        _refuse(
            (self.epochs < 1, f"epochs must be >= 1, is {self.epochs}"),
            (self.batch_size < 1, f"batch_size must be >= 1, is {self.batch_size}"),
            *(
                (count is not None and count < 1, f"{name} must be >= 1 or null, is {count}")
                for name, count in (("micro_batches", self.micro_batches), ("processes", self.processes))
            ),
            (
                (self.micro_batches or 0) > self.batch_size,
                f"micro_batches must be at most batch_size, {self.batch_size}, is {self.micro_batches}",
            ),
            (
                (self.processes or 0) > (self.micro_batches or self.batch_size),
                f"processes must be at most micro_batches, else batch_size, "
                f"{self.micro_batches or self.batch_size}, is {self.processes}",
            ),
            (
                _negative(self.negatives_per_positive),
                f"negatives_per_positive must be >= 0, is {self.negatives_per_positive}",
            ),
            (
                self.negatives_per_positive_end is not None and _negative(self.negatives_per_positive_end),
                f"negatives_per_positive_end must be >= 0 or null, is {self.negatives_per_positive_end}",
            ),
            (self.patience < 0, f"patience must be >= 0, is {self.patience}"),
            (self.average_best < 1, f"average_best must be >= 1, is {self.average_best}"),
            (self.evaluate_every < 1, f"evaluate_every must be >= 1, is {self.evaluate_every}"),
            (self.log_every < 1, f"log_every must be >= 1, is {self.log_every}"),
            (
                (self.monitor_mode == "min") != self.monitor.startswith("val/loss"),
                f"monitor_mode must be {'min' if self.monitor.startswith('val/loss') else 'max'} for {self.monitor}",
            ),
            (_negative(self.keep_state_gib), f"keep_state_gib must be >= 0, is {self.keep_state_gib}"),
            (self.checkpoint_every < 0, f"checkpoint_every must be >= 0, is {self.checkpoint_every}"),
            (
                self.time_limit_seconds is not None and _not_positive(self.time_limit_seconds),
                f"time_limit_seconds must be > 0 or null, is {self.time_limit_seconds}",
            ),
            (
                self.stop_after_steps is not None and self.stop_after_steps < 1,
                f"stop_after_steps must be >= 1 or null, is {self.stop_after_steps}",
            ),
            (self.resume_from == "", "resume_from must name a kernel's output or be null, is empty"),
        )


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes of the training pictures."""

    preset: Literal["none", "little", "more"] = "none"
    """none; little: mirrored; more: mirrored, shifted, scaled, brightness and contrast changed."""


@dataclass(frozen=True)
class PredictConfig:
    """From the model's instances to one mask a picture."""

    score_threshold: float = 0.5
    """Least score of an instance that counts."""
    mask_threshold: float = 0.5
    """Least probability of a pixel that counts, after the instances are united and the folds averaged."""
    choose_presence: bool = False
    """Blank the pictures below the top score that was best out of fold; reported beside cv/dice."""
    choose: bool = False
    """Submit under the rule that was best out of fold, not under the two thresholds; cv/dice stays under these."""
    tta: Literal["none", "hflip"] = "none"
    """hflip: average each prediction with that of the mirrored picture; takes twice as long."""
    weights: Literal["best", "average"] = "best"
    """Of a fold: those of its best epoch, or the average of its train.average_best best; for oof.csv and submission."""
    folds: Literal["mean", "best"] = "mean"
    """Test pictures: the mean of all folds' predictions, or those of the fold with the best monitored value."""

    def __post_init__(self) -> None:
        _refuse(
            (self.choose and self.choose_presence, "choose and choose_presence exclude each other, are both true"),
            (
                _not_fraction(self.score_threshold),
                f"score_threshold must be from 0 to 1, is {self.score_threshold}",
            ),
            (
                not 0 < self.mask_threshold <= 1,
                f"mask_threshold must be above 0 and at most 1, is {self.mask_threshold}",
            ),
        )


@dataclass(frozen=True)
class EvaluateConfig:
    """What is found out after the training, from the pictures that each fold's best model had not seen."""

    oracle: bool = True
    """Find the bottleneck: replace one stage's output by the truth, keep the rest, score again."""
    ablation: bool = True
    """Score the predictions with and without the mirrored picture, whatever predict.tta says.

    Likewise predict.weights if train.average_best is above 1, and predict.folds if there is a holdout.
    """
    worst: int = 12
    """Most pictures with the lowest dice that are drawn with truth and prediction; 0 = none."""
    score_thresholds: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    """Scores to try as the least of an instance that counts; predict.score_threshold is tried, too."""
    mask_thresholds: tuple[float, ...] = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
    """Probabilities to try as a pixel's least, in the mask and for presence; predict.mask_threshold is tried, too."""
    min_areas: tuple[int, ...] = (500, 1000, 2000, 3500)
    """Least areas of a positive picture to try, in pixels of 1024 x 1024; scaled for other sizes."""

    def __post_init__(self) -> None:
        _refuse(
            (self.worst < 0, f"worst must be >= 0, is {self.worst}"),
            (
                any(map(_not_fraction, self.score_thresholds)),
                f"score_thresholds must be from 0 to 1, are {list(self.score_thresholds)}",
            ),
            (
                not all(0 < each <= 1 for each in self.mask_thresholds),
                f"mask_thresholds must be above 0 and at most 1, are {list(self.mask_thresholds)}",
            ),
            (any(each < 1 for each in self.min_areas), f"min_areas must be >= 1, are {list(self.min_areas)}"),
        )


@dataclass(frozen=True)
class Config:
    """Everything that one experiment can set."""

    seed: int = 0
    """Seeds the folds (unless `folds.seed` does), the weights, the sampling and the augmentation."""
    repeat: int = 1
    """How often the cross-validation is done, on the same folds, with the seeds from `seed` on: how much is luck?

    All but the spread of the figure (`repeats` in metrics.json) is of the first one; the others come after it.
    """
    data: DataConfig = field(default_factory=DataConfig)
    folds: FoldsConfig = field(default_factory=FoldsConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    proposals: ProposalsConfig = field(default_factory=ProposalsConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    predict: PredictConfig = field(default_factory=PredictConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)

    def __post_init__(self) -> None:
        _refuse(
            (not 0 <= self.seed < 2**31, f"seed must be from 0 to 2147483647, is {self.seed}"),
            (self.repeat < 1, f"repeat must be >= 1, is {self.repeat}"),
            (
                self.seed + max(self.repeat, 1) > 2**31,
                f"seed + repeat - 1 must be at most 2147483647, is {self.seed + self.repeat - 1}",
            ),
            (
                self.predict.weights == "average" and self.train.average_best == 1,
                "predict.weights must be best when train.average_best is 1, is average",
            ),
        )


def load(path: Path | None) -> Config:
    """Read a config from JSON; keys that are left out take their defaults, and None gives all the defaults.

    Raises ValueError for an unknown key, a wrong type or a value out of range, naming the key with its path.
    """
    return Config() if path is None else from_dict(json.loads(path.read_text(encoding="utf-8")))


def from_dict(values: object) -> Config:
    """The config of plain values; see `load`."""
    config = build(Config, values)
    assert isinstance(config, Config)
    return config


def to_dict(config: Config) -> dict[str, Any]:
    """The config as plain values that JSON can hold; `load` reads it back."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return values
