"""The experiment or the run that a command is about: said in bare words, or with --exp, --version and --target."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

import click
import typer
from typer.models import ArgumentInfo

from coordinator.errors import CoordError, UsageError

if TYPE_CHECKING:
    from coordinator.ledger import RunName
    from coordinator.project import Project

P = ParamSpec("P")
R = TypeVar("R")

_SCHEMES = ("http://", "https://")
_WORDS = "words"
"""The parameter that gets the bare words."""


def takes_bare_name(function: Callable[P, R]) -> Callable[P, R]:
    """Gives a command with `--exp` an argument for the same: `coord push base` is `coord push --exp base`.

    What the words say of the version and the target (`base@local-v3`) replaces `--version` and `--target`. In a command
    that takes a config, such a name means what that run was pushed with. An argument that the command has itself is
    what follows the name: `coord note base TEXT`.
    """
    if "exp" not in function.__annotations__:
        return function
    signature = inspect.signature(function, eval_str=True)
    parameters = dict(signature.parameters)
    own = next((each for each in parameters.values() if _argument(each) is not None), None)
    exp = parameters["exp"]
    is_required = exp.default is inspect.Parameter.empty
    is_list = typing.get_origin(typing.get_args(exp.annotation)[0]) is list
    if is_required:
        (_, option) = typing.get_args(exp.annotation)
        parameters["exp"] = exp.replace(annotation=Annotated[str | None, option], default=None)
    if own is not None:
        del parameters[own.name]
    shown = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters.values()]

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        values: dict[str, Any] = dict(kwargs)
        words = values.pop(_WORDS, None) or []
        words = run_names(words) if own is None else joined_names([*at_pages(words[:1]), *words[1:]])
        if isinstance(values["exp"], str):
            (values["exp"],) = at_pages([values["exp"]])
        if is_list:
            values["exp"] = list(dict.fromkeys([*words, *at_pages(values["exp"])]))
        else:
            values["exp"], rest = _split(words, values["exp"], most=1 if own is None else 2)
            if own is not None:
                values[own.name] = _converted(own, rest)
        if is_required and values["exp"] is None:
            raise which_experiment()
        _resolve(values)
        return function(*args, **values)

    wrapped.__signature__ = signature.replace(parameters=[_bare(own, is_list=is_list), *shown])  # type: ignore[attr-defined]
    return wrapped


def which_experiment() -> UsageError:
    """The error of a command that needs one, with those that there are."""
    from coordinator.cli.common import this_project
    from coordinator.project import experiment_names

    known = ", ".join(experiment_names(this_project()))
    return UsageError(f"which experiment? {click.get_current_context().command_path} NAME", hint=f"Known: {known}")


def _argument(parameter: inspect.Parameter) -> ArgumentInfo | None:
    about = typing.get_args(parameter.annotation)[1:]
    return next((each for each in about if isinstance(each, ArgumentInfo)), None)


def _bare(own: inspect.Parameter | None, *, is_list: bool) -> inspect.Parameter:
    metavar, about = "[NAME]...", "Experiments, as with --exp; NAME@v3 is one of its runs."
    if not is_list:
        metavar, about = "[NAME]", "The experiment, as with --exp; NAME@v3 is one of its runs."
    if own is not None and (its := _argument(own)) is not None:
        metavar = f"[NAME] {its.metavar or f'[{own.name.upper()}]'}"
        about = f"The experiment (NAME@v3 is one of its runs). {its.help}"
    argument = typer.Argument(help=about, metavar=metavar, show_default=False)
    return inspect.Parameter(
        _WORDS, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[list[str] | None, argument]
    )


def _converted(own: inspect.Parameter, rest: str | None) -> Any:
    """The word as the type that the command declares: a text or a path."""
    kind = typing.get_args(own.annotation)[0]
    kinds = [each for each in typing.get_args(kind) or (kind,) if each is not type(None)]
    return None if rest is None else kinds[0](rest)


def run_names(words: Sequence[str]) -> list[str]:
    """The names in words that may be addresses of runs, or labels that were pasted from a table."""
    return joined_names(at_pages(words))


def at_pages(words: Sequence[str]) -> list[str]:
    """The words, with the name of a run in place of the address of its page."""
    if not any(word.startswith(_SCHEMES) for word in words):
        return list(words)
    from coordinator.cli.common import this_project
    from coordinator.ledger import Ledger, at_address

    with Ledger(this_project().ledger) as ledger:
        return [str(at_address(ledger, word)) if word.startswith(_SCHEMES) else word for word in words]


def joined_names(words: Sequence[str]) -> list[str]:
    """The words, where a label that was pasted from a table is one: `base local-v3`."""
    if len(words) < 2:
        return list(words)
    from coordinator.ledger import joined

    return joined(words, is_experiment=is_experiment, targets=target_names())


def target_names() -> tuple[str, ...]:
    """The targets of the project, or of every project where there is none."""
    from coordinator.cli.common import this_project
    from coordinator.project import Settings

    try:
        return this_project().settings.target_names
    except CoordError:
        return Settings().target_names


def is_experiment(word: str) -> bool:
    """Whether the project has an experiment's file of that name."""
    from coordinator.cli.common import this_project

    try:
        return this_project().experiment_file(word).is_file()
    except CoordError:
        return False


