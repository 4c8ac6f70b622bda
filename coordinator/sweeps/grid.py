"""From a grid of settings to named experiments.

A name says what differs, `base--lr0.001-step3-s0`: the shortest word that tells a setting from the grid's others, and
the value as the checked config has it. It must do as a kernel's title and address, too (see metadata.py): what would be
too long, or the address of another kernel, gets a digest of its settings instead of their last words.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from coordinator.errors import ExperimentError, UsageError, did_you_mean
from coordinator.kaggle_rules import TITLE_MAX
from coordinator.kernel import kernel_slug, kernel_title
from coordinator.project import Experiment, Project, assignment, derive, leaves, resolve

_DIGEST = 6  # characters of a digest in a name
_MEMBERS_AT_MOST = 200
"""More is a mistake: a week has 30 GPU hours."""


@dataclass(frozen=True)
class Start:
    """What a sweep varies: an experiment that has a file, perhaps with values that an earlier sweep has set."""

    name: str
    base: str
    """The experiment's file."""
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Axis:
    """One setting and its values, each as `--set` would take it."""

    path: str
    values: tuple[str, ...]
    marker: str | None = None
    """What names the setting in the experiments' names; None: a word of its path."""

    @property
    def overrides(self) -> tuple[str, ...]:
        return tuple(f"{self.path}={value}" for value in self.values)


@dataclass(frozen=True)
class Combination:
    """One experiment of a sweep."""

    name: str
    overrides: tuple[str, ...]
    """Of the base, everything that is set."""
    experiment: Experiment
    whole: str = ""
    """The experiment that this is one fold of; empty if it has all its folds."""


def axis(text: str) -> Axis:
    """`optim.lr=0.001,0.0005` as an axis. Raises UsageError."""
    path, equals, values = text.partition("=")
    found = tuple(value.strip() for value in _split(values))
    if not equals or not path.strip() or not all(found):
        raise UsageError(f'--grid "{text}" is not of the form path.to.value=VALUE,VALUE', hint="e.g. optim.lr=0.1,0.01")
    if twice := next((value for value in found if found.count(value) > 1), None):
        raise UsageError(f'--grid "{text}" names {twice} twice', hint="To run one config several times: --seeds 3")
    return Axis(path.strip(), found)


def axes(
    project: Project, experiment: Experiment, grid: Sequence[str], *, seeds: int | None, split: bool
) -> tuple[Axis, ...]:
    """The grid's axes, then the seeds, then the folds. Raises UsageError or ExperimentError."""
    found = [axis(text) for text in grid]
    settings = project.settings.sweep
    config = dict(leaves(experiment.config))
    if seeds is not None:
        first = config.get(setting_of(config, settings.seed, "seed"))
        if not isinstance(first, int):
            raise UsageError(f"{settings.seed} is {first!r}: --seeds needs one to count from")
        _check_count(seeds)
        found.append(Axis(settings.seed, tuple(str(first + number) for number in range(seeds)), "s"))
    if split:
        if settings.fold_count is None or settings.folds is None:
            raise UsageError(
                "--split-folds: the project does not say which settings divide a run by its folds",
                hint='In pyproject.toml: [tool.coord.sweep] fold_count = "folds.n", folds = "folds.run".',
            )
        count = config.get(setting_of(config, settings.fold_count, "fold_count"))
        chosen = config.get(setting_of(config, settings.folds, "folds"))
        if chosen:
            raise UsageError(f"--split-folds: {experiment.name} runs only the folds {chosen} ({settings.folds})")
        if any(each.path == settings.fold_count for each in found):
            raise UsageError(f"--split-folds needs one number of folds, and the grid varies {settings.fold_count}")
        if not isinstance(count, int) or count < 1:
            raise UsageError(f"--split-folds: {settings.fold_count} is {count!r}, not a number of folds")
        found.append(Axis(settings.folds, tuple(f"[{number}]" for number in range(count)), "f"))
    experiment = _with_first_values(project, experiment, found)
    found = [replace(each, path=_declared_path(experiment, each.path)) for each in found]
    paths = [each.path for each in found]
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"{path} is varied twice")
    if not found:
        raise UsageError(
            "a sweep of what? vary something", hint="--grid optim.lr=0.001,0.0005, --seeds 5, --split-folds"
        )
    return tuple(found)


def _with_first_values(project: Project, experiment: Experiment, varied: Sequence[Axis]) -> Experiment:
    """The experiment with an option of a group, or a sub-command, that the grid chooses: it may bring other values."""
    try:
        return resolve(project, experiment.name, (*experiment.overrides, *(each.overrides[0] for each in varied)))
    except ExperimentError:  # the axis that has the mistake is told below, or its value later
        return experiment


def _declared_path(experiment: Experiment, path: str) -> str:
    """The dotted path of a value that may be named by a short name. Raises UsageError."""
    try:
        return next(where for where, _ in leaves(assignment(experiment.declared, f"{path}=null")))
    except ValueError as error:
        near = [each for each, _ in leaves(experiment.config) if each.endswith(f".{path}")]
        hint = f"Its whole path: {' or '.join(near)}" if near else "coord show --exp NAME lists all settings."
        raise UsageError(f"--grid {error}", hint=hint) from None


