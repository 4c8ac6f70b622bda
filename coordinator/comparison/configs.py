"""What identifies a config: all of its values except the seeds."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import Any

from coordinator.ledger import Run
from coordinator.project import Project, leaves

_REPEAT = "repeat"  # the number of seeds that one run trains with: see model_src/config.py
_MARK = "\\u0000"  # as JSON has it: no text of a config begins with this character
sorted_json = json.JSONEncoder(sort_keys=True).encode  # json.dumps would make an encoder for each config


def without_seed(project: Project, config: dict[str, Any]) -> dict[str, Any]:
    """The config's values by dotted path, without the seeds: what `sweep.seed` names, and every value named seed."""
    return _without(project.settings.sweep.seed, config)


def _without(seed: str, config: dict[str, Any]) -> dict[str, Any]:
    seeds = {seed, _REPEAT}
    return {
        path: value
        for path, value in leaves(config)
        if path not in seeds and path != "seed" and not path.endswith(".seed")
    }


def key_of(project: Project, run: Run) -> str:
    """A text that is equal for runs whose configs differ in their seeds only."""
    form, _ = _read(project, run)
    return form.key if form is not None else sorted_json(without_seed(project, run.config))


def seed_of(project: Project, run: Run) -> int | None:
    """The seed of the run, by its config; None if that has no whole number there."""
    form, numbers = _read(project, run)
    if form is None or form.seed_at is None:
        found = _value_at(project.settings.sweep.seed, run.config) if form is None else form.seed
        return found if isinstance(found, int) else None
    return int(numbers[form.seed_at])


def _value_at(wanted: str, config: dict[str, Any]) -> Any:
    found = [value for path, value in leaves(config) if path == wanted]
    return found[-1] if found else None


@dataclass(frozen=True)
class _Form:
    """What configs have in common whose texts differ in numbers only that are no part of their identity."""

    key: str
    seed: Any
    seed_at: int | None
    """Which of the numbers is the seed; None if none of them is, so that all have the value above."""


def _read(project: Project, run: Run) -> tuple[_Form | None, list[str]]:
    """The form of a run's config, and its numbers. Of thousands of runs, only a config of each form is parsed."""
    seed = project.settings.sweep.seed
    parts = _numbers(seed).split(run.config_text)
    return _form(seed, tuple(parts[::3]), tuple(parts[1::3])), parts[2::3]


@functools.lru_cache(maxsize=16)
def _numbers(seed: str) -> re.Pattern[str]:
    """Splits the text of a config into texts, names of seeds, and the whole numbers behind these names."""
    names = "|".join(map(re.escape, sorted({"seed", _REPEAT, seed.rpartition(".")[2]})))
    return re.compile(rf'("(?:{names})": )(-?\d{{1,18}})(?=[,}}])')


@functools.lru_cache(maxsize=4096)
def _form(seed: str, texts: tuple[str, ...], names: tuple[str, ...]) -> _Form | None:
    """The form of configs of these texts around the numbers; None if one of the numbers counts: say, one in a list."""
    places = enumerate(zip(names, texts[1:], strict=True))
    config = json.loads(texts[0] + "".join(f'{name}"{_MARK}{at}"{behind}' for at, (name, behind) in places))
    key = sorted_json(_without(seed, config))
    if _MARK in key:
        return None
    value = _value_at(seed, config)
    if isinstance(value, str) and value.startswith(json.loads(f'"{_MARK}"')):
        return _Form(key, None, int(value[1:]))
    return _Form(key, value, None)


def attached(project: Project, config: dict[str, Any]) -> tuple[str, ...]:
    """The data that a config reads: its values at the paths that the project's setting `attached` names.

    The kernel that a run continues is not part of it: only a checkpoint is read from there.
    """
    values = without_seed(project, config)
    paths = (path for path in project.settings.attached if path != project.settings.continue_setting)
    return tuple(str(values.get(path) or "") for path in paths)
