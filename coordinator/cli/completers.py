"""What can stand at a place of a command line, from the project of the folder and its ledger.

Loaded for a completion only. An error gives no completions: a shell has no place for messages there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from coordinator.ledger import Ledger
    from coordinator.project import Project

Items = Iterable[tuple[str, str]]
"""Pairs of a value and what it is; a value that ends with `=` goes on."""
_RUNS = 30


class Completions(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.4 on
    """In place of a parameter's own type, while a line is completed."""

    name = "completions"

    def __init__(self, source: Callable[[click.Context, str], Items], kept: click.ParamType[Any]) -> None:
        self._source, self._kept = source, kept

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return self._kept.convert(value, param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        found: list[CompletionItem[str]] = []
        with contextlib.suppress(Exception):
            for value, about in self._source(ctx, incomplete):
                if value.startswith(incomplete):
                    kind = "open" if value.endswith("=") else "plain"
                    found.append(CompletionItem(value, type=kind, help=" ".join(about.split()) or None))
        own = [] if found else self._kept.shell_complete(ctx, param, incomplete)
        return found or [each for each in own if each.type in ("file", "dir")]


def prepare(command: click.Command, path: tuple[str, ...] = ()) -> None:
    """Gives the parameters of all commands the completions of their names."""
    for param in command.params:
        source = _BY_COMMAND.get((*path, param.name or "")) or _BY_NAME.get(param.name or "")
        if source is not None and param.type.name != "boolean":
            param.type = Completions(source, param.type)
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            prepare(each, (*path, name))


def _project(ctx: click.Context) -> Project:
    from coordinator.project import find_project

    folder = ctx.find_root().params.get("project")
    return find_project(Path(folder) if folder else None)


@contextlib.contextmanager
def _ledger(ctx: click.Context) -> Iterator[Ledger | None]:
    """None if nothing was recorded so far; nothing is made for a completion."""
    from coordinator.ledger import Ledger

    project = _project(ctx)
    if not project.ledger.is_file():
        yield None
        return
    with Ledger(project.ledger) as ledger:
        yield ledger


def _experiments(ctx: click.Context, _: str = "") -> Items:
    from coordinator.project import experiment_names

    with contextlib.suppress(Exception):
        yield from ((name, "experiment") for name in experiment_names(_project(ctx)))


def _runs(ctx: click.Context, incomplete: str) -> Items:
    """The newest ones, newest first; with the name of an experiment before the `@` typed, its own."""
    from coordinator.ledger import RunName

    with _ledger(ctx) as ledger:
        runs = ledger.runs() if ledger is not None else []
    names = [
        (str(RunName(run.experiment, run.target, run.version)), f"{run.state}, {run.created_at[:16].replace('T', ' ')}")
        for run in runs
        if run.version is not None
    ]
    yield from list(dict(each for each in names if each[0].startswith(incomplete)).items())[:_RUNS]


def _ran(ctx: click.Context) -> Items:
    """The experiments that have runs: members of sweeps, too."""
    with _ledger(ctx) as ledger:
        yield from dict.fromkeys((run.experiment, "has runs") for run in (ledger.runs() if ledger is not None else []))


def _names(ctx: click.Context, incomplete: str) -> Items:
    """Experiments, and where the command is about a run, runs."""
    params = {each.name for each in ctx.command.params}
    exp = ctx.params.get("exp") or ()
    given = [*(ctx.params.get("words") or ()), *([exp] if isinstance(exp, str) else exp)]
    is_many = any(each.name == "exp" and each.multiple for each in ctx.command.params if isinstance(each, click.Option))
    if given and not is_many and "words" in params:
        return  # the experiment is there: what follows is a text, or nothing
    takes_config = "sets" in params or "grid" in params
    if isinstance(ctx.command, click.Group) and not given:  # `coord sweep status`
        yield from ((name, each.get_short_help_str()) for name, each in ctx.command.commands.items())
    found = dict(_experiments(ctx))
    if not takes_config:
        found |= {name: about for name, about in _ran(ctx) if name not in found}
    yield from ((name, about) for name, about in found.items() if name not in given)
    if "@" in incomplete or not takes_config:
        yield from _runs(ctx, incomplete)


def _compared(ctx: click.Context, incomplete: str) -> Items:
    yield from dict([*_experiments(ctx), *_ran(ctx)]).items()
    yield from _runs(ctx, incomplete)


def _sweeps(ctx: click.Context, _: str) -> Items:
    from coordinator.ledger import all_sweeps

    with _ledger(ctx) as ledger:
        if ledger is not None:
            yield from ((each.name, f"{len(each.members)} experiments") for each in all_sweeps(ledger))


def _settings(ctx: click.Context, incomplete: str) -> Items:
    """The config's paths, or after the `=` the value that counts now."""
    from coordinator.ledger import find_experiment
    from coordinator.project import experiment_names

    project = _project(ctx)
    named = ctx.params.get("words") or ctx.params.get("exp") or experiment_names(project)[:1]
    name = named if isinstance(named, str) else named[0]
    config = dict(_leaves(find_experiment(project, name.partition("@")[0]).config))
    path, equals, _ = incomplete.partition("=")
    if equals:
        values = ["true", "false"] if isinstance(config.get(path), bool) else [_text(config[path])]
        yield from ((f"{path}={value}", "") for value in values)
        return
    yield from ((f"{path}=", f"now {_text(value)}") for path, value in config.items())


def _leaves(config: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _text(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _targets(ctx: click.Context, _: str) -> Items:
    from coordinator.project import Settings
    from coordinator.target import said_kind

    settings = Settings()
    with contextlib.suppress(Exception):
        settings = _project(ctx).settings
    yield from ((name, said_kind(settings, name)) for name in settings.target_names)


def _states(_: click.Context, __: str) -> Items:
    from coordinator.target import RunState

    yield from ((state, "") for state in RunState)


def _tags(ctx: click.Context, _: str) -> Items:
    from coordinator.ledger import remarks_of

    with _ledger(ctx) as ledger:
        found = remarks_of(ledger, kind="tag") if ledger is not None else []
    yield from dict.fromkeys((each.text, "tag") for each in found)


def _datasets(ctx: click.Context, _: str) -> Items:
    from coordinator.ledger import dataset_versions

    with _ledger(ctx) as ledger:
        found = dataset_versions(ledger) if ledger is not None else []
    yield from dict.fromkeys((each.reference, "data set") for each in found)


def _explained(ctx: click.Context, _: str) -> Items:
    from coordinator.cli.manual import TOPICS

    group: click.Command = ctx.find_root().command
    for word in ctx.params.get("words") or ():
        group = group.commands[word] if isinstance(group, click.Group) else group
    if isinstance(group, click.Group):
        yield from ((name, each.get_short_help_str()) for name, each in group.commands.items())
    if not ctx.params.get("words"):
        yield from ((name, "topic") for name in TOPICS)


_BY_NAME: dict[str, Callable[[click.Context, str], Items]] = {
    "exp": _names,
    "words": _names,
    "sets": _settings,
    "grid": _settings,
    "target": _targets,
}
_BY_COMMAND: dict[tuple[str, ...], Callable[[click.Context, str], Items]] = {
    ("compare", "names"): _compared,
    ("report", "baseline"): _compared,
    ("hide", "names"): _runs,
    ("rm", "names"): _runs,
    ("runs", "state"): _states,
    ("runs", "tag"): _tags,
    ("sweep", "status", "name"): _sweeps,
    ("sweep", "resume", "name"): _sweeps,
    ("sweep", "merge", "name"): _sweeps,
    ("data", "push", "reference"): _datasets,
    ("data", "status", "reference"): _datasets,
    ("data", "fetch", "reference"): _datasets,
    ("help", "words"): _explained,
    ("image", "refresh", "run"): _names,
}
