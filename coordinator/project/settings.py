"""A project's settings: the `[tool.coord]` table of its pyproject.toml, names, types and defaults."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal, get_args

from coordinator.errors import did_you_mean
from coordinator.kaggle_rules import SENT_IN_NORMAL_FORM, normal_name, normal_shape, normal_source

TargetName = Literal["kaggle", "local"]
TARGETS: tuple[TargetName, ...] = get_args(TargetName)


def parse_target(text: str) -> TargetName:
    """The target of that name. Raises ValueError, which says what targets there are, if there is none."""
    for name in TARGETS:
        if name == text:
            return name
    near = did_you_mean(text.lower(), TARGETS)
    raise ValueError(f'there is no target "{text}"{near} (targets are {" and ".join(TARGETS)})')


_SHAPE = 'machine_shape, for example "NvidiaTeslaT4"'


@dataclasses.dataclass(frozen=True)
class KernelSettings:
    """What goes into kernel-metadata.json: `[tool.coord.kernel]` has the defaults, an experiment the differences."""

    title: str = "{experiment}"
    """Title on Kaggle; `{experiment}` stands for the experiment's name. Its slug is the kernel's address."""
    kernel_type: Literal["script", "notebook"] = "script"
    """Some competitions take notebooks only. Kaggle does not let a kernel change its type later."""
    is_private: bool = True
    enable_internet: bool = False
    machine_shape: str | None = None
    """Accelerator, for example "NvidiaTeslaT4" (which is two T4s) or "gpu", Kaggle's default one; null is a CPU."""
    dataset_sources: tuple[str, ...] = ()
    """owner/slug[/version]"""
    competition_sources: tuple[str, ...] = ()
    """slug"""
    kernel_sources: tuple[str, ...] = ()
    """owner/slug"""
    model_sources: tuple[str, ...] = ()
    """owner/model/framework/variation[/version]"""
    keywords: tuple[str, ...] = ()
    docker_image: str | None = None
    docker_image_pinning_type: Literal["original", "latest"] | None = None
    timeout_seconds: int | None = None
    """Kaggle ends the session after this long; null is Kaggle's own limit."""

    INSTEAD: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("enable_gpu", "enable_tpu", "accelerator", "gpu", "tpu"), _SHAPE),
        **dict.fromkeys(("id", "id_no", "slug"), "title, which gives the address, and owner in [tool.coord]"),
        **dict.fromkeys(("code_file", "language"), "nothing: coord writes it itself"),
        **dict.fromkeys(("internet", "internet_enabled"), "enable_internet"),
        **dict.fromkeys(("private", "public", "is_public"), "is_private"),
        **dict.fromkeys(("datasets", "data_sources", "dataset_data_sources", "inputs"), "dataset_sources"),
        **dict.fromkeys(("competitions", "competition", "competition_data_sources"), "competition_sources"),
        **dict.fromkeys(("kernels", "notebooks", "kernel_data_sources"), "kernel_sources"),
        **dict.fromkeys(("models", "model_data_sources"), "model_sources"),
        **dict.fromkeys(("session_timeout_seconds", "timeout"), "timeout_seconds"),
        **dict.fromkeys(("tags", "category_ids"), "keywords"),
        **dict.fromkeys(("image", "docker_image_pinning"), "docker_image"),
    }
    """Names that kernel-metadata.json, Kaggle's API and its website have for these, and what to say here."""

    def __post_init__(self) -> None:
        for kind in SENT_IN_NORMAL_FORM:
            object.__setattr__(self, kind, tuple(normal_source(kind, name) for name in getattr(self, kind)))
        object.__setattr__(self, "machine_shape", normal_shape(self.machine_shape))
        if self.timeout_seconds is not None and self.timeout_seconds <= 0:
            raise ValueError(f"timeout_seconds must be > 0, is {self.timeout_seconds}")


