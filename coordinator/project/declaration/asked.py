"""What only the project's own Python can tell, asked in a process of its own and remembered until a source changes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from coordinator.errors import ProjectError
from coordinator.files import write_atomically
from coordinator.project.declaration import parser_probe
from coordinator.project.declaration.options import OWN, Option, Options
from coordinator.project.declaration.sources import sources_of
from coordinator.project.project import Project
from coordinator.project.section import list_of

_SECONDS = 180
"""A program may import torch first."""
_TYPES: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool, "any": Any}


def run_parser(project: Project, entry: str, args: Sequence[str], why: str) -> Options:
    """The flags of a program that is run until it parses its arguments. Raises ProjectError, which says `why`."""
    data = ask(project, parser_probe.__file__, [entry, *args], entry, why)
    return _options(data, entry)


def ask(project: Project, probe: str, arguments: Sequence[str], entry: str, why: str) -> dict[str, Any]:
    """What the probe writes as JSON. Raises ProjectError with the end of what the program said."""
    python = project.own_python
    sources = {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (*sources_of(project, entry)[1], Path(probe))
    }
    key = hashlib.sha256(json.dumps([python, *arguments, sources]).encode("utf-8", "replace")).hexdigest()[:20]
    known = project.state / "declared" / f"{key}.json"
    if known.is_file():
        found: dict[str, Any] = json.loads(known.read_text(encoding="utf-8"))
        return found
    with tempfile.TemporaryDirectory(prefix="coord-") as folder:
        output = Path(folder) / "found.json"
        said = _run(project, [python, "-B", probe, str(output), *arguments], why)
        if not output.is_file():
            last = (said.strip().splitlines() or ["it ended without parsing its arguments"])[-1]
            raise ProjectError(
                f"{why}, so coord ran {entry} with {python} to ask it, and that failed: {last}",
                hint='Name a Python that has its libraries: config_python = ".venv/bin/python" in [tool.coord].',
            )
        text = output.read_text(encoding="utf-8")
    known.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(known, text)
    found = json.loads(text)
    return found


def _run(project: Project, command: list[str], why: str) -> str:
    paths = os.pathsep.join(filter(None, [*map(str, reversed(project.module_folders)), os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            command,
            cwd=project.root,
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_SECONDS,
        )
    except OSError as error:
        raise ProjectError(f"{why}, and {command[0]} cannot be started: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise ProjectError(f"{why}, and running the program took more than {_SECONDS} s") from None
    return done.stderr.decode("utf-8", "replace")


def _options(data: Mapping[str, Any], entry: str) -> Options:
    commands = {name: _options(below, entry) for name, below in data.get("commands", {}).items()}
    return Options(
        tuple({each["name"]: _option(each, entry) for each in reversed(data["options"])}.values())[::-1],
        commands,
        data.get("command", "command"),
        entry,
    )


def _option(data: Mapping[str, Any], entry: str) -> Option:
    kind = _TYPES.get(data["type"], Any)
    default = OWN if data.get("own") else data.get("default")
    if data.get("choices"):
        kind = Literal[tuple(data["choices"])]
    first = default[0] if isinstance(default, list) and default else default
    is_list = bool(data.get("is_list")) or data.get("length") is not None
    if first is not None and first is not OWN and isinstance(default, list) != is_list:
        kind = Any
    elif isinstance(first, bool | int | float | str) and kind is not Any and not data.get("choices"):
        # Nobody checks that a default has the type of the option.
        kind = kind if type(first) is kind or (kind is float and type(first) is int) else kind | type(first)
    if data["kind"] == "positional" and data.get("is_list"):
        kind = list_of(kind)
    return Option(
        name=data["name"],
        flags=tuple(data["flags"]),
        kind=data["kind"],
        type=kind,
        default=default,
        required=data["required"],
        help=data["help"],
        where=entry,
        off=data.get("off", ""),
        words=(data["words"][0], data["words"][1]),
        length=data.get("length"),
    )
