"""Runs a program up to where it parses its arguments, and writes down which it has: `parser_probe.py OUTPUT ENTRY ...`.

It runs in the project's own Python, where coord is not installed, and uses the standard library only. argparse covers
HfArgumentParser; click covers Typer.
"""

import argparse
import enum
import json
import os
import runpy
import sys
import typing
from pathlib import Path

_COMPLETION = ("install_completion", "show_completion")
"""Options that Typer adds."""


def _json(value: object) -> "dict[str, object]":
    try:
        return {"default": json.loads(json.dumps(value, allow_nan=False))}
    except (TypeError, ValueError):
        inner = getattr(value, "value", None)  # of an Enum
        return {"default": inner} if isinstance(inner, str | int | float) else {"own": True}


def _type_name(convert: object, default: object) -> str:
    name = getattr(convert, "__name__", type(convert).__name__).lower()
    if "bool" in name:
        return "bool"
    if convert is None:
        return type(default).__name__ if isinstance(default, int | float | str) else "str"
    return next((each for each in ("int", "float", "str") if each in name), "str" if name == "path" else "any")


def _action(action: argparse.Action) -> "dict[str, object]":
    kind = type(action).__name__
    found: dict[str, object] = {
        "name": action.dest,
        "flags": list(action.option_strings),
        "required": bool(action.required),
        "help": "" if action.help in (None, argparse.SUPPRESS) else str(action.help),
        "type": _type_name(action.type, action.default),
        "words": ["True", ""] if action.type is bool else ["true", "false"],
        **_json(None if action.default is argparse.SUPPRESS else action.default),
    }
    if action.choices is not None:
        found["choices"] = _json(list(action.choices)).get("default")
    if kind in ("_StoreTrueAction", "_StoreFalseAction", "BooleanOptionalAction"):
        off = [each for each in action.option_strings if kind == "_StoreFalseAction" or each.startswith("--no-")]
        on = [each for each in action.option_strings if each not in off]
        return {**found, "kind": "switch", "type": "bool", "flags": on, "off": (off or [""])[0]}
    if kind == "_CountAction":
        return {**found, "kind": "count", "type": "int"}
    is_list = action.nargs in ("+", "*", "...") or kind in ("_AppendAction", "_ExtendAction")
    shape = "repeated" if kind == "_AppendAction" else "list" if is_list else "value"
    if not action.option_strings:
        shape = "positional"
    return {
        **found,
        "kind": shape,
        "is_list": is_list,
        "length": action.nargs if isinstance(action.nargs, int) else None,
    }


def described(parser: argparse.ArgumentParser) -> "dict[str, object]":
    """The parser's options and sub-commands, as JSON-like data."""
    options, commands = [], {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            below = {name: described(each) for name, each in action.choices.items()}
            commands = {"command": "command" if action.dest == argparse.SUPPRESS else action.dest, "commands": below}
        elif type(action).__name__ not in ("_HelpAction", "_VersionAction"):
            options.append(_action(action))
    return {"options": options, **commands}


def _click_type(parameter: object) -> "tuple[str, list[typing.Any]]":
    """The name of a parameter's type, and its choices."""
    bare = getattr(parameter, "bare_type", None)  # of Typer since 0.26, which has no types of click's
    if isinstance(bare, type):
        kinds = (bare, type(getattr(parameter, "default", None)))
        choices = next((list(each) for each in kinds if issubclass(each, enum.Enum)), [])
        return {int: "int", float: "float", bool: "bool"}.get(bare, "str"), choices
    kind = getattr(parameter, "type", None)
    name = str(getattr(kind, "name", "text")).partition(" ")[0]
    return {"integer": "int", "float": "float", "boolean": "bool"}.get(name, "str"), list(getattr(kind, "choices", []))


def described_click(command: object) -> "dict[str, object]":
    """The same of a command of click's."""
    options = []
    for parameter in command.params:  # type: ignore[attr-defined]
        name, choices = _click_type(parameter)
        default = parameter.default if not callable(parameter.default) else ...
        is_unset = type(default).__name__ == "Sentinel"  # of click 8.2 and later
        found = {
            "name": parameter.name,
            "flags": list(parameter.opts) if parameter.param_type_name == "option" else [],
            "required": bool(parameter.required),
            "help": getattr(parameter, "help", None) or "",
            "type": name,
            "words": ["true", "false"],
            "is_list": bool(parameter.multiple if parameter.param_type_name == "option" else parameter.nargs == -1),
            "length": parameter.nargs if parameter.nargs > 1 else None,
            "kind": "repeated" if getattr(parameter, "multiple", False) else "value",
            **_json(None if is_unset else default),
        }
        if choices:
            found["choices"] = [getattr(each, "value", each) for each in choices]
        if getattr(parameter, "is_flag", False):
            found |= {"kind": "switch", "type": "bool", "off": next(iter(parameter.secondary_opts), "")}
            found["default"] = bool(default) if not is_unset else False
        elif getattr(parameter, "count", False):
            found |= {"kind": "count", "type": "int", "default": 0}
        elif parameter.param_type_name != "option":
            found["kind"] = "positional"
        if getattr(parameter, "expose_value", True) and found["name"] not in _COMPLETION:
            options.append(found)
    below = getattr(command, "commands", None)
    if not below:
        return {"options": options}
    return {"options": options, "command": "command", "commands": {k: described_click(v) for k, v in below.items()}}


def main(output: str, entry: str, *args: str) -> None:
    """Runs the entry; what it parses first is written, and the program ends."""

    def end(found: "dict[str, object]") -> None:
        Path(output).write_text(json.dumps(found), encoding="utf-8", newline="\n")
        os._exit(0)

    def parse(parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        end(described(parser))

    argparse.ArgumentParser.parse_known_args = parse  # type: ignore[method-assign, assignment]
    for module, classes in (("click", ["Command", "Group"]), ("typer.core", ["TyperCommand", "TyperGroup"])):
        try:
            library = __import__(module, fromlist=classes)
        except ImportError:
            continue
        for name in classes:
            getattr(library, name).main = lambda command, *_, **__: end(described_click(command))
    sys.argv = [entry, *args]
    if Path(entry).is_file():
        sys.path[0] = str(Path(entry).resolve().parent)
        sys.path.insert(1, str(Path.cwd()))
        runpy.run_path(entry, run_name="__main__")
    else:
        sys.path[0] = str(Path.cwd())
        runpy.run_module(entry, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