@dataclasses.dataclass(frozen=True)
class DryRunSettings:
    """How `coord dry-run` runs a kernel on this machine: on which data, with which values."""

    input: str = ""
    """Folder that stands in for every attached data set and competition, relative to the project; without it they are
    those that the local Kaggle has."""
    prepare: tuple[str, ...] = ()
    """Command that makes that folder when it is missing; run with this Python (without naming it) in the project."""
    overrides: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Dotted config paths and their values for a dry run."""


@dataclasses.dataclass(frozen=True)
class LocalSettings:
    """How the local Kaggle's sessions run: `runner_test/settings.py` has the same names, defaults and meanings."""

    isolation: Literal["auto", "none"] = "auto"
    """auto: in namespaces of their own, where this machine allows that; none: as you, with your files and network."""
    layout: Literal["2026", "2025"] = "2026"
    """Where inputs are mounted: input/datasets/owner/slug and its like, or input/slug, as before 2026."""
    memory_gib: float = 30.0
    """Memory of a session, all its processes together. For this limit and the next four, 0 means no limit."""
    output_gb: float = 20.0
    temporary_gb: float = 60.0
    """Files outside the working directory: the home, /tmp, /kaggle/temp."""
    output_files: float = 10_000
    log_mib: float = 64.0
    secrets: str = ".coord/secrets.toml"
    """TOML file, relative to the project, of the secrets that `kaggle_secrets` gives; chmod 600. It may be missing."""
    gpu_quota_hours: float = 30.0
    """Hours in a week; a push for a GPU is refused when they are spent."""
    tpu_quota_hours: float = 20.0
    gpu_sessions: int = 2
    """Sessions at the same time; a push for one more is refused, as on Kaggle; with 0 it is queued."""
    dataset_gb: float = 200.0
    """Size of a data set's version; 0 means no limit."""
    dataset_seconds: float = 1.0
    """How long a new version of a data set is processed before a kernel can attach it."""
    dataset_early: Literal["refuse", "older"] = "refuse"
    """What a push gets that attaches it earlier: 409, or the version before."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and value < 0:
                raise ValueError(f"{field.name} must be >= 0, is {value:g}")


@dataclasses.dataclass(frozen=True)
class SubmissionSettings:
    """What `coord submit` and `coord scores` know about the competition: `[tool.coord.submission]`."""

    competition: str | None = None
    """Its slug; by default the competition that is attached to the kernel, if that is one."""
    sample: str | None = None
    """Sample submission, relative to the project; without it the competition's own is downloaded."""
    several_rows: bool = False
    """Whether an id may have more rows than in the sample, for example several masks of one image."""
    mode: Literal["max", "min"] | None = None
    """Direction in which the competition's score is better; that of the run's primary metric by default."""

    def __post_init__(self) -> None:
        if self.competition is not None:
            object.__setattr__(self, "competition", normal_name(self.competition))


SCORES = ("auc", "rmse", "mae", "logloss", "accuracy", "qwk")
"""The scores that coord computes itself; `results/scores.py` has their formulas."""


@dataclasses.dataclass(frozen=True)
class PrimaryMetric:
    """The metric by which runs are compared."""

    name: str
    mode: Literal["max", "min"]


def _check_below(setting: str, patterns: str | tuple[str, ...]) -> None:
    """Raises ValueError unless these are files of the output."""
    for pattern in (patterns,) if isinstance(patterns, str) else patterns:
        path = PurePosixPath(pattern)
        if not pattern or path.is_absolute() or ".." in path.parts:
            raise ValueError(f'{setting} must be below the output, as "oof.csv" or "logs/*.csv", is "{pattern}"')


@dataclasses.dataclass(frozen=True)
class OutOfFoldSettings:
    """The table of out-of-fold predictions: CSV, parquet or npy files of the output, and their columns."""

    file: str = "oof.csv"
    """A shell pattern such as "oof_fold*.csv" is one table in several files."""
    id: str = "id"
    """An empty name is the column without a name (an index of pandas); without that one, rows are counted."""
    fold: str | None = None
    """By default the column "fold", if there is one."""
    target: str = "target"
    prediction: str | tuple[str, ...] = ("prediction", "prediction_*")
    """One column or several, also by shell patterns, such as "prob_*"."""

    def __post_init__(self) -> None:
        _check_below("file", self.file)


