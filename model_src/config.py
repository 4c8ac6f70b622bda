"""The hyper-parameters of one experiment, declared once: names, types, defaults, units and ranges.

Standard library only, so that the user's side can check an experiment without torch. Every field has a
default; the defaults together are the diary's best run on the real data: learning rate 0.001 divided by ten
every four epochs, 10 epochs, ResNet-50, pictures of 1024 pixels.
"""

import json
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from .ranges import Checked, above, absolute_path, at_least, check, multiple_of, naming, of_length
from .typed import build

Count = Annotated[int, at_least(1)]
Share = Annotated[float, at_least(0, at_most=1)]
Threshold = Annotated[float, above(0, at_most=1)]
Seed = Annotated[int, at_least(0, at_most=2**31 - 1)]


@dataclass(frozen=True)
class DataConfig(Checked):
    """Which pictures and labels, and how they are read."""

    source: Annotated[str, naming("a data set or a competition")] = "seesee/siim-train-test"
    """A Kaggle data set ("owner/slug") or a competition ("slug") that is attached to the kernel."""
    labels: Annotated[str, naming("a file")] = "train-rle.csv"
    """Name of the label file inside the source; searched a few folders deep."""
    train_folder: Annotated[str, naming("a folder")] = "dicom-images-train"
    """Name of the folder of labelled DICOM files inside the source."""
    test_folder: Annotated[str, naming("a folder")] = "dicom-images-test"
    """Name of the folder of DICOM files to predict; a source without it gives a submission without rows."""
    image_size: Annotated[int, at_least(64), multiple_of(32)] = 1024
    """Edge of the square picture that the model sees, in pixels."""
    num_workers: Annotated[int, at_least(0)] = 2
    """Processes that prepare batches, and threads that decode; 0 = none beside the main one."""
    unreadable: Literal["stop", "skip"] = "stop"
    """A picture that can't be read stops the run, or is left out, counted and reported; one to predict gets no mask."""
    limit: Count | None = None
    """Only the first n pictures, sorted by ImageId, of train and of test; None = all. For quick tries."""
    extra_labels: Annotated[str, naming("a file")] | None = None
    """Name of a label file of more pictures, which every fold trains on and none validates; None = no such pictures."""
    extra_source: Annotated[str, naming("a data set or a competition")] | None = None
    """The data set or competition with these labels and pictures; None = the same source."""
    extra_folder: Annotated[str, naming("a folder")] | None = None
    """Name of the folder of these pictures inside their source; None = anywhere in it."""
    cache_dir: Annotated[str, absolute_path()] | None = None
    """Absolute path of the folder for decoded pictures; None = one below the system's temporary folder."""
    cache_gib: Annotated[float, at_least(0)] = 20.0
    """Most that it may hold, in GiB; what was unused for longest goes first. A picture of 1024 pixels takes 1 MiB."""

    def __post_init__(self) -> None:
        check(
            self,
            (
                self.extra_labels is None and bool(self.extra_source or self.extra_folder),
                "extra_labels must name a file when extra_source or extra_folder is given, is null",
            ),
        )


@dataclass(frozen=True)
class FoldsConfig(Checked):
    """Cross-validation, grouped by image and patient, stratified by presence and area."""

    n: Annotated[int, at_least(2)] = 5
    """Number of folds."""
    area_bins: Count = 10
    """Groups of one size that the pictures with a mask are sorted into by its area, for each fold to get its share."""
    run: tuple[int, ...] = ()
    """Folds to train, counted from 0; empty = all."""
    seed: Seed | None = None
    """Seeds the folds and the holdout; None = the run's own seed. With one, runs of other seeds have the same folds."""
    holdout: Annotated[float, at_least(0, below=1)] = 0.0
    """Share of the labelled pictures that no fold trains on or validates, chosen like the folds.

    What the mean of the folds' models is worth can be measured on these alone. 0 = none.
    """

    def __post_init__(self) -> None:
        unknown = [fold for fold in self.run if not 0 <= fold < self.n]
        check(
            self,
            (bool(unknown), f"run must hold folds from 0 to {self.n - 1}, holds {unknown}"),
            (len(set(self.run)) < len(self.run), f"run must name each fold once, is {list(self.run)}"),
        )


