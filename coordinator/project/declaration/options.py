"""A program's command-line options, however they were found out: as a declaration, and as the flags that deliver it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import GenericAlias
from typing import Any, Literal

from coordinator.project.section import REQUIRED, Field, Section, list_of, nested

Kind = Literal["value", "list", "repeated", "switch", "count", "positional"]

OWN = object()
"""The default of an option that only the running program knows, such as the number of its CPUs."""


@dataclass(frozen=True)
class Option:
    """One option or positional argument."""

    name: str
    """Of the value; a dot stands for a section."""
    flags: tuple[str, ...]
    """`--lr`, `-l`; empty for a positional argument."""
    kind: Kind
    type: Any
    """Of the value, or of the items of its list."""
    default: Any = None
    required: bool = False
    help: str = ""
    where: str = ""
    off: str = ""
    """The flag that switches it off, `--no-amp`."""
    words: tuple[str, str] = ("true", "false")
    """How it writes true and false as a value."""
    length: int | None = None
    """How many items its list has."""
    depth: int = 0
    """0 for the program itself, 1 for the choice of a sub-command, 2 for an option of that, and so on."""

    @property
    def flag(self) -> str:
        """The clearest of its flags."""
        return next((each for each in self.flags if each.startswith("--")), self.flags[0] if self.flags else "")

    @property
    def is_list(self) -> bool:
        return self.kind in ("list", "repeated") or self.length is not None

    def as_field(self) -> Field:
        kind: Any = self.type
        if self.length:
            kind = GenericAlias(tuple, (kind,) * self.length)
        elif self.is_list:
            kind = list_of(kind)
        needed = f"{self.where} ({self.flag})" if self.flag else self.where
        if self.required:
            return Field(kind, REQUIRED, self.help, needed)
        default = None if self.default is OWN else self.default
        return Field(kind | None if default is None and kind is not Any else kind, default, self.help, self.where)

    def as_flag(self) -> dict[str, Any]:
        """For `bundle/delivery.py`."""
        kind = "list" if self.kind == "value" and self.length else self.kind
        found: dict[str, Any] = {"path": self.name, "kind": kind}
        if self.flag:
            found["flag"] = self.flag
        if self.off:
            found["off"] = self.off
        if bool in (self.type, *getattr(self.type, "__args__", ())) and self.kind != "switch":
            found |= {"true": self.words[0], "false": self.words[1]}
        if not self.required and self.default is not None and self.default is not OWN:
            found["default"] = self.default
        return found


@dataclass(frozen=True)
class Options:
    """The options of a program or of one of its sub-commands."""

    options: tuple[Option, ...] = ()
    commands: Mapping[str, Options] = field(default_factory=dict)
    command: str = "command"
    """The name of the value that chooses the sub-command."""
    where: str = ""
    """The place that declares the sub-commands."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What set_defaults says."""

    def chosen(self, values: Mapping[str, Any], args: Sequence[str]) -> tuple[list[Option], set[str]]:
        """The options that there are with these values and arguments, and the sub-commands that the arguments name.

        A sub-command is a positional argument, and what comes after it belongs to it.
        """
        own = [self._with_default(option) for option in self.options]
        if not self.commands:
            return own, set()
        name = next((each for each in args if each in self.commands), values.get(self.command))
        given = {self.command} if name in args else set()
        choice = Option(
            name=self.command,
            flags=(),
            kind="positional",
            type=Literal[tuple(self.commands)],
            required=True,
            where=self.where,
            depth=1,
        )
        if isinstance(name, str) and name in self.commands:
            below, further = self.commands[name].chosen(values, args)
            given |= further
        else:  # the options of all of them are known: that the choice is missing is to be said once
            every = [each for inner in self.commands.values() for each in inner.chosen(values, args)[0]]
            below = [replace(each, required=False) for each in {each.name: each for each in every}.values()]
        names = {each.name for each in below}
        deeper = [replace(each, depth=each.depth + 2) for each in below]
        return [*(each for each in own if each.name not in names), choice, *deeper], given

    def _with_default(self, option: Option) -> Option:
        if option.name not in self.defaults:
            return option
        return replace(option, default=self.defaults[option.name], required=False)


def flags_of(options: Iterable[Option]) -> list[dict[str, Any]]:
    """For `bundle/delivery.py`, in an order in which they may be passed.

    Positional arguments come first, and lists before single values: what follows a list would be taken for its items.
    """
    ordered = sorted(options, key=lambda each: (each.depth, each.kind != "positional", not each.is_list))
    return [option.as_flag() for option in ordered]


def names_given(options: Sequence[Option], args: Sequence[str]) -> set[str]:
    """The values that arguments give already."""
    by_flag = {flag: option for option in options for flag in (*option.flags, option.off) if flag}
    positional = [option for option in options if option.kind == "positional"]
    found: set[str] = set()
    words = list(args)
    while words:
        word = words.pop(0)
        flag, equals, _ = word.partition("=")
        long = [
            each for each in by_flag if flag.startswith("--") and each.startswith(flag)
        ]  # argparse takes a beginning
        short = word[:2] if len(word) > 2 and word[1] != "-" else ""  # -b16
        name = flag if flag in by_flag else long[0] if len(long) == 1 else short
        if name in by_flag:
            option = by_flag[name]
            found.add(option.name)
            count = 0 if equals or name == short or option.kind in ("switch", "count") else option.length or 1
            if option.kind == "list":
                count = next((at for at, each in enumerate(words) if each.startswith("-")), len(words))
            del words[:count]
        elif positional and not word.startswith("-"):
            found.add(positional[0].name)
            if not isinstance(positional[0].type, GenericAlias):  # a list takes all further ones
                del positional[0]
    return found


def section_from(options: Iterable[Option], given: Collection[str]) -> Section:
    """The declaration. What the arguments give already is not required any more. Raises ValueError for a bad name."""
    fields: dict[str, Field] = {}
    aliases: dict[str, str] = {}
    for option in options:
        if option.name in given and option.kind == "positional":  # a sub-command: the value would be given twice
            continue
        found = option if option.name not in given else replace(option, required=False, default=OWN)
        fields[option.name] = found.as_field()
        for flag in option.flags:
            aliases[flag.lstrip("-")] = option.name
    return Section(
        nested(fields), {name: path for name, path in aliases.items() if name not in fields and "." not in name}
    )
