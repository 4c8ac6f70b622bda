from . import git as git
from .adoption.adopt import Adoption as Adoption, Wish as Wish, adopt as adopt, is_repository as is_repository
from .declaration.required import missing_options as missing_options
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
from .launch import AS_FILE as AS_FILE, Launch as Launch, is_script as is_script
from .need import Need as Need, base_in as base_in
from .project import Project as Project, find_project as find_project, target_name as target_name
from .reference import setting_groups as setting_groups
from .result_settings import (
    SCORES as SCORES,
    MetricsSettings as MetricsSettings,
    OutOfFoldSettings as OutOfFoldSettings,
    SweepSettings as SweepSettings,
)
from .schema import assignment as assignment, check as check, declared_paths as declared_paths
from .section import Section as Section
from .settings import (
    KernelSettings as KernelSettings,
    Settings as Settings,
    kind_of as kind_of,
    parse_target as parse_target,
)
from .shipped import default_template as default_template, shipped as shipped
from .target_settings import (
    STANDARD_TARGETS as STANDARD_TARGETS,
    TARGET_NAME as TARGET_NAME,
    RayRequest as RayRequest,
    RaySettings as RaySettings,
    SlurmSettings as SlurmSettings,
    TargetKind as TargetKind,
    TargetName as TargetName,
    TargetSettings as TargetSettings,
    is_target_name as is_target_name,
    recorded_target as recorded_target,
)
from .texts import Texts as Texts, additions_to_search_path as additions_to_search_path, source_of as source_of
from .values import leaves as leaves, plain as plain
