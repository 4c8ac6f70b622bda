"""A project's settings: the `[tool.coord]` table of its pyproject.toml, names, types and defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from coordinator.errors import did_you_mean
from coordinator.kaggle_rules import SENT_IN_NORMAL_FORM, normal_name, normal_shape, normal_source
from coordinator.project.result_settings import MetricsSettings, SweepSettings
from coordinator.project.target_settings import STANDARD_TARGETS, TargetName, TargetSettings, target_problems

_SHAPE = 'machine_shape, for example "NvidiaTeslaT4"'


@dataclasses.dataclass(frozen=True)
class KernelSettings:
    """What goes into kernel-metadata.json: `[tool.coord.kernel]` has the defaults, an experiment the differences."""

    title: str = "{experiment}"
    """Title on Kaggle; `{experiment}` stands for the experiment's name. Its slug is the kernel's address.

    Example: "siim {experiment}"
    """
    kernel_type: Literal["script", "notebook"] = "script"
    """Some competitions take notebooks only. Kaggle does not let a kernel change its type later.

    Example: "notebook"
    """
    is_private: bool = True
    """Whether only you see the kernel. A public one shows its code and output to everybody.

    Example: false
    """
    enable_internet: bool = False
    """Whether the session reaches the internet. Many competitions do not accept kernels with it.

    Example: true
    """
    machine_shape: str | None = None
    """Accelerator, for example "NvidiaTeslaT4" (which is two T4s) or "gpu", Kaggle's default one; null is a CPU.

    Example: "NvidiaTeslaT4"
    """
    dataset_sources: tuple[str, ...] = ()
    """Attached data sets, as owner/slug, or owner/slug/version for one version.

    Example: ["seesee/siim-train-test"]
    """
    competition_sources: tuple[str, ...] = ()
    """Attached competitions, by their slugs.

    Example: ["siim-acr-pneumothorax-segmentation"]
    """
    kernel_sources: tuple[str, ...] = ()
    """Attached outputs of kernels, as owner/slug: the newest complete version.

    Example: ["ada/siim-lr001"]
    """
    model_sources: tuple[str, ...] = ()
    """Attached models, as owner/model/framework/variation or with /version behind it.

    Example: ["google/gemma/pyTorch/2b/1"]
    """
    keywords: tuple[str, ...] = ()
    """Kaggle's tags of the kernel.

    Example: ["gpu"]
    """
    docker_image: str | None = None
    """The image of the session; without it Kaggle chooses, as docker_image_pinning_type says.

    Example: "gcr.io/kaggle-images/python:latest"
    """
    docker_image_pinning_type: Literal["original", "latest"] | None = None
    """The image of the kernel's first version, or the newest at each run. By default Kaggle's own choice.

    Example: "latest"
    """
    timeout_seconds: int | None = None
    """Kaggle ends the session after this long; null is Kaggle's own limit.

    Example: 14400
    """

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
    those that the local Kaggle has.

    Example: ".coord/sample-data"
    """
    prepare: tuple[str, ...] = ()
    """Command that makes that folder when it is missing; run with this Python (without naming it) in the project.

    Example: ["sample_data.py", ".coord/sample-data"]
    """
    overrides: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Dotted config paths and their values for a dry run.

    Example: {"train.epochs" = 1}
    """


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
    """What a session may write into its working directory."""
    temporary_gb: float = 60.0
    """Files outside the working directory: the home, /tmp, /kaggle/temp."""
    output_files: float = 10_000
    """Files in the working directory."""
    log_mib: float = 64.0
    """What a session may print."""
    secrets: str = ".coord/secrets.toml"
    """TOML file, relative to the project, of the secrets that `kaggle_secrets` gives; chmod 600. It may be missing."""
    gpu_quota_hours: float = 30.0
    """Hours in a week; a push for a GPU is refused when they are spent."""
    tpu_quota_hours: float = 20.0
    """The same for a TPU."""
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
    """Its slug; by default the competition that is attached to the kernel, if that is one.

    Example: "siim-acr-pneumothorax-segmentation"
    """
    sample: str | None = None
    """Sample submission, relative to the project; without it the competition's own is downloaded.

    Example: "data/sample_submission.csv"
    """
    several_rows: bool = False
    """Whether an id may have more rows than in the sample, for example several masks of one image.

    Example: true
    """
    mode: Literal["max", "min"] | None = None
    """Direction in which the competition's score is better; that of the run's primary metric by default.

    Example: "max"
    """

    def __post_init__(self) -> None:
        if self.competition is not None:
            object.__setattr__(self, "competition", normal_name(self.competition))


@dataclasses.dataclass(frozen=True)
class Settings:
    """The `[tool.coord]` table."""

    owner: str | None = None
    """Kaggle user name; without it the credentials' user name is taken.

    Example: "ada"
    """
    target: TargetName = "kaggle"
    """Where kernels run: kaggle, local, or a name of `[tool.coord.targets]`; `--target` and COORD_TARGET come first.

    Example: "local"
    """
    model_source: str | None = None
    """The package that trains, relative to the project; model_src by default, if there is such a folder.

    Example: "model_src"
    """
    entry: str = ""
    """What runs as `__main__`: a script's path or a module's name; the module train of model_src by default.

    Example: "src/train.py"
    """
    args: tuple[str, ...] = ()
    """Arguments of the entry in every run.

    Example: ["--config", "configs/base.yaml"]
    """
    path: tuple[str, ...] = ()
    """Folders in which modules are searched, beside the project's and the entry script's: ["src"] does what
    PYTHONPATH=src does, or `pip install -e .` for a package in src/.

    Example: ["src"]
    """
    cwd: Literal["checkout", "working"] | None = None
    """Where the entry runs: in its checkout, or in the kernel's working directory, which is the default for a project
    with a model_source or a dataclass.

    Example: "checkout"
    """
    config: str | tuple[str, ...] | None = None
    """What declares the config: module:Class (a dataclass), "argparse", paths of config files, "hydra:FOLDER/NAME". By
    default model_src.config:Config, if there is one, and else the experiments without a base declare it.

    Example: "model_src.config:Config"
    """
    config_python: str | None = None
    """Python with the program's own libraries, for a dataclass that imports them and for computed flags; without it
    coord reads the dataclass itself, and runs a parser with its own Python.

    Example: ".venv/bin/python"
    """
    delivery: str | None = None
    """How the config reaches the program: "file" (COORD_CONFIG), "arguments", "hydra", "environment", or the path of a
    YAML, JSON or TOML file of the checkout, which is written. By default what fits the declaration.

    Example: "arguments"
    """
    include: tuple[str, ...] = ()
    """Globs of further files that go into the bundle.

    Example: ["configs/*.yaml"]
    """
    exclude: tuple[str, ...] = ()
    """Patterns, as in .gitignore, of files that do not.

    Example: ["*.ipynb", "old/"]
    """
    scorer: str | None = None
    """The competition's metric, module:function: `function(submission, solution, ids)` gets the paths of two CSV files
    and the ids of a part (public or private), returns its score, and raises ValueError for a malformed submission.

    Example: "model_src.score:competition_score"
    """
    attached: tuple[str, ...] = ()
    """Dotted config paths whose values must be attached sources, such as data.source; a path on disk is none.

    Example: ["data.source"]
    """
    own_sources: dict[str, str] = dataclasses.field(default_factory=dict)
    """What to do where an attached source is missing that every user has to make: owner/slug (or */slug) -> a text, in
    which {name} is the source. `coord push` asks for these sources before it pushes.

    Example: {"*/coco" = "Once: coord data push coco {name}"}
    """
    continue_setting: str | None = None
    """Dotted config path that names the kernel whose output a run goes on from, as train.resume_from; `coord continue`
    sets it to owner/slug.

    Example: "train.resume_from"
    """
    continue_check: str | None = None
    """`module:function` of (earlier config, config) in plain values -> why the one can't go on from the other, a list.

    coord asks it before it pushes. Its module imports the standard library only.

    Example: "model_src.identity:refused"
    """
    fetch_skip: tuple[str, ...] = ()
    """Files of a run's output that are not fetched unless `--only` names them, as fold*.state.pth; shell patterns.

    Example: ["fold*.state.pth"]
    """
    templates: str | None = None
    """Folder with kernel.py.j2 and kernel-metadata.json.j2; coord's own where it has none.

    Example: "kernel_templates"
    """
    experiments: str = "experiments"
    """Folder of the experiments' files."""
    vendor: tuple[str, ...] = ()
    """Installed pure-Python distributions that go into the bundle, as "einops" or "einops==0.8.2".

    Example: ["einops==0.8.2"]
    """
    image: str | None = None
    """Table of what the kernel's image has; kaggle-image.json beside pyproject.toml, if it is there, by default.

    Example: "kaggle-image.json"
    """
    image_extra: tuple[str, ...] = ()
    """Modules or distributions that the kernel has beside the image's, for example from attached wheels.

    Example: ["mmcv"]
    """
    requirements: tuple[str, ...] = ()
    """What the image lacks, as "lightgbm>=4": `coord wheels` downloads it with all that it needs, and kernels install
    it before they start.

    Example: ["lightgbm>=4"]
    """
    large: Literal["dataset"] | None = None
    """Where the sources go if they are too large for a script: "dataset" is a private data set beside it.

    Example: "dataset"
    """
    kernel: KernelSettings = KernelSettings()
    dry_run: DryRunSettings = DryRunSettings()
    submission: SubmissionSettings = SubmissionSettings()
    local: LocalSettings = LocalSettings()
    sweep: SweepSettings = dataclasses.field(default_factory=SweepSettings)
    metrics: MetricsSettings = dataclasses.field(default_factory=MetricsSettings)
    targets: dict[str, TargetSettings] = dataclasses.field(default_factory=dict)
    """Clusters, by the names that `--target` takes."""

    def __post_init__(self) -> None:
        if self.owner is not None:
            object.__setattr__(self, "owner", normal_name(self.owner))
        if problems := list(target_problems(self.targets, self.target)):
            raise ValueError("\n".join(problems))

    @property
    def target_names(self) -> tuple[TargetName, ...]:
        """The targets that the project has: kaggle, local, and those of `[tool.coord.targets]`."""
        return (*STANDARD_TARGETS, *self.targets)


def parse_target(text: str, settings: Settings) -> TargetName:
    """The target of that name. Raises ValueError, which says what targets there are, if there is none."""
    names = settings.target_names
    if text in names:
        return text
    near = did_you_mean(text.lower(), names)
    raise ValueError(f'there is no target "{text}"{near} (targets are {", ".join(names[:-1])} and {names[-1]})')


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