@dataclass(frozen=True)
class MaskLossConfig(Checked):
    """What the mask head learns from: a weighted sum of up to three losses, each a mean over the proposals."""

    bce: Annotated[float, at_least(0)] = 1.0
    """Weight of the binary cross-entropy of the pixels, Mask R-CNN's own."""
    dice: Annotated[float, at_least(0)] = 0.0
    """Weight of 1 - dice, V-Net's soft form."""
    lovasz: Annotated[float, at_least(0)] = 0.0
    """Weight of the Lovasz hinge, a convex stand-in for 1 - IoU."""

    def __post_init__(self) -> None:
        weights = {each.name: getattr(self, each.name) for each in fields(self)}
        check(self, (not any(weights.values()), f"{', '.join(weights)}: one of them must be above 0"))


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
class ModelConfig(Checked):
    """The network."""

    backbone: Literal["resnet18", "resnet34", "resnet50"] = "resnet50"
    """The residual network under the feature pyramid."""
    weights: Annotated[str, naming("a file")] | None = None
    """A state dict to start from: a path, a file's name in any attached input, or a published name, such as COCO_V1.

    None or "none" = from scratch. `PUBLISHED` has the names for each backbone.
    """
    trainable_layers: Annotated[int, at_least(0, at_most=5)] = 3
    """Backbone stages that are trained, from the top, 0 to 5. Without weights all are, whatever this says."""
    channels: Count = 256
    """Width of the feature pyramid and of the mask head."""
    box_features: Count = 1024
    """Width of the two layers that classify a proposal."""
    anchor_sizes: Annotated[tuple[Count, ...], of_length(5)] = (32, 64, 128, 256, 512)
    """Edge of the anchors on each of the five pyramid levels, in pixels of the model's picture."""
    max_detections: Count = 20
    """Most instances a picture."""
    mask_loss: MaskLossConfig = field(default_factory=MaskLossConfig)
    channels_last: bool = True
    """Keep weights and features with the channels innermost: the numbers mean the same, convolutions are faster."""

    def __post_init__(self) -> None:
        published = PUBLISHED[self.backbone]
        looks_published = self.weights is not None and LIKE_PUBLISHED.fullmatch(self.weights) is not None
        check(
            self,
            (
                looks_published and self.weights not in published,
                f"weights must be {' or '.join(published)} for {self.backbone}, or name a file, is {self.weights!r}",
            ),
        )


@dataclass(frozen=True)
class ProposalsConfig(Checked):
    """How many candidate boxes each stage of Mask R-CNN looks at: the main lever on its speed."""

    pre_nms_train: Count = 2000
    """Best anchors a pyramid level, before suppression, while training."""
    pre_nms_test: Count = 1000
    """The same while predicting."""
    post_nms_train: Count = 2000
    """Proposals a picture that are left after suppression, while training."""
    post_nms_test: Count = 1000
    """The same while predicting."""
    rpn_batch: Count = 256
    """Anchors a picture that enter the proposal loss."""
    rpn_positive_fraction: Share = 0.5
    """Share of these that may be positive."""
    roi_batch: Count = 512
    """Proposals a picture that enter the box and mask losses."""
    roi_positive_fraction: Share = 0.25
    """Share of these that may be positive (the paper's 1:3)."""


@dataclass(frozen=True)
class OptimConfig(Checked):
    """The optimizer."""

    name: Literal["sgd", "adamw"] = "sgd"
    """Stochastic gradient descent with momentum, or AdamW (its beta2 is 0.999)."""
    lr: Annotated[float, above(0)] = 0.001
    """Learning rate after the warm-up."""
    momentum: Annotated[float, at_least(0, below=1)] = 0.9
    """Share of the last update that is kept; AdamW's beta1."""
    weight_decay: Annotated[float, at_least(0)] = 0.0005
    """L2 penalty; for AdamW the decoupled decay."""
    clip_norm: Annotated[float, above(0)] | None = None
    """Largest L2 norm of all gradients together; None = not clipped."""


@dataclass(frozen=True)
class ScheduleConfig(Checked):
    """The learning rate over time: linear warm-up inside the first epoch, and then down."""

    name: Literal["step", "cosine"] = "step"
    """step: reduced between epochs; cosine: half a wave over all epochs, from step to step."""
    warmup_steps: Annotated[int, at_least(0)] = 1000
    """Optimizer steps of linear warm-up, at most one epoch of them; 0 = none."""
    step_size: Count = 4
    """Epochs between two reductions; for step."""
    gamma: Annotated[float, above(0, at_most=1)] = 0.1
    """Factor of each reduction; for step."""
    lr_end: Annotated[float, at_least(0)] = 0.0
    """Learning rate at the end of the last epoch; for cosine."""


