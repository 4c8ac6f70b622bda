"""The hyper-parameters of one experiment, declared once: names, types, defaults, units and ranges.

Standard library only, so that coord can check an experiment without torch. Every field has a default. The defaults
together are the best run on the real data that is known: learning rate 0.001, divided by ten every four epochs, 10
epochs, ResNet-50, images of 1024 pixels. Only its initial weights are none of them, because they need a file:
experiments/base.yaml adds COCO_V1.
"""

import json
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from .data_config import DataConfig as DataConfig, FoldsConfig as FoldsConfig
from .ranges import Checked, Count, Seed, Share, Threshold, above, at_least, check, naming, of_length
from .typed import build


@dataclass(frozen=True)
class MaskLossConfig(Checked):
    """The loss of the mask head: a weighted sum of up to four losses, each the mean over the proposals."""

    bce: Annotated[float, at_least(0)] = 1.0
    """Weight of the binary cross-entropy of the pixels, as in Mask R-CNN."""
    dice: Annotated[float, at_least(0)] = 0.0
    """Weight of the soft dice loss of V-Net."""
    lovasz: Annotated[float, at_least(0)] = 0.0
    """Weight of the Lovasz hinge loss, a convex surrogate of 1 - IoU."""
    focal: Annotated[float, at_least(0)] = 0.0
    """Weight of the focal loss (gamma 2, alpha 0.25): pixels that are right already count little."""

    def __post_init__(self) -> None:
        weights = {each.name: getattr(self, each.name) for each in fields(self)}
        check(self, (not any(weights.values()), f"{', '.join(weights)}: one of them must be above 0"))


FROM_SCRATCH = "none"
"""The same as null for `model.weights`, for file formats without null, such as TOML."""
PUBLISHED = {
    "resnet18": ("IMAGENET1K_V1",),
    "resnet34": ("IMAGENET1K_V1",),
    "resnet50": ("COCO_V1", "IMAGENET1K_V1", "IMAGENET1K_V2"),
}
"""Names of the weights that torchvision publishes: COCO of the whole detector, ImageNet of the backbone."""
LIKE_PUBLISHED = re.compile(r"(COCO|IMAGENET1K)_V\d+", re.IGNORECASE)


@dataclass(frozen=True)
class ModelConfig(Checked):
    """The network."""

    backbone: Literal["resnet18", "resnet34", "resnet50"] = "resnet50"
    """The residual network under the feature pyramid."""
    weights: Annotated[str, naming("a file")] | None = None
    """Initial weights: the path of a state dict, a file name in any attached input, or a published name (COCO_V1).

    None or "none" = random. `PUBLISHED` lists the published names of each backbone. "{fold}" in the path stands for the
    number of the fold: "fold{fold}.pth" of an earlier run with the same folds, such as one on smaller images, so that
    no fold starts from weights that have seen the images that it validates. The images of the two are compared.
    """
    weights_source: Annotated[str, naming("a data set, a model or a kernel's output")] | None = None
    """The source with their file, which is attached to the kernel; None = all attached inputs are searched.

    A data set ("owner/slug"), a model ("owner/model/framework/variation/version") or a kernel ("owner/slug").
    """
    trainable_layers: Annotated[int, at_least(0, at_most=5)] = 3
    """Number of backbone stages that are trained, counted from the top. Without initial weights all are trained."""
    channels: Count = 256
    """Channels of the feature pyramid and of the mask head."""
    box_features: Count = 1024
    """Features of the two fully connected layers that classify a proposal."""
    anchor_sizes: Annotated[tuple[Count, ...], of_length(5)] = (32, 64, 128, 256, 512)
    """Edge of the anchors on each of the five pyramid levels, in pixels of the model's input."""
    max_detections: Count = 20
    """Maximum number of instances per image."""
    mask_loss: MaskLossConfig = field(default_factory=MaskLossConfig)
    channels_last: bool = True
    """Memory format of weights and features: faster convolutions with the same meaning."""

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
    """How many candidate boxes each stage of Mask R-CNN processes: this decides most of its speed."""

    pre_nms_train: Count = 2000
    """Best anchors per pyramid level before non-maximum suppression, in training."""
    pre_nms_test: Count = 1000
    """The same in prediction."""
    post_nms_train: Count = 2000
    """Proposals per image that are kept after non-maximum suppression, in training."""
    post_nms_test: Count = 1000
    """The same in prediction."""
    rpn_batch: Count = 256
    """Anchors per image in the loss of the proposals."""
    rpn_positive_fraction: Share = 0.5
    """Largest share of positive ones among these."""
    roi_batch: Count = 512
    """Proposals per image in the box and mask losses."""
    roi_positive_fraction: Share = 0.25
    """Largest share of positive ones among these (1:3 in the paper)."""


