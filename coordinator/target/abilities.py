"""What a target can do, by its kind: verbs ask these values, and never which target it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from coordinator.errors import TargetError, UsageError
from coordinator.kaggle_rules import (
    OUTPUT_MAX,
    SESSION_MAX,
    SESSIONS_AT_ONCE,
    TPU_SESSION_MAX,
)
from coordinator.project import STANDARD_TARGETS, Project, Settings, TargetKind, TargetName, TargetSettings

KAGGLE, LOCAL = STANDARD_TARGETS
"""The names of the targets that every project has, for what is about one of them: the quota, a rehearsal."""


@dataclass(frozen=True)
class LookEvery:
    """Seconds between two questions about the same thing: quick where a person waits, slow where nothing hurries."""

    status: float
    """Between two looks of `coord status --watch`."""
    wait: float
    """At most, between two questions about a run that a command waits for."""
    slot: float
    """Between two questions whether a session has ended, so that another one can start."""
    retry: float = 300.0
    """Until a push that found no room is tried again anyway: coord does not know what others run there."""


@dataclass(frozen=True)
class Abilities:
    """What the targets of a kind can do, with the figures that verbs need."""

    kind: TargetKind
    look_every: LookEvery
    has_quota: bool = False
    """Accelerator hours that are used up, and renewed each week."""
    sessions_at_once: int | None = None
    """How many sessions with an accelerator may run at a time; None: the target queues what does not fit."""
    deletes_all_versions: bool = False
    """A kernel can be deleted, with all its versions."""
    has_datasets: bool = False
    """Data sets can be made there, listed and read."""
    has_competitions: bool = False
    """Predictions can be submitted there: it is a submission place."""
    largest_output: int | None = None
    """Bytes of a file of the output; None: no limit of the target."""
    transfers_at_once: int = 32
    """Files that are fetched at the same time."""
    is_on_this_machine: bool = False
    """The sessions run here."""
    longest_session_seconds: int | None = None
    """When a session is ended by the target; None: when its own settings say, or never."""
    longest_tpu_session_seconds: int | None = None
    """The same for a session with a TPU."""
    stuck_after_seconds: int | None = None
    """How long after its limit a session that is still running is called stuck; None: the target's word counts."""
    denies_internet: bool = False
    """A kernel that asks for no internet has none."""
    resumes_itself: bool = False
    """A run that was stopped by a limit, or by a more urgent one, starts again by itself: it has attempts."""
    checks_kaggle_rules: bool = False
    """Kaggle's rules hold: the size of the source, machine shapes, the slug and the title, two sessions at a time."""
    answers_many: bool = False
    """One question gives the states of many runs: see `AnswersMany`."""
    has_arrays: bool = False
    """Many kernels can be pushed in one request, with a cap on how many run at a time: see `PushesMany`."""

    def longest_session(self, *, is_tpu: bool) -> int | None:
        """The seconds that a session may run at most; None: the target has no limit of its own."""
        return self.longest_tpu_session_seconds if is_tpu else self.longest_session_seconds


_KAGGLE = Abilities(
    kind="kaggle",
    look_every=LookEvery(status=10.0, wait=15.0, slot=30.0),
    has_quota=True,
    sessions_at_once=SESSIONS_AT_ONCE,
    deletes_all_versions=True,
    has_datasets=True,
    has_competitions=True,
    largest_output=OUTPUT_MAX,
    longest_session_seconds=SESSION_MAX,
    longest_tpu_session_seconds=TPU_SESSION_MAX,
    stuck_after_seconds=15 * 60,  # Kaggle ends sessions a little late, and coord learns of their start by asking
    denies_internet=True,
    checks_kaggle_rules=True,
)
ABILITIES: Mapping[TargetKind, Abilities] = {
    "kaggle": _KAGGLE,
    "local": replace(
        _KAGGLE, kind="local", look_every=LookEvery(status=2.0, wait=2.0, slot=1.0), is_on_this_machine=True
    ),
    "slurm": Abilities(
        kind="slurm",
        look_every=LookEvery(status=5.0, wait=5.0, slot=5.0, retry=15.0),
        transfers_at_once=6,  # of the ten sessions that one ssh connection takes
        resumes_itself=True,
        answers_many=True,
        has_arrays=True,
    ),
    "ray": Abilities(
        kind="ray",
        look_every=LookEvery(status=5.0, wait=5.0, slot=5.0, retry=15.0),
        transfers_at_once=6,
    ),
}


def kind_of_target(project: Project, name: TargetName) -> TargetKind:
    """The kind of the target of that name. Raises TargetError, which names the missing table, if there is none."""
    return STANDARD_TARGETS.get(name) or target_settings(project, name).KIND


def target_settings(project: Project, name: TargetName) -> TargetSettings:
    """The settings of a named target. Raises TargetError, which names the missing table, if there are none."""
    found = project.settings.targets.get(name)
    if found is None:
        raise TargetError(
            f'the target "{name}" is not in the settings any more: {project.relative(project.pyproject)} has no '
            f"[tool.coord.targets.{name}]",
            hint="Write the table again to ask for its runs. What was fetched of them is here all the same.",
        )
    return found


def abilities_of(project: Project, name: TargetName) -> Abilities:
    """What the target of that name can do. Raises TargetError if the settings have no such target."""
    return ABILITIES[kind_of_target(project, name)]


def known_abilities(project: Project, name: TargetName) -> Abilities | None:
    """The same; None if the settings have no such target."""
    return abilities_of(project, name) if name in project.settings.target_names else None


def recorded_abilities(name: TargetName) -> Abilities | None:
    """What a target can do as far as its name alone tells, for what only the ledger knows; None for a cluster's."""
    kind = STANDARD_TARGETS.get(name)
    return ABILITIES[kind] if kind else None


_KINDS: Mapping[TargetKind, str] = {
    "kaggle": "Kaggle itself",
    "local": "the local Kaggle",
    "slurm": "a Slurm cluster",
    "ray": "a Ray cluster",
}


def said_kind(settings: Settings, name: TargetName) -> str:
    """What the target of that name is, in a few words."""
    return _KINDS[STANDARD_TARGETS.get(name) or settings.targets[name].KIND]


def lacking(name: TargetName, abilities: Abilities, what: str, remedy: str) -> UsageError:
    """The error of a verb that needs what a target can't do: `what` as in "no quota", `remedy` what to do instead."""
    return UsageError(f"{name} is {_KINDS[abilities.kind]}, which has {what}", hint=remedy)
