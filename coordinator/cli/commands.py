"""The classes of the commands: what `--help` shows beyond the options, and answers to what is misspelt or misplaced."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_from_info
from typer.models import CommandInfo

from coordinator.cli.manual import MANUAL, STAGES, TITLES, TOPICS

F = TypeVar("F", bound=Callable[..., Any])


class _Answering(click.Command):
    """Answers to an option that it does not have with one that was perhaps meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = tuple(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise _about_option(error, ctx, given) from None


class _Later:
    """Stands for the function of a command until somebody asks for its parameters: it has none itself.

    Typer reads the annotations of all functions of a program at its start, which took a third of the time of a short
    command. It has one command to do.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.__signature__ = inspect.Signature()  # and not that of __wrapped__
        self.__annotations__ = {}

    def __call__(self) -> None:
        raise AssertionError("the command was called before its parameters were read")


class CliCommand(_Answering, TyperCommand):
    """A command whose help ends with its examples. Its parameters are read when they are first asked for."""

    _given: list[click.Parameter]
    _function: Callable[..., Any] | None = None

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        stands_for = getattr(self.callback, "__wrapped__", None)
        if isinstance(stands_for, _Later):
            self._function = stands_for.__wrapped__  # type: ignore[attr-defined]

    @property
    def params(self) -> list[click.Parameter]:
        """What it takes."""
        function, self._function = self._function, None
        if function is not None:
            info = CommandInfo(self.name, cls=TyperCommand, callback=function)
            read = get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode=None)
            self._given, self.callback = read.params, read.callback
        return self._given

    @params.setter
    def params(self, given: list[click.Parameter]) -> None:
        self._given = given

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_manual(ctx, formatter)


class CliGroup(_Answering, TyperGroup):
    """A command with commands below it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and args[0] not in self.commands:
            from coordinator.cli.near_misses import no_command

            raise no_command(ctx, self, args)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """In one list; at the top by stage, in the order of the manual."""
        if ctx.parent is not None:
            super().format_commands(ctx, formatter)
            return
        names = {name for name, command in self.commands.items() if not command.hidden}
        width = max(map(len, names))
        limit = formatter.width - 6 - width
        for stage in STAGES:
            shown = [name for name, manual in MANUAL.items() if manual.stage == stage and name in names]
            with formatter.section(TITLES[stage]):
                formatter.write_dl(
                    [(name.ljust(width), self.commands[name].get_short_help_str(limit)) for name in shown]
                )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if ctx.parent is not None:
            _write_manual(ctx, formatter)
            return
        formatter.write_paragraph()
        formatter.write_text("coord help COMMAND shows examples of a command; coord help TOPIC explains a topic:")
        with formatter.indentation():
            formatter.write_text(", ".join(TOPICS))


class NamedGroup(CliGroup):
    """A group that takes an experiment, too: `coord sweep base --grid ...` beside `coord sweep status`."""

    _is_parsing = False

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The argument is in the help, but click must not give it the command's name.

        Nor is it a part of the lines of the commands below: a context of theirs asks for it, too.
        """
        found = super().get_params(ctx)
        is_left_out = self._is_parsing or ctx.command is not self
        return [each for each in found if not is_left_out or not isinstance(each, click.Argument)]

    def make_parser(self, ctx: click.Context) -> Any:
        self._is_parsing = True
        try:
            return super().make_parser(ctx)
        finally:
            self._is_parsing = False

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words, options = self._split(ctx, list(args))
        rest = super().parse_args(ctx, options)
        ctx.params.update({each.name: words for each in self.params if isinstance(each, click.Argument) and words})
        return rest

    def _split(self, ctx: click.Context, args: list[str]) -> tuple[list[str], list[str]]:
        """(words, the other arguments). The first word may be a command: everything behind it is that command's."""
        words: list[str] = []
        while True:
            try:
                _, rest, _ = self.make_parser(ctx).parse_args(list(args))
            except click.UsageError:  # super() says it
                return words, args
            if not rest or (not words and (rest[0] in self.commands or self._is_misspelt(rest[0]))):
                return words, args
            words.append(rest[0])
            args = [*args[: -len(rest)], *rest[1:]]

    def _is_misspelt(self, word: str) -> bool:
        return bool(difflib.get_close_matches(word, self.commands, cutoff=0.75))


class App(typer.Typer):
    """Commands of these classes, with plain help and errors."""

    def __init__(self, **settings: Any) -> None:
        # Rich's help and errors are longer, and take longer to import than the commands.
        super().__init__(**{"cls": CliGroup, "rich_markup_mode": None, **settings})

    def command(self, name: str | None = None, **settings: Any) -> Callable[[F], F]:
        register = super().command(name, **{"cls": CliCommand, **settings})

        def registered(function: F) -> F:
            register(_Later(function))
            return function

        return registered


def manual_path(ctx: click.Context) -> str:
    """The command's words below the program: `sweep status`."""
    words: list[str] = []
    while ctx.parent is not None:
        words.insert(0, ctx.info_name or "")
        ctx = ctx.parent
    return " ".join(words)


def _about_option(error: click.NoSuchOption, ctx: click.Context, args: Sequence[str]) -> click.UsageError:
    from coordinator.cli.near_misses import no_option

    return no_option(error, ctx, args)


def _write_manual(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    manual = MANUAL.get(manual_path(ctx))
    if manual is None:
        return
    with formatter.section("Examples"):
        formatter.write("".join(f"{'':{formatter.current_indent}}{line}\n" for line in manual.examples))
    formatter.write_paragraph()
    formatter.write_text(f"More: {manual.page}")
