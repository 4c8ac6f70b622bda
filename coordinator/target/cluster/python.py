"""What the doctor asks of the Python that runs kernels: its version, and whether it has what they import."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.finding import Finding, Level
from coordinator.target.cluster.shell import Shell
from coordinator.text import clean, command_line

OLDEST = (3, 8)
"""What the starter and a kernel's bootstrap need."""
_SECONDS = 120.0
"""A Python on a file system that was not used for a while starts slowly."""
_MARK = "coord "
_PROGRAM = f"""\
import importlib.util, json, sys
sys.path = [each for each in sys.path if each]
def is_there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
print("{_MARK}" + json.dumps([list(sys.version_info[:2]), [name for name in sys.argv[1:] if not is_there(name)]]))
"""
"""Nothing is imported: a library may not load on a login node, which has no graphics card and little memory."""


@dataclass(frozen=True)
class Container:
    """A container with a Python."""

    image: str
    start: str
    """What starts its Python, as a part of a line of the shell."""


def python_findings(
    shell: Shell, python: str, setup: Sequence[str], modules: Mapping[str, str], container: Container | None = None
) -> Iterator[Finding]:
    """Whether a target's Python starts after the lines of `setup`, how old it is, and which of the modules it lacks.

    `modules` has what the kernels import: module -> distribution. `container` is where the Python is, if it is in one.
    Raises NotSent or NoAnswer.
    """
    where = container.image if container else shell.host or "this machine"
    start = container.start if container else shlex.quote(python)
    line = "\n".join([*setup, f'exec {start} -c "$@"'])
    reply = shell.run(["bash", "-c", line, "-", _PROGRAM, *modules], seconds=_SECONDS)
    answer = _answer(reply.out.decode("utf-8", "replace"))
    if reply.code or answer is None:
        said = next((clean(text) for text in reversed(reply.err.splitlines()) if text.strip()), f"code {reply.code}")
        what = f"{python} does not start after the lines of setup: {said}"
        named = "python, container or setup" if container else "python or setup"
        yield Finding("python", Level.PROBLEM, what, f"Correct {named} in its table.")
        return
    version, missing = answer
    what = f"{python} {'in' if container else 'on'} {where} is {version[0]}.{version[1]}"
    if version < OLDEST:
        remedy = f"A kernel needs {OLDEST[0]}.{OLDEST[1]} or newer: name another one in `python`."
        yield Finding("python", Level.PROBLEM, what, remedy)
    else:
        yield Finding("python", Level.OK, what)
    if missing:
        names = dict.fromkeys(modules[name] for name in missing if name in modules)
        remedy = f"{'In the image' if container else 'There'}: {command_line(python, '-m', 'pip', 'install', *names)}"
        yield Finding("imports", Level.PROBLEM, f"it lacks what the kernels import: {', '.join(missing)}", remedy)
    elif modules:
        yield Finding("imports", Level.OK, f"it has what the kernels import: {', '.join(modules)}")


def _answer(out: str) -> tuple[tuple[int, int], list[str]] | None:
    """(version, missing modules); the lines of setup may have printed something before."""
    for line in reversed(out.splitlines()):
        if line.startswith(_MARK):
            found: Any = json.loads(line[len(_MARK) :])
            (major, minor), missing = found
            return (int(major), int(minor)), [clean(str(name)) for name in missing]
    return None