@dataclass(frozen=True)
class TrainConfig(Checked):
    """The loop."""

    epochs: Count = 10
    """Most epochs a fold."""
    batch_size: Count = 4
    """Pictures a step, all processes together."""
    micro_batches: Count | None = None
    """Parts of a step's batch, each computed by itself; their gradients are averaged. None = one a process.

    The numbers follow from it alone: 2 on one card are the same run as on two. It also saves memory.
    """
    processes: Count | None = None
    """Processes that share each step and each evaluation; None = one a graphics card."""
    negatives_per_positive: Annotated[float, at_least(0)] = 1.0
    """Pictures without a mask for each one with, drawn anew each epoch; 0 = none, as the diary did."""
    negatives_per_positive_end: Annotated[float, at_least(0)] | None = None
    """The same in the last epoch; those between lie on a line. None = it stays as it is."""
    patience: Annotated[int, at_least(0)] = 3
    """Evaluations without a better value of the monitored metric before a fold stops; 0 = never stops early."""
    monitor: Literal["val/dice", "val/dice_positive", "val/loss", "val/loss_positive"] = "val/dice"
    """The metric that decides which epoch is the best; "_positive" looks at the pictures with a mask alone."""
    monitor_mode: Literal["max", "min"] = "max"
    """Whether more of it is better, or less."""
    average_best: Count = 1
    """How many of a fold's best evaluated epochs are kept, for the average of their weights; 1 = no average.

    The state to go on from has all of them, a finished fold its best epoch and the average.
    """
    validation_loss: bool = False
    """Report val/loss, which the diary called "metric": the losses on the validated pictures, less the RPN's box loss.

    Lower is better. Monitoring it reports it, whatever this says.
    """
    evaluate_every: Count = 1
    """Epochs between two evaluations; the last epoch is always evaluated."""
    log_every: Count = 20
    """Steps between two lines in the log."""
    amp: Literal["off", "auto"] = "off"
    """Half precision where it helps; auto: bfloat16 or, on older cards, float16 with scaled gradients; not on a CPU."""
    checkpoint_every: Annotated[int, at_least(0)] = 500
    """Steps between two states on disk to go on from after a crash; 0 = only when the run is stopped."""
    keep_state_gib: Annotated[float, at_least(0)] = 8.0
    """Most that finished folds leave to be trained on from in a continued run (`fold<k>.state.pth`), in GiB; 0 = none.

    Weights and momentum: 350 MB a fold for resnet50 (AdamW: 525), and 175 more for each of `average_best` above 1,
    beside the 175 of its best weights (350 with an average). A kernel may leave 20 GB, all folds and repeats together:
    those for which there is no room can't be given more epochs.
    """
    time_limit_seconds: Annotated[float, above(0)] | None = None
    """Seconds from the start after which a run saves its state and ends as incomplete; None = none.

    Below the session's own limit. Kept free while a fold trains: the longest step, evaluation and save so far, nothing
    for what comes after the folds. The rule is chosen and the test pictures are predicted if there is time left for it
    at the pace of the slowest evaluation, and half as much more; if not, the run ends before as incomplete, and one
    that continues it does only that. The analysis of bottlenecks is left out if there is no time for it.
    """
    stop_after_steps: Count | None = None
    """Optimizer steps, all folds and repeats together, after which a run does the same; None = none."""
    resume_from: Annotated[str, naming("a kernel's output")] | None = None
    """An earlier run to continue: the output of a kernel ("owner/slug") that is attached, or a folder.

    "." is the working directory itself, where an earlier run may or may not have left a state.
    """

    def __post_init__(self) -> None:
        parts = self.micro_batches or self.batch_size
        mode = "min" if self.monitor.startswith("val/loss") else "max"
        check(
            self,
            (
                (self.micro_batches or 0) > self.batch_size,
                f"micro_batches must be at most batch_size, {self.batch_size}, is {self.micro_batches}",
            ),
            (
                (self.processes or 0) > parts,
                f"processes must be at most micro_batches, else batch_size, {parts}, is {self.processes}",
            ),
            (self.monitor_mode != mode, f"monitor_mode must be {mode} for {self.monitor}"),
        )


@dataclass(frozen=True)
class AugmentConfig(Checked):
    """Random changes of the training pictures."""

    preset: Literal["none", "little", "more"] = "none"
    """none; little: mirrored; more: mirrored, shifted, scaled, brightness and contrast changed."""


@dataclass(frozen=True)
class PredictConfig(Checked):
    """From the model's instances to one mask a picture."""

    score_threshold: Share = 0.5
    """Least score of an instance that counts."""
    mask_threshold: Threshold = 0.5
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
        check(
            self, (self.choose and self.choose_presence, "choose and choose_presence exclude each other, are both true")
        )


@dataclass(frozen=True)
class EvaluateConfig(Checked):
    """What is found out after the training, from the pictures that each fold's best model had not seen."""

    oracle: bool = True
    """Find the bottleneck: replace one stage's output by the truth, keep the rest, score again."""
    ablation: bool = True
    """Score the predictions with and without the mirrored picture, whatever predict.tta says.

    Likewise predict.weights if train.average_best is above 1, and predict.folds if there is a holdout.
    """
    worst: Annotated[int, at_least(0)] = 12
    """Most pictures with the lowest dice that are drawn with truth and prediction; 0 = none."""
    score_thresholds: tuple[Share, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    """Scores to try as the least of an instance that counts; predict.score_threshold is tried, too."""
    mask_thresholds: tuple[Threshold, ...] = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
    """Probabilities to try as a pixel's least, in the mask and for presence; predict.mask_threshold is tried, too."""
    min_areas: tuple[Count, ...] = (500, 1000, 2000, 3500)
    """Least areas of a positive picture to try, in pixels of 1024 x 1024; scaled for other sizes."""


@dataclass(frozen=True)
class Config(Checked):
    """Everything that one experiment can set."""

    seed: Seed = 0
    """Seeds the folds (unless `folds.seed` does), the weights, the sampling and the augmentation."""
    repeat: Count = 1
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
        check(
            self,
            (
                self.seed + self.repeat > 2**31,
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