@dataclasses.dataclass(frozen=True)
class MetricsSettings:
    """How metrics are read from what a program leaves, if it does not write coord's metrics.json: docs/metrics.md."""

    primary: PrimaryMetric | None = None
    modes: dict[str, Literal["max", "min"]] = dataclasses.field(default_factory=dict)
    """Directions of other metrics, by name."""
    read: Literal["coord", "events", "json", "csv", "trainer_state", "boosting", "line"] | None = None
    """The reader; by default the first that finds metrics."""
    file: str | tuple[str, ...] | None = None
    """Files of the output with metrics, such as "logs/fold*/metrics.csv"; shell patterns."""
    line: str | tuple[str, ...] = ()
    """Regular expressions with named groups, searched in each line of the log: fold, epoch, step and seed say where in
    the training it is; every other group is a metric, or `name` and `value` together are one."""
    epoch: Literal["last", "best"] = "last"
    """Which epoch's values are the fold's. "best" by the primary metric is optimistic: it was chosen by that value."""
    rows: str = "rows"
    """What the rows of out-of-fold predictions are, in the plural: "images"."""
    oof: OutOfFoldSettings | None = None
    """Where out-of-fold predictions are; by default in oof.csv, with columns as coord_log writes them."""
    score: str | None = None
    """How a whole table of predictions is scored in the primary metric: auc, rmse, mae, logloss, accuracy, qwk, or the
    project's own "module:function", which gets (targets, predictions) and returns a float."""

    @property
    def table(self) -> OutOfFoldSettings | None:
        """Where the predictions are that are scored; None if coord's own oof.csv has a value of each row."""
        return self.oof or (OutOfFoldSettings() if self.score else None)

    @property
    def lines(self) -> tuple[str, ...]:
        """The expressions of `line` that are searched: none if the lines of boosting libraries are to be read."""
        if self.read == "boosting":
            return ()
        return (self.line,) if isinstance(self.line, str) else self.line

    def __post_init__(self) -> None:
        if self.file is not None:
            _check_below("file", self.file)
        if self.score is not None and self.score not in SCORES and not re.fullmatch(r"[\w.]+:\w+", self.score):
            near = did_you_mean(self.score, SCORES)
            raise ValueError(f'score "{self.score}" is none of {", ".join(SCORES)}{near}, and no module:function')
        for pattern in (self.line,) if isinstance(self.line, str) else self.line:
            try:
                groups = re.compile(pattern).groupindex
            except re.error as error:
                raise ValueError(f"line is no regular expression: {error}: {pattern}") from None
            if not set(groups) - {"fold", "folds", "epoch", "epochs", "step", "seed"}:
                raise ValueError(f"line needs a named group with a metric, such as (?P<auc>[\\d.]+): {pattern}")


