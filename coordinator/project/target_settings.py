"""The settings of targets: named places where kernels run, each of a kind, `[tool.coord.targets.NAME]`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal

from coordinator.kaggle_rules import normal_name, normal_shape

TargetName = str
"""A target's name: kaggle, local, or one of `[tool.coord.targets]`. Its kind says how it is reached."""
TargetKind = Literal["kaggle", "local", "slurm", "ray"]
STANDARD_TARGETS: Mapping[TargetName, TargetKind] = {"kaggle": "kaggle", "local": "local"}
"""The targets that every project has, and their kinds."""

# It is a part of a run's name (base@uni-v3), and of names of files: no capitals, because some disks ignore them.
TARGET_NAME = r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*"
"""Regular expression of a target's name, which has no group."""
_NAME = re.compile(TARGET_NAME)
_NAME_MAX = 40


def is_target_name(text: object) -> bool:
    """Whether it can be a target's name."""
    return isinstance(text, str) and len(text) <= _NAME_MAX and _NAME.fullmatch(text) is not None


def recorded_target(text: object) -> TargetName:
    """A recorded name of a target, which the settings need not have any more. Raises ValueError if it can be none."""
    if not is_target_name(text):
        raise ValueError(f"{text!r} is no name of a target")
    return str(text)


@dataclasses.dataclass(frozen=True)
class SlurmSettings:
    """A Slurm cluster, with `kind = "slurm"`: coord hands jobs to its sbatch, and asks its squeue and sacct."""

    KIND: ClassVar[TargetKind] = "slurm"
    INSTEAD: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("user", "port", "login", "hostname", "ssh"), "host, a name of your ssh config that has them"),
        **dict.fromkeys(("image", "singularity", "apptainer", "enroot"), "container"),
        **dict.fromkeys(("gres", "gpus", "gpu", "qos", "nodelist", "constraint", "options"), "extra, or shapes"),
        **dict.fromkeys(("modules", "module", "conda", "env", "venv"), "setup, or python"),
        **dict.fromkeys(("mem", "memory_gib"), "memory"),
        **dict.fromkeys(("datasets", "data", "inputs"), "sources"),
        **dict.fromkeys(("timeout", "walltime", "time_limit"), "time"),
        **dict.fromkeys(("folder", "path", "directory", "workdir"), "root"),
    }

    kind: Literal["slurm"]
    """How the target is reached.

    Example: "slurm"
    """
    root: str
    """Folder on the file system that the login node and the machines of the jobs share, absolute; coord makes it, and
    keeps kernels and their output below it.

    Example: "/scratch/ada/coord"
    """
    host: str = ""
    """The login node: a name of your ssh config, reached with the system's ssh. Empty: this machine.

    Example: "uni"
    """
    python: str = "python3"
    """The Python that runs kernels, with the program's packages; in a container, its own.

    Example: "/home/ada/venv/bin/python"
    """
    container: str = ""
    """Image that the kernel runs in, if any: a file or an address, as container_kind takes it.

    Example: "/images/torch.sif"
    """
    container_kind: Literal["apptainer", "pyxis"] = "apptainer"
    """What starts the container: `apptainer exec`, or Slurm's own `--container-image` (pyxis, enroot)."""
    setup: tuple[str, ...] = ()
    """Shell lines that a job runs first.

    Example: ["module load cuda/12.4"]
    """
    partition: str = ""
    """Partition of the jobs; the cluster's default one without it.

    Example: "gpu"
    """
    account: str = ""
    """Account that the jobs are charged to.

    Example: "vision"
    """
    time: str = ""
    """Time limit of one start, in Slurm's form; an experiment's timeout_seconds comes first.

    Example: "24:00:00"
    """
    signal_before: int = 120
    """Seconds before the time limit at which the program is warned (SIGTERM), to save its state and end."""
    requeues: int = 3
    """How often a run that its time limit stopped starts again, if its model source can go on from its output."""
    cpus: int = 0
    """CPUs of a job; 0 is the cluster's default.

    Example: 8
    """
    memory: str = ""
    """Memory of a job, in Slurm's form.

    Example: "32G"
    """
    extra: tuple[str, ...] = ()
    """Further options of sbatch, for every job.

    Example: ["--qos=long"]
    """
    shapes: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """What an experiment's machine_shape asks for here: options of sbatch. `cpu` stands for no accelerator.

    Example: {NvidiaTeslaT4 = ["--gres=gpu:tesla_t4:2"]}
    """
    sources: dict[str, str] = dataclasses.field(default_factory=dict)
    """Where an attached source lies on the cluster: a data set's owner/slug, a competition's slug, a model's name.

    Example: {"ada/weights" = "/data/weights"}
    """

    def __post_init__(self) -> None:
        problems = [
            *_path_problems("root", self.root),
            *_one_line(self, "host", "python", "container", "partition", "account", "time", "memory"),
            *_at_least(self, signal_before=10, requeues=0, cpus=0),
            *_source_problems(self.sources),
        ]
        if self.time and not _TIME.fullmatch(self.time):
            problems.append(f'time must be minutes, hours:minutes:seconds or days-hours, is "{self.time}"')
        for folder in (self.root, *self.sources.values()) if self.container else ():
            if "," in folder or ":" in folder:
                problems.append(f'a container cannot be given a folder whose path has a comma or a colon: "{folder}"')
        for name, options in (("extra", self.extra), *(("shapes", each) for each in self.shapes.values())):
            for option in options:
                if not re.fullmatch(r"-[^\x00-\x1f]+", option):
                    problems.append(f'{name} has options of sbatch such as "--gres=gpu:1", and not "{option}"')
        if problems:
            raise ValueError("\n".join(problems))
        _normalize(self)


