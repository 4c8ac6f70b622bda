"""Reads a program's argparse flags from its source, without running it.

It follows the program from the entry on: functions and classes whose names the running code has, in all local modules,
with the parsers that they are given. What only the running program knows (computed names of flags, a library's
parsers) raises Computed; a computed default is the program's own.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from coordinator.errors import ProjectError
from coordinator.project.declaration.argparse_option import option_of
from coordinator.project.declaration.options import Option, Options
from coordinator.project.declaration.sources import Computed, SourceModule, sources_of
from coordinator.project.project import Project

_ASKED = ("HfArgumentParser", "click", "typer", "simple_parsing", "tap")
"""Libraries and classes that make a program's flags of something else, and can be asked for them."""


@dataclass(eq=False)
class _Parser:
    options: dict[int, Option] = field(default_factory=dict)
    parents: list[_Parser] = field(default_factory=list)
    commands: list[_Commands] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class _Commands:
    """What add_subparsers makes."""

    dest: str
    where: str
    parsers: dict[str, _Parser] = field(default_factory=dict)


@dataclass(eq=False)
class _Adder:
    """A parser's add_argument under a name of its own: `arg = parser.add_argument`."""

    parser: _Parser


_Handle = _Parser | _Commands | _Adder
_Env = dict[str, _Handle]


def read_flags(project: Project, entry: str) -> Options:
    """Raises ProjectError if the entry cannot be read, Computed if its flags cannot be told without running it."""
    top, found = sources_of(project, entry)
    reader = _Reader(top)
    options = _options_of(reader.root())
    if not options.options and not options.commands:
        named = {name for source in found.values() for name in _names(source)}
        other = next((each for each in _ASKED if each in named), None)
        if other is None and entry != project.settings.entry:
            return options  # an experiment's own program, such as one that predicts, may take nothing
        if other is None:  # a program that parses nothing would just run
            raise ProjectError(
                f"{project.said('config', 'argparse')}: {top.name} has no flags of argparse, click or Typer",
                hint="Name its config files, or leave config out: the base experiment declares the config then.",
            )
        raise Computed(f"{top.name}: its flags are made by {other}")
    return options


