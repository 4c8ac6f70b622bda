"""One call of add_argument as an Option."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any, Literal

from coordinator.project.declaration.options import OWN, Kind, Option
from coordinator.project.declaration.sources import Computed, SourceModule
from coordinator.project.section import list_of

_CHOICES_AT_MOST = 200
_TYPES: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool, "Path": str, "pathlib.Path": str}
_TRUE, _FALSE = ("True", "true", "1", "yes", "y", "t", "on"), ("False", "false", "0", "no", "n", "f", "off")


def option_of(node: ast.Call, source: SourceModule) -> Option | None:
    """None for help and version. Raises Computed if its name or kind is."""
    keywords = {each.arg: each.value for each in node.keywords if each.arg}
    if len(keywords) < len(node.keywords) or any(isinstance(each, ast.Starred) for each in node.args):
        raise Computed(f"{source.place(node)}: an option's settings are computed")
    flags = tuple(str(source.value(each)) for each in node.args)
    action = _action(keywords.get("action"), source)
    if action in ("help", "version"):
        return None
    name = _name(flags, keywords, source)
    help_ = _known(keywords.get("help"), source)
    given: dict[str, Any] = {
        "name": name,
        "flags": tuple(each for each in flags if each.startswith("-")),
        "help": help_ if isinstance(help_, str) and help_ != "==SUPPRESS==" else "",
        "where": source.place(node),
        "required": _known(keywords.get("required"), source) is True,
    }
    default = _known(keywords.get("default"), source)
    if action in ("store_true", "store_false", "BooleanOptionalAction"):
        return _switch(action, given, default)
    if action == "count":
        return Option(kind="count", type=int, default=default if isinstance(default, int) else 0, **given)
    if action in ("store_const", "append_const"):
        raise Computed(f"{source.place(node)}: action={action!r} is a choice between flags")
    kind, words = _type(keywords.get("type"), source)
    nargs = _known(keywords.get("nargs"), source)
    if keywords.get("nargs") is not None and ast.unparse(keywords["nargs"]).endswith("REMAINDER"):
        nargs = "*"
    if nargs is OWN:
        raise Computed(f"{source.place(node)}: nargs is computed")
    is_list = nargs in ("+", "*", "...") or action in ("append", "extend")
    shape: Kind = "repeated" if action == "append" else "list" if is_list else "value"
    if not given["flags"]:
        given["required"] = nargs not in ("?", "*", "...")
        shape = "positional"
    length = nargs if isinstance(nargs, int) else None
    default = _converted(default, kind, words, is_list=is_list or length is not None)
    if kind is None:
        kind = str if default is None or default is OWN or isinstance(default, list) else type(default)
    choices = _known(keywords.get("choices"), source)
    if isinstance(choices, list | dict) and 0 < len(choices) <= _CHOICES_AT_MOST:
        kind = Literal[tuple(choices)]
    kind = _wide_enough(kind, default, is_list=is_list or length is not None)
    if shape == "positional" and is_list:
        kind = list_of(kind)
    return Option(kind=shape, type=kind, default=default, words=words, length=length, **given)


def _action(node: ast.expr | None, source: SourceModule) -> str:
    if node is None:
        return "store"
    if isinstance(node, ast.Name | ast.Attribute):
        return ast.unparse(node).rpartition(".")[2]
    return str(source.value(node))


def _name(flags: tuple[str, ...], keywords: Mapping[str, ast.expr], source: SourceModule) -> str:
    if "dest" in keywords:
        return str(source.value(keywords["dest"]))
    if not flags:
        raise Computed("an option has neither a flag nor a dest")
    flag = next((each for each in flags if each.startswith("--")), flags[0])
    return flag.lstrip("-").replace("-", "_") if flag.startswith("-") else flag


def _known(node: ast.expr | None, source: SourceModule) -> Any:
    """The value, None if there is none, OWN if it is computed."""
    if node is None:
        return None
    try:
        return source.value(node)
    except Computed:
        return OWN


def _switch(action: str, given: dict[str, Any], default: Any) -> Option:
    if action == "store_false":
        flags, off = (), next((each for each in given["flags"] if each.startswith("--")), given["flags"][0])
        return Option(kind="switch", type=bool, default=_flag(default, True), off=off, **given | {"flags": flags})
    off = ""
    if action == "BooleanOptionalAction":
        off = next((f"--no-{each[2:]}" for each in given["flags"] if each.startswith("--")), "")
        return Option(
            kind="switch", type=bool, default=default if isinstance(default, bool) else None, off=off, **given
        )
    return Option(kind="switch", type=bool, default=_flag(default, False), **given)


def _flag(default: Any, usual: bool) -> Any:
    return default if isinstance(default, bool) or default is OWN else usual


def _type(node: ast.expr | None, source: SourceModule) -> tuple[Any, tuple[str, str]]:
    """The type, None if there is none, and how true and false are written."""
    usual = ("true", "false")
    if node is None:
        return None, usual
    text = ast.unparse(node)
    if text == "bool":  # bool("False") is True: only nothing is false
        return bool, ("True", "")
    if text in _TYPES:
        return _TYPES[text], usual
    found = source.resolve(node)
    code: ast.AST = found[1] if found is not None else node
    if isinstance(code, ast.ClassDef) or text.startswith(("argparse.FileType", "FileType", "open", "str.", "os.path.")):
        return str, usual
    if _is_boolish(text, code):
        return bool, _words(code)
    calls = {ast.unparse(each.func) for each in ast.walk(code) if isinstance(each, ast.Call)}
    if any(each.endswith(".split") for each in calls):
        return str, usual
    return next((kind for name, kind in (("float", float), ("int", int)) if name in calls), Any), usual


def _is_boolish(text: str, code: ast.AST) -> bool:
    """Whether a converter makes true and false: by its name, or by what it returns."""
    if "bool" in text.lower() and not isinstance(code, ast.Lambda):
        return True
    results = [code.body] if isinstance(code, ast.Lambda) else []
    results += [each.value for each in ast.walk(code) if isinstance(each, ast.Return) and each.value is not None]
    return bool(results) and all(
        isinstance(each, ast.Compare)
        or (isinstance(each, ast.Constant) and isinstance(each.value, bool))
        or (isinstance(each, ast.Call) and ast.unparse(each.func).rpartition(".")[2] in ("bool", "strtobool"))
        for each in results
    )


def _words(code: ast.AST) -> tuple[str, str]:
    """The words for true and false that a converter knows."""
    texts = {each.value for each in ast.walk(code) if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    if any(isinstance(each, ast.Call) and ast.unparse(each.func) == "int" for each in ast.walk(code)):
        return "1", "0"
    yes = next((word for word in _TRUE if word in texts), "true")
    no = next((word for word in _FALSE if word in texts), "False" if yes == "True" else "false")
    return yes, no


def _converted(default: Any, kind: Any, words: tuple[str, str], *, is_list: bool) -> Any:
    """The default as the program has it: argparse converts one that is text."""
    if isinstance(default, dict) or (isinstance(default, float) and not math.isfinite(default)):
        return OWN  # JSON has no such value
    if not isinstance(default, str) or is_list or kind not in (int, float, bool):
        return default
    if kind is bool:
        return default.lower() == words[0].lower() if words[1] else bool(default)
    try:
        return kind(default)
    except ValueError:
        return default


def _wide_enough(kind: Any, default: Any, *, is_list: bool) -> Any:
    """The type, and that of the default if it is another: argparse does not check it."""
    for each in default if is_list and isinstance(default, list) else [default]:
        if each is None or each is OWN or kind is Any:
            continue
        if kind is float and isinstance(each, int) and not isinstance(each, bool):
            continue
        choices = getattr(kind, "__args__", ()) if getattr(kind, "__origin__", None) is Literal else ()
        if each in choices or (isinstance(kind, type) and type(each) is kind):
            continue
        if choices:
            kind = Literal[(*choices, each)]
            continue
        if isinstance(each, list):
            return kind | list[Any]
        kind = kind | type(each)
    return kind