def combinations(
    project: Project, start: Start, varied: Sequence[Axis], taken: Mapping[str, tuple[str, str, tuple[str, ...]]]
) -> list[Combination]:
    """Every combination of the axes' values, named. The last axis changes first.

    `taken` has each kernel address that is in use, with the name, the base and the overrides of its experiment: an
    experiment that is there already keeps its name. Raises ExperimentError or UsageError.
    """
    _check_count(math.prod(len(each.values) for each in varied))
    words = _words(varied)
    tail = sum(each.marker is not None for each in varied)
    split_by = project.settings.sweep.folds
    used = dict(taken)
    found: list[Combination] = []
    configs: dict[str, str] = {}
    for chosen in itertools.product(*(each.overrides for each in varied)):
        overrides = (*start.overrides, *chosen)
        try:
            experiment = derive(project, start.name, start.base, overrides)
        except ExperimentError as error:
            raise ExperimentError(error.what.replace("  --set: ", "  --grid: "), hint=error.hint) from None
        config = dict(leaves(experiment.config))
        parts = [f"{word}{_shown(config.get(each.path))}" for word, each in zip(words, varied, strict=True)]
        name = _named(start, parts, tail, experiment, overrides, used)
        same = configs.setdefault(json.dumps(experiment.config, sort_keys=True), name)
        if same != name:
            raise UsageError(f"{name} and {same} have the same config: a value is named twice")
        used[kernel_slug(experiment.kernel.title, name)] = (name, start.base, overrides)
        whole = ""
        if split_by is not None and varied[-1].path == split_by and varied[-1].marker:
            whole = start.name
            if parts[1:]:
                whole = _named(start, parts[:-1], tail - 1, experiment, overrides[:-1], used)
        found.append(Combination(name, overrides, derive(project, name, start.base, overrides), whole))
    return found


def sweep_name(start: Start, varied: Sequence[Axis]) -> str:
    """A sweep's default name: `base--lr-step-s5`."""
    words = [
        (f"{each.marker}{len(each.values)}" if each.marker else word)
        for word, each in zip(_words(varied), varied, strict=True)
    ]
    return _joined(start, [word.rstrip("=") for word in words])


def _check_count(count: int) -> None:
    if count > _MEMBERS_AT_MOST:
        raise UsageError(f"that is {count} experiments; coord makes at most {_MEMBERS_AT_MOST} at once")


def setting_of(config: Mapping[str, Any], path: str, name: str) -> str:
    """The path that a setting names. Raises ExperimentError, with the setting, if the config has no such value."""
    if path not in config:
        raise ExperimentError(
            f'[tool.coord.sweep] {name} = "{path}": the config has no such value{did_you_mean(path, config)}'
        )
    return path


def _split(values: str) -> list[str]:
    """Splits at the commas outside of brackets."""
    parts, depth = [""], 0
    for character in values:
        depth += (character in "[{(") - (character in "]})")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _words(varied: Sequence[Axis]) -> list[str]:
    """A word for each axis, all different: of `schedule.step_size` its `step`, else `stepsize`, else all of it."""
    forms = [
        [each.marker] * 3
        if each.marker
        else [
            each.path.rpartition(".")[2].split("_")[0],
            each.path.rpartition(".")[2].replace("_", ""),
            each.path.replace("_", ""),
        ]
        for each in varied
    ]
    words = [form[0] for form in forms]
    for longer in (1, 2):
        words = [form[longer] if words.count(word) > 1 else word for form, word in zip(forms, words, strict=True)]
    return words


def _shown(value: Any) -> str:
    """A value in a name. After text and after a minus the word needs an end: `name=adamw`, `lr=-1`."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    text = value if isinstance(value, str) else json.dumps(value)
    clean = re.sub(r"[^A-Za-z0-9.+-]+", ".", text).strip(".") or "empty"
    return clean if clean[0].isdigit() else f"={clean}"


def _joined(start: Start, parts: Sequence[str]) -> str:
    separator = "-" if "--" in start.name else "--"
    return start.name + separator + "-".join(parts)


def _named(
    start: Start,
    parts: Sequence[str],
    tail: int,
    experiment: Experiment,
    overrides: tuple[str, ...],
    used: Mapping[str, tuple[str, str, tuple[str, ...]]],
) -> str:
    """The name; if it is too long or taken, a digest replaces its end, except for the `tail`: seed and fold."""
    title = experiment.kernel.title
    name = _joined(start, parts)
    ours = (start.base, overrides)

    def fits(name: str) -> bool:
        there = used.get(kernel_slug(title, name))
        return len(kernel_title(title, name)) <= TITLE_MAX and (there is None or there == (name, *ours))

    if fits(name):
        return name
    kept = len(parts) - tail
    content = (start.base, overrides[: len(overrides) - tail])
    digest = hashlib.sha256(json.dumps(content).encode("utf-8", "replace")).hexdigest()[:_DIGEST]
    end = "-".join(["", digest, *parts[kept:]])
    room = TITLE_MAX - len(kernel_title(title, "")) - len(end)
    short = f"{_joined(start, parts[:kept])[: max(room, 1)].rstrip('-.=+_')}{end}"
    if not fits(short):
        room = TITLE_MAX - len(kernel_title(title, ""))
        raise ExperimentError(
            f'no name for "{name}": the title "{title}" has room for {room} characters',
            hint="Choose a shorter title in [tool.coord.kernel].",
        )
    return short