def _names(source: SourceModule) -> set[str]:
    found = {
        alias.name.partition(".")[0]
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").partition(".")[0], *(alias.name for alias in node.names)}
    return found


def _options_of(parser: _Parser) -> Options:
    options: dict[str, Option] = {}
    for each in (*parser.parents, parser):
        for option in each.options.values():
            options[option.name] = _combined(options.get(option.name), option)
    if len(parser.commands) > 1:
        raise Computed("a parser has two groups of sub-commands")
    defaults = {name: value for each in (*parser.parents, parser) for name, value in each.defaults.items()}
    if not parser.commands:
        return Options(tuple(options.values()), defaults=defaults)
    (commands,) = parser.commands
    below = {name: _options_of(each) for name, each in commands.parsers.items()}
    return Options(tuple(options.values()), below, commands.dest, commands.where, defaults)


def _combined(first: Option | None, option: Option) -> Option:
    """`--amp` and `--no-amp`, which set one value, as one option; otherwise the first of a name."""
    if first is None:
        return option
    if first.kind == option.kind == "switch":
        return replace(first, flags=first.flags or option.flags, off=first.off or option.off)
    return first


class _Reader:
    def __init__(self, top: SourceModule) -> None:
        self._made: list[_Parser] = []
        self._else = _Parser()
        """Takes the options of parsers that come from where they were not seen to be made: there is only one."""
        self._seen: dict[tuple[int, tuple[tuple[str, int], ...]], _Handle | None] = {}
        self._envs: dict[SourceModule, _Env] = {}
        self._top = top
        self._module(top)

    def root(self) -> _Parser:
        """All parsers that are no parents or sub-commands of others, as one."""
        inner = {id(each) for parser in self._made for each in parser.parents}
        found = _Parser()
        for parser in (*self._made, self._else):
            if id(parser) not in inner:
                found.parents.append(parser)
                found.parents[:0] = parser.parents
                found.commands += parser.commands
        return found

    def _module(self, source: SourceModule) -> _Env:
        """Runs a module's top level, once."""
        if source not in self._envs:
            env = self._envs[source] = {}
            for module, _ in source.imported.values():
                self._module(module)
            for star in source.stars:
                self._module(star)
            self._block(source.tree.body, source, env)
        return self._envs[source]

    def _block(self, body: list[ast.stmt], source: SourceModule, env: _Env, *, inside: bool = False) -> _Handle | None:
        """Follows statements in their order; gives the parser that they return, if they return one."""
        returned: _Handle | None = None
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                if inside:  # a function in a function: only its surroundings know its name
                    self._block(statement.body, source, dict(env), inside=True)
            elif isinstance(statement, ast.ClassDef):
                continue
            elif isinstance(statement, ast.Return):
                returned = self._expression(statement.value, source, env) or returned
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                handle = self._expression(statement.value, source, env)
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                for target in targets:
                    if handle is not None:
                        env[ast.unparse(target)] = handle
            elif isinstance(statement, ast.If) and _is_main(statement.test) and source is not self._top:
                continue
            else:
                for _, value in ast.iter_fields(statement):
                    for each in value if isinstance(value, list) else [value]:
                        if isinstance(each, ast.stmt):
                            returned = self._block([each], source, env, inside=inside) or returned
                        elif isinstance(each, ast.ExceptHandler | ast.match_case):
                            returned = self._block(each.body, source, env, inside=inside) or returned
                        elif isinstance(each, ast.withitem):
                            self._expression(each.context_expr, source, env)
                        elif isinstance(each, ast.expr):
                            self._expression(each, source, env)
        return returned

    def _expression(self, node: ast.AST | None, source: SourceModule, env: _Env) -> _Handle | None:
        """Follows what an expression calls or names; gives the parser that it is, if it is one."""
        if isinstance(node, ast.Call):
            return self._call(node, source, env)
        if isinstance(node, ast.Name | ast.Attribute):
            handle = env.get(ast.unparse(node)) or self._module(source).get(ast.unparse(node))
            if handle is not None:
                return handle
            if isinstance(node, ast.Attribute) and node.attr == "add_argument":
                receiver = self._expression(node.value, source, env)
                return _Adder(receiver if isinstance(receiver, _Parser) else self._else)
            found = source.resolve(node)
            if found is not None and not isinstance(found[1], ast.expr):
                self._definition(found[0], found[1], {})
            elif isinstance(node, ast.Attribute):
                module, there = source.imported.get(ast.unparse(node.value), (None, ""))
                if module is not None and not there:
                    return self._module(module).get(node.attr)
                self._expression(node.value, source, env)
            elif node.id in source.imported:
                module, there = source.imported[node.id]
                return self._module(module).get(there)
            return None
        for child in ast.iter_child_nodes(node) if node is not None else ():
            self._expression(child, source, env)
        return None

    def _call(self, node: ast.Call, source: SourceModule, env: _Env) -> _Handle | None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        keywords = {each.arg: each.value for each in node.keywords if each.arg}
        if name in ("ArgumentParser", "HfArgumentParser", "ArgParser"):
            if name == "HfArgumentParser":
                raise Computed(f"{source.place(node)}: HfArgumentParser makes flags of dataclasses")
            parser = _Parser(parents=self._parsers(keywords.get("parents"), source, env))
            self._made.append(parser)
            return parser
        if isinstance(node.func, ast.Attribute):
            if name in (
                "add_argument",
                "add_argument_group",
                "add_mutually_exclusive_group",
                "add_subparsers",
                "set_defaults",
            ):
                receiver = self._expression(node.func.value, source, env)
                parser = receiver if isinstance(receiver, _Parser) else self._else
                return self._of_parser(name, node, keywords, source, parser)
            if name == "add_parser":
                receiver = self._expression(node.func.value, source, env)
                if not isinstance(receiver, _Commands) or not node.args:
                    raise Computed(f"{source.place(node)}: a sub-command of a parser that is made elsewhere")
                parents = self._parsers(keywords.get("parents"), source, env)
                command = _Parser(parents=parents)
                receiver.parsers[str(source.value(node.args[0]))] = command
                return command
        elif isinstance(adder := env.get(name) or self._module(source).get(name), _Adder):
            return self._of_parser("add_argument", node, keywords, source, adder.parser)
        arguments = [self._expression(each, source, env) for each in node.args]
        named = {name: self._expression(each, source, env) for name, each in keywords.items()}
        for each in node.keywords:
            if each.arg is None:
                self._expression(each.value, source, env)
        found = source.resolve(node.func)
        if found is None or isinstance(found[1], ast.expr):
            self._expression(node.func, source, env)
            return None
        bound = {} if isinstance(found[1], ast.ClassDef) else _bound(found[1], arguments, named)
        return self._definition(found[0], found[1], bound)

    def _of_parser(
        self, name: str, node: ast.Call, keywords: Mapping[str, ast.expr], source: SourceModule, parser: _Parser
    ) -> _Handle | None:
        if name == "add_argument":
            if (option := option_of(node, source)) is not None:
                parser.options[id(node)] = option
            return None
        if name == "set_defaults":
            for key, value in keywords.items():
                try:
                    parser.defaults[key] = source.value(value)
                except Computed:  # set_defaults(func=train) chooses code, and is no value
                    continue
            return None
        if name == "add_subparsers":
            dest = source.value(keywords["dest"]) if "dest" in keywords else None
            commands = _Commands(str(dest or "command"), source.place(node))
            parser.commands.append(commands)
            return commands
        return parser

    def _parsers(self, node: ast.expr | None, source: SourceModule, env: _Env) -> list[_Parser]:
        if node is None:
            return []
        items = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
        found = [self._expression(each, source, env) for each in items]
        if not all(isinstance(each, _Parser) for each in found):
            raise Computed(f"{source.place(node)}: parents of a parser that are made elsewhere")
        return [parent for each in found if isinstance(each, _Parser) for parent in (*each.parents, each)]

    def _definition(self, source: SourceModule, node: ast.AST, bound: _Env) -> _Handle | None:
        """Follows a function, or all methods of a class and its bases, once for each set of parsers it is given."""
        self._module(source)
        key = (id(node), tuple(sorted((name, id(handle)) for name, handle in bound.items())))
        if key in self._seen:
            return self._seen[key]
        self._seen[key] = None
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                self._expression(base, source, {})
            own: _Env = {}
            for method in node.body:
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                    self._block(method.body, source, own, inside=True)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self._seen[key] = self._block(node.body, source, dict(bound), inside=True)
        return self._seen[key]


def _bound(function: ast.AST, arguments: list[_Handle | None], named: Mapping[str, _Handle | None]) -> _Env:
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return {}
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    found = {name: handle for name, handle in zip(names, arguments, strict=False) if handle is not None}
    return found | {name: handle for name, handle in named.items() if handle is not None}


def _is_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and "__name__" in ast.unparse(test)
