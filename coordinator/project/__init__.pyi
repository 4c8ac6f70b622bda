from . import git as git
from .experiment import (
    Change as Change,
    Experiment as Experiment,
    Recorded as Recorded,
    build_command as build_command,
    derive as derive,
    experiment_names as experiment_names,
    kernel_titles as kernel_titles,
    not_read as not_read,
    resolve as resolve,
    resolve_all as resolve_all,
)
from .init import init_project as init_project
from .launch import AS_FILE as AS_FILE, Launch as Launch
from .project import Project as Project, find_project as find_project, target_name as target_name
from .schema import assignment as assignment, check as check, declared_paths as declared_paths
from .settings import (
    SCORES as SCORES,
    TARGETS as TARGETS,
    KernelSettings as KernelSettings,
    MetricsSettings as MetricsSettings,
    OutOfFoldSettings as OutOfFoldSettings,
    Settings as Settings,
    SweepSettings as SweepSettings,
    TargetName as TargetName,
    parse_target as parse_target,
)
from .shipped import default_template as default_template, shipped as shipped
from .values import leaves as leaves, plain as plain
