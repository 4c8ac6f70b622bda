"""Runs the pip of this Python as if it were in the kernels' image: for its Python, its platform and its markers.

Which index pip asks, and with which credentials, is the user's own configuration of pip.
"""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from coordinator.bundle import Image, marker_environment
from coordinator.errors import DependencyError, NoAnswer, ProjectError
from coordinator.kaggle_rules import IMAGE_GLIBC
from coordinator.wheels.downloads import Downloads

PLATFORMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in range(IMAGE_GLIBC, 4, -1)),
    *("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"),
)
"""Platform tags of wheels that the image takes, the most special first."""

# pip has options for the Python and the platform, but takes the markers of requirements for those of its own Python.
_LAUNCHER = """
import functools, json, sys
sys.path.insert(0, sys.argv.pop(1))
markers = json.loads(sys.argv.pop(1))
import pip._vendor.packaging.markers as module
module.default_environment = lambda: dict(markers)
import pip._internal.req.req_file as lines
if hasattr(lines, "build_parser"):  # it would make one for each of the image's packages
    lines.build_parser = functools.cache(lines.build_parser)
from pip._internal.cli.main import main
sys.exit(main())
"""
_UNREACHABLE = ("Retrying (", "Could not fetch URL", "Failed to establish a new connection", "ConnectionError")


def run_pip(image: Image, folder: Path, command: Sequence[str], downloads: Downloads) -> str:
    """The output of `pip COMMAND...`; `folder` is for what it needs meanwhile.

    Raises DependencyError if this Python has no pip, NoAnswer if no index can be reached, ProjectError if it fails.
    """
    found = importlib.util.find_spec("pip")
    if found is None or not found.submodule_search_locations:
        raise DependencyError("this Python has no pip, which resolves requirements", hint="Run: python -m ensurepip")
    # Alone in its folder, so that the packages that are installed here make no difference.
    alone = folder / "pip"
    if not alone.exists():
        alone.mkdir()
        (alone / "pip").symlink_to(next(iter(found.submodule_search_locations)), target_is_directory=True)
    markers = {**marker_environment(image), "platform_release": "", "platform_version": ""}
    words = [
        *(sys.executable, "-I", "-S", "-c", _LAUNCHER, str(alone), json.dumps(markers), *command),
        *("--disable-pip-version-check", "--no-input", "--no-color", "--progress-bar", "off"),
        # Only major and minor are known; the image has one of the last micro versions.
        *("--only-binary", ":all:", "--implementation", "cp", "--python-version", f"{image.python}.99"),
        *(word for platform in PLATFORMS for word in ("--platform", platform)),
    ]
    # Started like this it would not see that it is in a virtual environment, and refuse to work outside of one.
    unfinished = folder / "unfinished"
    unfinished.mkdir(exist_ok=True)
    environment = {**os.environ, "PIP_REQUIRE_VIRTUALENV": "0", "TMPDIR": str(unfinished)}
    downloads.begin(unfinished)
    lines = []
    with subprocess.Popen(
        words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            for line in process.stdout or ():
                lines.append(line)
                downloads.heard(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        _check_room(lines, Path(command[command.index("--dest") + 1]) if "--dest" in command else folder)
        raise _failure(image, "".join(lines))
    return "".join(lines)


def _check_room(lines: Sequence[str], folder: Path) -> None:
    """Raises an OSError with the file's name if pip had no room; pip names the file, or is writing to `folder`."""
    for number in (errno.ENOSPC, errno.EDQUOT):
        for line in lines:
            if f"[Errno {number}]" in line:
                named = re.findall(r"'([^']+)'", line)
                raise OSError(number, os.strerror(number), named[-1] if named else str(folder))


def _failure(image: Image, output: str) -> ProjectError | NoAnswer:
    """What pip's words mean."""
    lines = output.splitlines()
    errors = [line.removeprefix("ERROR: ").strip() for line in lines if line.startswith("ERROR: ")]
    if "The conflict is caused by:" in lines:
        start = lines.index("The conflict is caused by:") + 1
        end = lines.index("", start) if "" in lines[start:] else len(lines)
        return ProjectError(
            f"the requirements do not fit to {image} or to each other:\n" + "\n".join(map(_clause, lines[start:end])),
            hint="Ask for other versions in requirements. A package that is named there itself replaces the image's.",
        )
    if any(sign in line for sign in _UNREACHABLE for line in lines):
        return NoAnswer(
            "pip cannot reach its package index from this machine",
            hint="See pip config list. Wheels in a folder will do, too: PIP_FIND_LINKS=FOLDER coord wheels",
        )
    nothing = [line for line in errors if "(from versions: none)" in line]
    if nothing:
        name = nothing[0].partition("satisfies the requirement ")[2].partition(" (from")[0]
        return ProjectError(
            f"there is no wheel of {name} for Python {image.python} on Linux (x86_64), or no such package",
            hint="Check its name. If it has sources only, build a wheel (pip wheel) into a folder, and name that: "
            "PIP_FIND_LINKS=FOLDER coord wheels",
        )
    return ProjectError("pip cannot resolve the requirements:\n" + "\n".join(f"  {line}" for line in errors or lines))


def _clause(line: str) -> str:
    """A line of pip's about a conflict; what it calls a constraint is a package of the image."""
    words = line.strip()
    of_image = words.removeprefix("The user requested (constraint) ")
    return f"  {words}" if of_image == words else f"  the image has {of_image.replace('==', ' ')}"
