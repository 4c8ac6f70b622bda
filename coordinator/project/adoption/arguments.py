"""Which arguments of a documented command are values of the config, and which stay arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import GenericAlias, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from coordinator.project.adoption.commands import is_placeholder
from coordinator.project.declaration.options import Option, Options
from coordinator.project.schema import Declared, assignment, declared_paths

_TRUE, _FALSE = {"true", "yes", "1", "on"}, {"false", "no", "0", "off", ""}


@dataclass
class Divided:
    """The words of a command."""

    values: dict[str, Any] = field(default_factory=dict)
    """Values of the config by dotted path."""
    args: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """What the document means a reader to replace."""


def by_flags(options: Options, words: Sequence[str]) -> Divided:
    """The words of a program with these options."""
    found = Divided()
    own, _ = options.chosen({}, words)
    by_flag = {flag: option for option in own for flag in (*option.flags, option.off) if flag}
    positional = [option for option in own if option.kind == "positional"]
    rest = list(words)
    while rest:
        word = rest.pop(0)
        flag, equals, inline = word.partition("=")
        option = by_flag.get(flag)
        if option is None and flag.startswith("--") and len(flag) > 3:  # argparse takes an unambiguous beginning
            near = [name for name in by_flag if name.startswith(flag)]
            option = by_flag[near[0]] if len({by_flag[name].name for name in near}) == 1 else None
        if option is None and positional and not word.startswith("-"):
            option = positional[0]
            if isinstance(option.type, GenericAlias):
                given, rest = [word, *_until_flag(rest)], rest[len(_until_flag(rest)) :]
                _take(found, option, given, word)
                continue
            del positional[0]
            _take(found, option, [word], word)
            continue
        if option is None:
            target = found.left_out if is_placeholder(word) else found.args
            target.append(word)
        elif option.kind in ("switch", "count"):
            on = flag != option.off
            found.values[option.name] = (int(found.values.get(option.name, 0)) + 1) if option.kind == "count" else on
        elif equals:
            _take(found, option, [inline], word)
        else:
            count = len(_until_flag(rest)) if option.kind == "list" else option.length or 1
            given, rest = rest[:count], rest[count:]
            _take(found, option, given, " ".join([word, *given]))
    return found


def by_paths(declared: Declared, words: Sequence[str]) -> Divided:
    """The words of a program that takes `path=value`, as Hydra and OmegaConf do."""
    found = Divided()
    known = {*declared_paths(declared), *getattr(declared, "aliases", {})}
    for word in words:
        path, equals, _ = word.partition("=")
        if is_placeholder(word):
            found.left_out.append(word)
        elif equals and path in known:
            try:
                assignment(declared, word)
            except ValueError:
                found.args.append(word)
            else:
                found.values[path] = word.partition("=")[2]
        else:
            found.args.append(word)
    return found


def unplaced(words: Sequence[str]) -> Divided:
    """The words without options whose value the document leaves to the reader."""
    found = Divided()
    for word in words:
        if not is_placeholder(word):
            found.args.append(word)
            continue
        if found.args and found.args[-1].startswith("-"):
            word = f"{found.args.pop()} {word}"
        found.left_out.append(word)
    return found


def _until_flag(words: Sequence[str]) -> list[str]:
    end = next((at for at, word in enumerate(words) if word.startswith("-") and not _is_number(word)), len(words))
    return list(words[:end])


def _take(found: Divided, option: Option, given: Sequence[str], shown: str) -> None:
    if any(map(is_placeholder, given)):
        found.left_out.append(shown)
        return
    try:
        values = [_converted(option.type, word) for word in given]
    except ValueError:  # the document is older than the program
        found.left_out.append(shown)
        return
    is_list = option.is_list or isinstance(option.type, GenericAlias)
    value = values if is_list else values[0] if values else None
    if option.kind == "repeated":
        value = [*found.values.get(option.name, []), *values]
    if value is not None:
        found.values[option.name] = value


def _converted(kind: Any, word: str) -> Any:
    """The word as a value of that type. Raises ValueError if it is none."""
    if get_origin(kind) is list:
        return _converted(get_args(kind)[0], word)
    if get_origin(kind) is Literal:
        for choice in get_args(kind):
            if str(choice) == word:
                return choice
        raise ValueError(word)
    if get_origin(kind) in (Union, UnionType):
        for each in sorted(get_args(kind), key=lambda one: one is str):
            try:
                return _converted(each, word)
            except ValueError:
                continue
        raise ValueError(word)
    if kind is bool:
        if word.lower() not in _TRUE | _FALSE:
            raise ValueError(word)
        return word.lower() in _TRUE
    if kind in (int, float):
        return kind(word)
    if kind is Any:
        for each in (int, float):
            try:
                return each(word)
            except ValueError:
                continue
        return word
    if kind is type(None):
        raise ValueError(word)
    return word


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