@dataclass(frozen=True)
class OptimConfig(Checked):
    """The optimizer."""

    name: Literal["sgd", "adamw"] = "sgd"
    """Stochastic gradient descent with momentum, or AdamW (with beta2 = 0.999)."""
    lr: Annotated[float, above(0)] = 0.001
    """Learning rate after the warm-up."""
    momentum: Annotated[float, at_least(0, below=1)] = 0.9
    """Momentum of SGD; beta1 of AdamW."""
    weight_decay: Annotated[float, at_least(0)] = 0.0005
    """L2 penalty of SGD; decoupled weight decay of AdamW."""
    clip_norm: Annotated[float, above(0)] | None = None
    """Largest L2 norm of the vector of all gradients; None = gradients are not clipped."""


@dataclass(frozen=True)
class ScheduleConfig(Checked):
    """The learning rate over time: a linear warm-up in the first epoch, then a decay."""

    name: Literal["step", "cosine"] = "step"
    """step: reduced between epochs; cosine: half a cosine over all epochs, changed at every step."""
    warmup_steps: Annotated[int, at_least(0)] = 1000
    """Optimizer steps of the linear warm-up, at most one epoch; 0 = none."""
    step_size: Count = 4
    """Epochs between two reductions, for `step`."""
    gamma: Annotated[float, above(0, at_most=1)] = 0.1
    """Factor of each reduction, for `step`."""
    lr_end: Annotated[float, at_least(0)] = 0.0
    """Learning rate at the end of the last epoch, for `cosine`."""