@dataclasses.dataclass(frozen=True)
class RayRequest:
    """What a kernel asks of a Ray cluster."""

    gpus: float = 0.0
    """GPUs of the job, or parts of one."""
    cpus: float | None = None
    """CPUs of the job; null is the target's `cpus`.

    Example: 4
    """
    memory_gib: float | None = None
    """Memory of the job, in GiB; null is the target's `memory_gib`.

    Example: 32
    """
    resources: dict[str, float] = dataclasses.field(default_factory=dict)
    """Further resources, by the names that the cluster has for them.

    Example: {fast_disk = 1}
    """

    def __post_init__(self) -> None:
        values = {"gpus": self.gpus, "cpus": self.cpus, "memory_gib": self.memory_gib, **self.resources}
        problems = [f"{name} must be >= 0, is {value:g}" for name, value in values.items() if value and value < 0]
        if problems:
            raise ValueError("\n".join(problems))


@dataclasses.dataclass(frozen=True)
class RaySettings:
    """A Ray cluster, with `kind = "ray"`: coord hands jobs to its Jobs API."""

    KIND: ClassVar[TargetKind] = "ray"
    INSTEAD: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("url", "dashboard", "endpoint", "head"), "address"),
        **dict.fromkeys(("gpus", "gpu", "resources"), "shapes"),
        **dict.fromkeys(("memory", "mem"), "memory_gib"),
        **dict.fromkeys(("modules", "module", "conda", "env", "venv"), "setup, or python"),
        **dict.fromkeys(("datasets", "data", "inputs"), "sources"),
        **dict.fromkeys(("folder", "path", "directory", "workdir"), "root"),
    }

    kind: Literal["ray"]
    """How the target is reached.

    Example: "ray"
    """
    address: str
    """Address of the head's dashboard, which has the Jobs API.

    Example: "http://10.0.0.5:8265"
    """
    root: str
    """Folder on the file system that `host` and the machines of the jobs share, absolute; coord makes it, and keeps
    kernels and their output below it.

    Example: "/shared/ada/coord"
    """
    host: str = ""
    """A machine that sees `root`: a name of your ssh config. Empty: this machine.

    Example: "raybox"
    """
    python: str = "python3"
    """The Python that runs kernels, with the program's packages.

    Example: "/home/ada/venv/bin/python"
    """
    setup: tuple[str, ...] = ()
    """Shell lines that a job runs first.

    Example: ["source /opt/env.sh"]
    """
    cpus: float = 1.0
    """CPUs of a job, unless its machine shape asks for others."""
    memory_gib: float = 0.0
    """Memory of a job, in GiB; 0 asks for none.

    Example: 16
    """
    shapes: dict[str, RayRequest] = dataclasses.field(default_factory=dict)
    """What an experiment's machine_shape asks for here. `cpu` stands for no accelerator.

    Example: {NvidiaTeslaT4 = {gpus = 2, cpus = 4}}
    """
    sources: dict[str, str] = dataclasses.field(default_factory=dict)
    """Where an attached source lies on the cluster: a data set's owner/slug, a competition's slug, a model's name.

    Example: {"ada/weights" = "/data/weights"}
    """
    at_once: int = 0
    """Jobs of coord's at a time; 0: as many as the cluster has room for."""
    stop_seconds: int = 120
    """Seconds that a cancelled program has to save its state."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", self.address.rstrip("/"))
        problems = [
            *_path_problems("root", self.root),
            *_one_line(self, "host", "python"),
            *_at_least(self, cpus=0, memory_gib=0, at_once=0, stop_seconds=0),
            *_source_problems(self.sources),
        ]
        if not re.fullmatch(r"https?://[^\s/@]+(/[^\s]*)?", self.address):
            problems.append('address must be one such as "http://10.0.0.5:8265", without a password')
        if problems:
            raise ValueError("\n".join(problems))
        _normalize(self)


TargetSettings = SlurmSettings | RaySettings
"""The settings of a named target; its class says its kind."""

_TIME = re.compile(r"\d+(:\d{1,2}){0,2}|\d+-\d{1,2}(:\d{1,2}){0,2}")
"""The forms of sbatch's --time."""


