"""Answers to commands and options that coord does not have: misspelt, misplaced, or those of other tools."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

import click

_FETCH, _RUNS, _HIDE = ("fetch-results",), ("runs", "status", "experiments"), ("hide",)
OTHERS: dict[str, tuple[str, ...]] = {
    # kaggle
    "kernels push": ("push",),
    "kernels status": ("status",),
    "kernels output": _FETCH,
    "kernels pull": _FETCH,
    "kernels logs": ("logs",),
    "kernels list": _RUNS,
    "kernels init": ("init", "build"),
    "kernels": ("push", "status", "fetch-results"),
    "k": ("push", "status", "fetch-results"),
    "competitions submit": ("submit",),
    "competitions submissions": ("scores",),
    "competitions leaderboard": ("scores",),
    "competitions": ("submit", "scores"),
    "c": ("submit", "scores"),
    "datasets create": ("data push",),
    "datasets version": ("data push",),
    "datasets status": ("data status",),
    "datasets download": ("data fetch",),
    "datasets list": ("data list",),
    "datasets": ("data",),
    "dataset": ("data",),
    "submissions": ("scores",),
    "leaderboard": ("scores", "best"),
    "config": ("show", "doctor"),
    # to start, and to run
    "new": ("init",),
    "create": ("init",),
    "setup": ("init", "doctor"),
    "login": ("doctor",),
    "auth": ("doctor",),
    "whoami": ("doctor",),
    "check": ("doctor", "dry-run", "build"),
    "lint": ("doctor", "dry-run"),
    "test": ("dry-run",),
    "try": ("dry-run",),
    "debug": ("dry-run",),
    "pack": ("bundle",),
    "compile": ("build", "bundle"),
    "run": ("push", "dry-run"),
    "train": ("push", "dry-run"),
    "start": ("push",),
    "launch": ("push",),
    "exec": ("push", "dry-run"),
    "queue": ("push", "sweep"),
    "upload": ("push", "data push"),
    "deploy": ("push",),
    "grid": ("sweep",),
    "search": ("sweep",),
    "tune": ("sweep",),
    "agent": ("sweep",),
    "multirun": ("sweep",),
    "stop": ("cancel",),
    "kill": ("cancel",),
    "abort": ("cancel",),
    "restart": ("continue", "sweep resume"),
    "install": ("wheels",),
    "requirements": ("wheels",),
    # to look
    "fetch": _FETCH,
    "pull": _FETCH,
    "download": _FETCH,
    "get": _FETCH,
    "output": _FETCH,
    "results": _FETCH,
    "sync": ("fetch-results --all", "export"),
    "list": _RUNS,
    "ls": _RUNS,
    "ps": ("status",),
    "watch": ("status --watch", "logs --follow"),
    "top": ("status --watch",),
    "tail": ("logs --follow",),
    "follow": ("logs --follow",),
    "log": ("logs",),
    "history": ("runs",),
    "open": ("ui", "report"),
    "web": ("ui",),
    "view": ("ui", "show"),
    "browse": ("ui",),
    "dashboard": ("ui", "report"),
    "board": ("ui", "report"),
    "server": ("ui", "local serve"),
    "plots": ("report", "ui"),
    "plot": ("report", "ui"),
    # to decide, and to keep
    "diff": ("compare", "build --check"),
    "metrics": ("best", "compare"),
    "rank": ("best",),
    "top-k": ("best",),
    "cv": ("best", "compare"),
    "comment": ("note",),
    "label": ("tag",),
    "delete": _HIDE,
    "del": _HIDE,
    "remove": _HIDE,
    "archive": ("hide", "promote"),
    "freeze": ("promote",),
    "save": ("promote",),
    "gc": ("hide", "ledger check"),
    "repair": ("ledger check --repair",),
    "fsck": ("ledger check",),
    "limits": ("quota",),
    "usage": ("quota",),
    "version": ("--version",),
    "man": ("help",),
    "docs": ("help",),
    "completions": ("completion",),
}
"""What people type who know other tools, and the commands that do it: the first words of a line."""

_OPTIONS: dict[str, tuple[str, ...]] = {
    "--most": ("--limit",),
    "--max": ("--limit",),
    "--head": ("--limit",),
    "--top": ("--limit",),
    "-n": ("--limit",),
    "--experiment": ("--exp",),
    "--config": ("--exp", "--set"),
    "--run": ("--exp",),
    "--override": ("--set",),
    "--param": ("--set",),
    "--params": ("--set",),
    "-p": ("--set",),
    "-P": ("--set",),
    "-S": ("--set",),
    "--on": ("--target",),
    "--watch": ("--watch", "--follow"),
    "--follow": ("--follow", "--watch", "--wait"),
    "-f": ("--follow", "--force", "--file"),
    "-w": ("--watch", "--wait"),
    "--format": ("--json", "--csv"),
    "--dry-run": ("--plan",),
    "--out": ("--output",),
    "--dest": ("--output",),
    "--file-name": ("--file",),
    "--yes": ("--yes", "--force"),
    "--desc": ("--message",),
}
"""What options are called elsewhere, and here: those that the command has are named."""

_ELSEWHERE: dict[tuple[str, str], str] = {
    ("push", "--dry-run"): "coord dry-run NAME runs it on this machine",
    ("push", "--follow"): "coord push NAME --wait shows the log until the run has ended",
    ("status", "--follow"): "coord status --watch keeps it up to date, coord logs --follow shows one run's log",
    ("logs", "--watch"): "coord logs --follow",
    ("logs", "-n"): "coord logs NAME | tail -n 20",
    ("submit", "-f"): "coord submit NAME --file FILE sends a file of that run; NAME says which run",
    ("submit", "-c"): "coord submit NAME --competition SLUG",
}
_GPU = ("--gpu", "--accelerator", "--machine", "--tpu")


def no_command(ctx: click.Context, group: click.Group, args: Sequence[str]) -> click.UsageError:
    """The error for a word that is no command of the group; `args` begins with it."""
    word = args[0]
    is_top = ctx.parent is None
    said = next((each for each in (" ".join(args[:2]), word) if is_top and each.lower() in OTHERS), word)
    found = [*OTHERS.get(said.lower(), ())] if is_top else []
    found = [line for line in found if line.startswith("-") or _command(group, line) is not None]
    if not found and is_top:
        found = [line for line in _below(group) if word == line.split()[1]]
    if not found:
        found = difflib.get_close_matches(word, list(group.commands), n=3)
    if not found:
        return click.UsageError(f'there is no command "{said}". See: {ctx.command_path} --help')
    prefix = ctx.command_path
    width = max(len(line) for line in found)
    lines = [f"  {prefix} {line:{width}}  {_about(group, line)}".rstrip() for line in found]
    return click.UsageError(f'there is no command "{said}". Did you mean:\n' + "\n".join(lines))


def no_option(error: click.NoSuchOption, ctx: click.Context, args: Sequence[str]) -> click.UsageError:
    """The error for an option that the command does not have; `args` are all of its arguments."""
    option = error.option_name
    return click.UsageError(f"there is no option {option} here. {_advice(ctx, option, args)}", ctx)


def _advice(ctx: click.Context, option: str, args: Sequence[str]) -> str:
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)
    command = ctx.command_path.removeprefix(root.command_path).strip()
    own = _options(ctx.command)
    if (command, option) in _ELSEWHERE:
        return f"{_ELSEWHERE[command, option]}."
    if option in _GPU:
        return 'The accelerator is a setting: machine_shape = "gpu" in [tool.coord.kernel], or of one experiment.'
    named = [each for each in _OPTIONS.get(option, ()) if each in own]
    if named:
        return f"It is {' or '.join(named)}."
    if command and option in _options(root.command):
        return f"It goes before the command: {root.command_path} {option} ... {command}"
    below = root.command.commands
    behind = "" if command else next((word for word in args if word in below and option in _options(below[word])), "")
    if behind:
        return f"It goes behind the command: {root.command_path} {behind} {option} ..."
    if near := difflib.get_close_matches(option, own, n=1, cutoff=0.8):
        return f"Did you mean {near[0]}?"
    if option.startswith("--"):
        elsewhere = {name: _options(each) for name, each in below.items()}
        every = {each for options in elsewhere.values() for each in options}
        for meant in (option, *difflib.get_close_matches(option, every, n=1, cutoff=0.8)):
            having = [f"{root.command_path} {name}" for name, options in elsewhere.items() if meant in options]
            if having:
                return f"{' and '.join(having[:3])} {'has' if len(having) == 1 else 'have'} {meant}."
        if near := difflib.get_close_matches(option, [each for each in own if each.startswith("--")], n=1):
            return f"Did you mean {near[0]}?"
    return f"See: {ctx.command_path} --help"


def _options(command: click.Command) -> list[str]:
    return [name for each in command.params if isinstance(each, click.Option) for name in (*each.opts, "--help")]


def _command(group: click.Group, line: str) -> click.Command | None:
    """The command of a line such as `sweep resume --retry`."""
    found: click.Command | None = group
    for word in line.split():
        if word.startswith("-"):
            break
        found = found.commands.get(word) if isinstance(found, click.Group) else None
    return found


def _below(group: click.Group) -> Iterator[str]:
    """The commands of the groups: `sweep status`."""
    for name, each in group.commands.items():
        if isinstance(each, click.Group):
            yield from (f"{name} {below}" for below in each.commands)


def _about(group: click.Group, line: str) -> str:
    command = _command(group, line)
    return "" if command is None or line.startswith("-") else command.get_short_help_str(80)