def _split(words: list[str], option: str | None, *, most: int) -> tuple[str | None, str | None]:
    """(experiment, what follows it, if two words may be given)."""
    if option is not None and (len(words) < most or words[:1] == [option]):
        words = [option, *(words[1:] if words[:1] == [option] else words)]
    if option is not None and words and words[0] != option:
        raise UsageError(f"{words[0]} and --exp {option}: which of the two?", hint="Leave one of them out.")
    if len(words) > most:
        given = " and ".join(words[most - 1 :])
        if option is not None and most == 1:
            raise UsageError(f"{words[1]} and --exp {option}: which of the two?", hint="Leave one of them out.")
        raise UsageError(
            f"{given}: {click.get_current_context().command_path} takes one of these",
            hint="Put a text of several words in quotes." if most > 1 else None,
        )
    return words[0] if words else None, words[1] if len(words) > 1 else None


def _resolve(values: dict[str, Any]) -> None:
    """Sets `exp`, `target` and `version` to what the name and the options say together, or the config's `sets`."""
    exp = values["exp"]
    names = [exp] if isinstance(exp, str) else exp or []
    if not any(mark in name for name in names for mark in "@/ "):
        return
    from coordinator.ledger import parse_run_name, recorded_only

    parsed = [parse_run_name(name) for name in names]
    if "version" in values:
        name = parsed[0].with_options(values["target"], values["version"])
        if name.is_recorded:
            raise recorded_only(name)
        values |= {"exp": name.experiment, "target": name.target, "version": name.version}
    elif "sets" in values or "grid" in values:
        _take_config(values, parsed)
    else:
        values["exp"] = [str(name) for name in parsed] if isinstance(exp, list) else str(parsed[0])


def _take_config(values: dict[str, Any], parsed: list[RunName]) -> None:
    """The names are configs: of an experiment's file, or of a run, which may have had overrides of its own."""
    from coordinator.cli.common import this_project
    from coordinator.cli.terminal import say

    if isinstance(values["exp"], list):
        values["exp"] = list(dict.fromkeys(name.experiment for name in parsed))
    else:
        values["exp"] = parsed[0].experiment
    for name in parsed:
        overrides = _overrides(this_project(), name)
        if not overrides:
            continue
        sets = " ".join(f"--set {each}" for each in overrides)
        if len(parsed) > 1 or "sets" not in values:
            raise UsageError(
                f"{name} was pushed with {sets}, which would not be so for all of this",
                hint=f"Name the experiment: {name.experiment}",
            )
        say(f"as {name} was pushed: {sets}")
        values["sets"] = [*overrides, *values["sets"]]


def _overrides(project: Project, name: RunName) -> list[str]:
    """What the run was pushed with beyond what its experiment is by its file or its sweep."""
    from coordinator.ledger import Ledger, find_named, swept

    if not name.is_run:
        return []
    with Ledger(project.ledger) as ledger:
        run = find_named(ledger, name)
    member = swept(project, run.experiment)
    return [each for each in run.overrides if member is None or each not in member.overrides]
