"""Hydra's config folder as a declaration: the composed values, and under `defaults` the option of each group.

In Hydra `optimizer=sgd` chooses an option and `optimizer.lr=0.1` sets a value. Here, too; in the resolved config the
option stands under `defaults.optimizer`, which no composed config can have, because Hydra takes that name for itself.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from coordinator.errors import ProjectError, did_you_mean
from coordinator.project.declaration.compose import Composed, compose
from coordinator.project.declaration.config_files import parsed
from coordinator.project.declaration.from_values import MISSING, defaults_of, section_of
from coordinator.project.project import Project
from coordinator.project.section import REQUIRED, ChoiceError, Field, Section
from coordinator.project.settings import HYDRA
from coordinator.project.values import json_like, plain

CHOICES = "defaults"


def hydra_declaration(
    project: Project, layers: Sequence[Mapping[str, Any]], overrides: Sequence[str]
) -> tuple[Section, dict[str, Any]]:
    """The declaration with the options that the layers and `--set` choose, and how it is delivered.

    Raises ProjectError if the folder or the composition has a problem, ChoiceError for an option that there is not.
    """
    setting = str(project.settings.config)
    folder_name, _, name = setting.removeprefix(HYDRA).removesuffix(".yaml").rpartition("/")
    folder = project.root / folder_name
    if not (folder / f"{name}.yaml").is_file():
        near = did_you_mean(name, [each.stem for each in folder.glob("*.yaml")])
        raise ProjectError(f"{project.said('config', setting)}: there is no {folder_name or '.'}/{name}.yaml{near}")
    groups = dict(_groups(folder))
    usual = _composed(folder, name, {})
    chosen = _chosen(layers, overrides, {*groups, *_without_dots(usual.choices)})
    for group, option in chosen.items():
        options = groups.get(group.partition("@")[0], [])
        for each in option if isinstance(option, list) else [option]:
            if each is not None and each not in options:
                raise ChoiceError(
                    group, f'there is no "{each}" in {folder_name}/{group}{did_you_mean(str(each), options)}'
                )
    found = _composed(folder, name, chosen) if chosen else usual
    listed = _composed(folder, name, {group: chosen[group] for group in chosen if group in usual.choices})
    place = f"{folder_name}/{name}.yaml".lstrip("/")
    known = _without_dots({**dict.fromkeys(sorted(groups)), **usual.choices, **found.choices})
    fields = {
        group: Field(
            _option_type(groups.get(group.partition("@")[0], []), usual.choices.get(group)),
            REQUIRED if default == MISSING else default,
            where=place,
        )
        for group, default in known.items()
    }
    values = section_of(found.values, lambda _: place)
    declared = Section(
        {CHOICES: Section(fields), **values.entries} if fields else values.entries,
        {group: f"{CHOICES}.{group}" for group in fields},
    )
    # Options of groups are given where they differ from what Hydra takes by itself, if that has the group in its lists.
    usually = {group: {**listed.choices, **usual.choices}.get(group) for group in fields}
    added = [group for group in fields if group not in usual.choices and group not in listed.choices]
    return declared, {"kind": "hydra", "defaults": {CHOICES: usually, **defaults_of(values)}, "added": added}


def _without_dots(choices: Mapping[str, Any]) -> dict[str, Any]:
    """A group for a package inside of another has a dot in its name, which would be taken for a path."""
    return {group: option for group, option in choices.items() if "." not in group}


def _option_type(options: Sequence[str], usual: Any) -> Any:
    one: Any = Literal[tuple(options)] if options else str
    return list[one] if isinstance(usual, list) else one | None


def _groups(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Each group, with its options."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and (options := sorted(each.stem for each in path.glob("*.yaml"))):
            name = path.relative_to(folder).as_posix()
            if name.partition("/")[0] != "hydra":
                yield name, options


def _chosen(layers: Sequence[Mapping[str, Any]], overrides: Sequence[str], groups: set[str]) -> dict[str, Any]:
    """The options that are chosen, the last of each group: `optimizer: sgd`, `defaults: {optimizer: sgd}`, `--set`."""
    found: dict[str, Any] = {}
    for layer in map(plain, layers):
        given = layer.get(CHOICES)
        found |= {key: value for key, value in layer.items() if key in groups and not isinstance(value, Mapping)}
        found |= {key: value for key, value in given.items() if key in groups} if isinstance(given, Mapping) else {}
    for text in overrides:
        path, _, value = text.partition("=")
        group = path.strip().removeprefix(f"{CHOICES}.")
        if group in groups:
            found[group] = None if value.strip() in ("null", "~") else _option(value.strip())
    return found


def _option(text: str) -> Any:
    return [each.strip() for each in text[1:-1].split(",") if each.strip()] if text.startswith("[") else text


def _composed(folder: Path, name: str, chosen: Mapping[str, Any]) -> Composed:
    changed = tuple((str(path), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*.yaml")))
    words = tuple((group, tuple(each) if isinstance(each, list) else each) for group, each in chosen.items())
    return _remembered(folder, name, words, changed)


@functools.lru_cache(maxsize=64)
def _remembered(folder: Path, name: str, words: tuple[tuple[str, Any], ...], _changed: Any) -> Composed:
    chosen = {group: list(each) if isinstance(each, tuple) else each for group, each in words}
    if importlib.util.find_spec("hydra") is not None:
        try:
            return _by_hydra(folder, name, chosen)
        except _MissingOption:  # Hydra composes nothing then; what there is to choose has to be known all the same
            pass
    return compose(folder, name, chosen, lambda file: parsed(file, str(file)).values)


class _MissingOption(Exception):
    """An option that has to be chosen, `optimizer: ???`, is not."""


def _by_hydra(folder: Path, name: str, chosen: Mapping[str, Any]) -> Composed:
    from hydra import compose as hydra_compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    def composed(words: list[str]) -> Any:
        return hydra_compose(config_name=name, overrides=words, return_hydra_config=True)

    def word(group: str, known: Mapping[str, Any]) -> str:
        option = chosen[group]
        if option is None:
            return f"~{group}"
        text = f"[{','.join(map(str, option))}]" if isinstance(option, list) else str(option)
        return f"{'' if group in known else '+'}{group}={text}"

    before = GlobalHydra.instance().hydra
    try:
        with initialize_config_dir(config_dir=str(folder), version_base=None):
            found = composed([])
            words: list[str] = []
            # An option may bring groups of its own, which are known only then.
            for _ in chosen:
                known = found.hydra.runtime.choices
                more = [word(group, known) for group in chosen if group in known and word(group, known) not in words]
                if not more:
                    break
                words += more
                found = composed(words)
            known = found.hydra.runtime.choices
            rest = [word(group, known) for group in chosen if group not in known and chosen[group] is not None]
            if rest:
                found = composed(words + rest)
            values = OmegaConf.to_container(found, resolve=False)
            choices = OmegaConf.to_container(found.hydra.runtime.choices)
    except Exception as error:  # Hydra has many kinds of errors, and each says what is wrong in its first line
        if str(error).startswith("You must specify"):
            raise _MissingOption from None
        raise ProjectError(f"{folder.name}/{name}.yaml: Hydra says: {str(error).partition(chr(10))[0]}") from error
    finally:
        GlobalHydra.instance().hydra = before
    if not isinstance(values, dict) or not isinstance(choices, dict):
        raise ProjectError(f"{folder.name}/{name}.yaml is not a mapping")
    values.pop("hydra", None)
    return Composed(json_like(values), {str(k): v for k, v in choices.items() if not str(k).startswith("hydra/")})