def _path_problems(name: str, path: str) -> Iterator[str]:
    if not path.startswith("/") or ".." in PurePosixPath(path).parts or path == "/" or not path.isprintable():
        yield f'{name} must be an absolute path such as "/scratch/ada", without "..", is "{path}"'


def _one_line(settings: Any, *names: str) -> Iterator[str]:
    for name in names:
        text = getattr(settings, name)
        if text and (not text.isprintable() or text.startswith("-")):
            yield f"{name} must be one line that does not begin with -, is {text!r}"


def _at_least(settings: Any, **least: int) -> Iterator[str]:
    for name, value in least.items():
        if getattr(settings, name) < value:
            yield f"{name} must be >= {value}, is {getattr(settings, name):g}"


def _source_problems(sources: Mapping[str, str]) -> Iterator[str]:
    for name, path in sources.items():
        if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)*", name):
            yield f'sources names "{name}", which is no owner/slug and no slug'
        yield from _path_problems(f'sources, for "{name}",', path)


def _normalize(settings: Any) -> None:
    object.__setattr__(settings, "root", str(PurePosixPath(settings.root)))
    shape: Callable[[str], str] = lambda name: normal_shape(name) or "cpu"  # noqa: E731
    object.__setattr__(settings, "shapes", {shape(name): each for name, each in settings.shapes.items()})
    object.__setattr__(settings, "sources", {normal_name(name): path for name, path in settings.sources.items()})


def target_problems(targets: Mapping[str, TargetSettings], chosen: str) -> Iterator[str]:
    """What is wrong with the names of the targets, and with the one that is `chosen`; each begins with its setting."""
    for name in targets:
        if name in STANDARD_TARGETS:
            yield f'targets has a table "{name}": that name always stands for Kaggle or the local Kaggle; take another'
        elif not is_target_name(name):
            yield f'targets has "{name}": a name has small letters, digits, and single - or _ between them'
    names = (*STANDARD_TARGETS, *targets)
    if chosen not in names:
        yield f"target must be one of {', '.join(map(repr, names))}, is {chosen!r}"