@dataclass(frozen=True)
class TrainConfig(Checked):
    """The training loop."""

    epochs: Count = 10
    """Maximum number of epochs per fold."""
    batch_size: Count = 4
    """Images per step, over all processes."""
    micro_batches: Count | None = None
    """Parts that the batch of a step is divided into; their gradients are averaged. None = one part per process.

    The results depend on this number and not on the number of processes. More parts need less memory.
    """
    processes: Count | None = None
    """Processes that share each step and each evaluation; None = one per graphics card."""
    negatives_per_positive: Annotated[float, at_least(0)] = 1.0
    """Images without a mask for each image with a mask, sampled again in each epoch; 0 = none."""
    negatives_per_positive_end: Annotated[float, at_least(0)] | None = None
    """The same in the last epoch, with linear interpolation between. None = constant."""
    patience: Annotated[int, at_least(0)] = 3
    """Evaluations without a better value of the monitored metric after which a fold stops; 0 = no early stopping."""
    monitor: Literal["val/dice", "val/dice_positive", "val/loss", "val/loss_positive"] = "val/dice"
    """The metric that selects the best epoch; "_positive" = over the images with a mask only."""
    monitor_mode: Literal["max", "min"] = "max"
    """Whether larger or smaller values are better."""
    ema: Annotated[float, at_least(0, below=1)] = 0.0
    """Decay per step of a moving average of the weights, which is evaluated and kept in their place; 0 = none.

    For example 0.999: the average is over about the last 1 / (1 - 0.999) steps. A saved state has both.
    """
    average_best: Count = 1
    """How many of a fold's best evaluated epochs are kept to average their weights; 1 = no average.

    The state that a run continues from has all of them; the file of a finished fold has the best and the average.
    """
    validation_loss: bool = False
    """Report val/loss: the sum of the losses on the validation images without the box loss of the RPN.

    Lower is better. It is also reported when it is the monitored metric.
    """
    evaluate_every: Count = 1
    """Epochs between two evaluations; the last epoch is always evaluated."""
    log_every: Count = 20
    """Steps between two lines in the log."""
    amp: Literal["off", "auto"] = "off"
    """Mixed precision. auto: bfloat16 or, on older GPUs, float16 with scaled gradients; float32 on a CPU."""
    deterministic: bool = False
    """On a GPU, compute with torch's deterministic algorithms, which are slower; on a CPU it changes nothing.

    An operation without such an algorithm gives a warning, not an error.
    """
    checkpoint_every: Annotated[int, at_least(0)] = 500
    """Steps between two saved states, from which a run continues after a crash; 0 = only when the run is stopped."""
    keep_state_gib: Annotated[float, at_least(0)] = 8.0
    """Largest total size in GiB of the last states of finished folds (`fold<k>.state.pth`); 0 = none is saved.

    A continued run needs them to train more epochs. A state holds weights and momentum: 350 MB per fold for resnet50
    (AdamW: 525 MB) and 175 MB more for each of `average_best` above 1. The best weights (175 MB, with an average
    350 MB) are in another file. The output of a kernel is limited to 20 GB, for all folds and repeats.
    """
    time_limit_seconds: Annotated[float, above(0)] | None = None
    """Seconds from the start after which a run saves its state and ends as incomplete; None = no limit.

    Should be below the limit of the session. While a fold trains, time is reserved for the longest step, evaluation
    and save so far. Choosing the rule and predicting the test images need 1.5 times their time at the speed of the
    slowest evaluation; if less is left, the run ends as incomplete before them, and a run that continues it does only
    these. The analysis of bottlenecks is left out if there is no time for it.
    """
    stop_after_steps: Count | None = None
    """Optimizer steps over all folds and repeats after which a run ends in the same way; None = no limit."""
    resume_from: Annotated[str, naming("a kernel's output")] | None = None
    """An earlier run to continue: the attached output of a kernel ("owner/slug"), or a folder.

    "." is the working directory; it is no error if no earlier run has left a state there.
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
    """Random transformations of the training images."""

    preset: Literal["none", "little", "more", "strong"] = "none"
    """little: mirroring; more: mirroring, rotation, shift, scale, brightness and contrast.

    strong: more, with rotation by up to 45 degrees, scales from 0.75 to 1.33, a bent grid, and gamma.
    """


@dataclass(frozen=True)
class PredictConfig(Checked):
    """How the instances of the model become one mask per image."""

    score_threshold: Share = 0.5
    """Instances with a lower score are ignored."""
    mask_threshold: Threshold = 0.5
    """Least probability of a pixel in the mask, after the union of the instances and the mean over the folds."""
    choose_presence: bool = False
    """Empty the masks of images whose top score is below a threshold, which is chosen on out-of-fold predictions."""
    choose: bool = False
    """Predict the test images with the best rule on out-of-fold predictions; cv/dice keeps the two thresholds."""
    tta: Literal["none", "hflip"] = "none"
    """Test-time augmentation. hflip: the mean of the predictions of the image and its mirror image; half as fast."""
    weights: Literal["best", "average"] = "best"
    """Weights of a fold for oof.csv and the submission: of its best epoch, or the mean of its best epochs."""
    folds: Literal["mean", "best"] = "mean"
    """Predict the test images by the mean of all folds, or by the fold with the best monitored value."""

    def __post_init__(self) -> None:
        check(
            self, (self.choose and self.choose_presence, "choose and choose_presence exclude each other, are both true")
        )


@dataclass(frozen=True)
class EvaluateConfig(Checked):
    """What is measured after the training, on out-of-fold images."""

    oracle: bool = True
    """Analyse the bottlenecks: replace the output of one stage by the truth, keep the rest, and score again."""
    ablation: bool = True
    """Score with both values of predict.tta, of predict.weights (if train.average_best > 1), and of predict.folds.

    The last one needs a holdout.
    """
    worst: Annotated[int, at_least(0)] = 12
    """How many of the images with the lowest dice are drawn, with truth and prediction; 0 = none."""
    score_thresholds: tuple[Share, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    """Score thresholds to try, in addition to predict.score_threshold."""
    mask_thresholds: tuple[Threshold, ...] = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
    """Probability thresholds of a pixel to try, in addition to predict.mask_threshold."""
    min_areas: tuple[Count, ...] = (500, 1000, 2000, 3500)
    """Least areas of a positive image to try, in pixels of an image of 1024 x 1024; scaled for other sizes."""


@dataclass(frozen=True)
class Config(Checked):
    """All settings of an experiment."""

    seed: Seed = 0
    """Seed of the folds (unless `folds.seed` is set), the initial weights, the sampling and the augmentation."""
    repeat: Count = 1
    """How many times the cross-validation runs, on the same folds, with the seeds `seed`, `seed` + 1, ...

    The spread over the seeds is `repeats` in metrics.json. All other results are of the first seed, which runs first.
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
    """Read a config from a JSON file; missing keys have their defaults. None = all defaults.

    Raises ValueError, which names the path of the key, for an unknown key, a wrong type or a value out of range.
    """
    return Config() if path is None else from_dict(json.loads(path.read_text(encoding="utf-8")))


def from_dict(values: object) -> Config:
    """The config from plain values; see `load`."""
    config = build(Config, values)
    assert isinstance(config, Config)
    return config


def to_dict(config: Config) -> dict[str, Any]:
    """The config as plain values for JSON; `from_dict` reads them back."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return values