@dataclasses.dataclass(frozen=True)
class SweepSettings:
    """What `coord sweep` has to know about the config, as dotted paths."""

    seed: str = "seed"
    """The seed, which `--seeds` counts up."""
    fold_seed: str | None = None
    """The seed of the folds, if it is not null: `--seeds` sets it so that all runs have the same folds."""
    fold_count: str | None = None
    """How many folds there are, for `--split-folds`."""
    folds: str | None = None
    """The list of the folds to run, counted from 0; empty = all."""
    of_all_folds: tuple[str, ...] = ()
    """Metrics, and columns of oof.csv, that are computed from all folds together, for example with a threshold chosen
    on them: what runs of single folds have under these names is dropped when they are merged."""
    merge: str | None = None
    """Module that works these out: `python -m MODULE MERGED FOLDER...` completes metrics.json and oof.csv in the first
    folder from what the folds' runs have left in the others."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """The `[tool.coord]` table."""

    owner: str | None = None
    """Kaggle user name; without it the credentials' user name is taken."""
    target: TargetName = "kaggle"
    model_source: str | None = None
    """The package that trains, relative to the project; model_src by default, if there is such a folder."""
    entry: str = ""
    """What runs as `__main__`: a script's path or a module's name; the module train of model_src by default."""
    args: tuple[str, ...] = ()
    """Arguments of the entry in every run."""
    path: tuple[str, ...] = ()
    """Folders in which modules are searched, beside the project's and the entry script's: ["src"] does what
    PYTHONPATH=src does, or `pip install -e .` for a package in src/."""
    cwd: Literal["checkout", "working"] | None = None
    """Where the entry runs: in its checkout, or in the kernel's working directory, which is the default for a project
    with a model_source or a dataclass."""
    config: str | tuple[str, ...] | None = None
    """What declares the config: module:Class (a dataclass), "argparse", paths of config files, "hydra:FOLDER/NAME". By
    default model_src.config:Config, if there is one, and else the experiments without a base declare it."""
    config_python: str | None = None
    """Python with the program's own libraries, for a dataclass that imports them and for computed flags; without it
    coord reads the dataclass itself, and runs a parser with its own Python."""
    delivery: str | None = None
    """How the config reaches the program: "file" (COORD_CONFIG), "arguments", "hydra", "environment", or the path of a
    YAML, JSON or TOML file of the checkout, which is written. By default what fits the declaration."""
    include: tuple[str, ...] = ()
    """Globs of further files that go into the bundle."""
    exclude: tuple[str, ...] = ()
    """Patterns, as in .gitignore, of files that do not."""
    scorer: str | None = None
    """The competition's metric, module:function: `function(submission, solution, ids)` gets the paths of two CSV files
    and the ids of a part (public or private), returns its score, and raises ValueError for a malformed submission."""
    attached: tuple[str, ...] = ()
    """Dotted config paths whose values must be attached sources, such as data.source; a path on disk is none."""
    continue_setting: str | None = None
    """Dotted config path that names the kernel whose output a run goes on from, as train.resume_from; `coord continue`
    sets it to owner/slug."""
    continue_check: str | None = None
    """`module:function` of (earlier config, config) in plain values -> why the one can't go on from the other, a list.

    coord asks it before it pushes. Its module imports the standard library only.
    """
    fetch_skip: tuple[str, ...] = ()
    """Files of a run's output that are not fetched unless `--only` names them, as fold*.state.pth; shell patterns."""
    templates: str | None = None
    """Folder with kernel.py.j2 and kernel-metadata.json.j2; coord's own where it has none."""
    experiments: str = "experiments"
    vendor: tuple[str, ...] = ()
    """Installed pure-Python distributions that go into the bundle, as "einops" or "einops==0.8.2"."""
    image: str | None = None
    """Table of what the kernel's image has; kaggle-image.json beside pyproject.toml, if it is there, by default."""
    image_extra: tuple[str, ...] = ()
    """Modules or distributions that the kernel has beside the image's, for example from attached wheels."""
    requirements: tuple[str, ...] = ()
    """What the image lacks, as "lightgbm>=4": `coord wheels` downloads it with all that it needs, and kernels install
    it before they start."""
    large: Literal["dataset"] | None = None
    """Where the sources go if they are too large for a script: "dataset" is a private data set beside it."""
    kernel: KernelSettings = KernelSettings()
    dry_run: DryRunSettings = DryRunSettings()
    submission: SubmissionSettings = SubmissionSettings()
    local: LocalSettings = LocalSettings()
    sweep: SweepSettings = SweepSettings()
    metrics: MetricsSettings = MetricsSettings()

    def __post_init__(self) -> None:
        if self.owner is not None:
            object.__setattr__(self, "owner", normal_name(self.owner))


ConfigKind = Literal["dataclass", "argparse", "files", "hydra", "base"]
HYDRA = "hydra:"


def kind_of(config: str | tuple[str, ...] | None) -> ConfigKind:
    """What kind of declaration the setting `config` names."""
    if config is None or config == ():
        return "base"
    if config == "argparse":
        return "argparse"
    if isinstance(config, str) and config.startswith(HYDRA):
        return "hydra"
    return "dataclass" if isinstance(config, str) and ":" in config else "files"
