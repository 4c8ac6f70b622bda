"""Which names from elsewhere (a target, a kernel's text, a results folder) may become paths on this machine."""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from coordinator.errors import did_you_mean
from coordinator.system import IS_WINDOWS
from coordinator.text import clean

_PART_MAX = 255  # bytes of the name of one file or folder, on the usual file systems
_DEPTH_MAX = 64  # parts of a path: programs that walk a folder, Python's own too, fail at some hundred
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=+-]*")
_SEEDS = 5  # names of experiments in a message
_IN_NO_NAME = ("Cc", "Cs", "Zl", "Zp")  # Unicode's categories of controls, halves of characters, ends of lines


@functools.lru_cache(maxsize=1024)  # the same few names are in thousands of results folders
def confined(name: str) -> PurePosixPath:
    """The relative path that a name gives: inside the folder that it is joined to, on every system.

    Raises ValueError, whose text ends a sentence that begins with the name: "it leads out of its folder".
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("it leads out of its folder")
    if not path.parts:
        raise ValueError("it names no file")
    if "\\" in name:
        raise ValueError("it has a backslash, which separates folders on some systems")
    if clean(name) != name or any(unicodedata.category(character) in _IN_NO_NAME for character in name):
        raise ValueError("it has control characters")
    if len(path.parts) > _DEPTH_MAX:
        raise ValueError(f"it is in more than {_DEPTH_MAX - 1} folders")
    if max(len(part.encode("utf-8")) for part in path.parts) > _PART_MAX:
        raise ValueError(f"a part of it is longer than {_PART_MAX} bytes")
    return path


_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:\..*)?", re.IGNORECASE)
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*]|[. ]+$')


def is_device(part: str) -> bool:
    """Whether Windows takes this name of a file or folder for a device: NUL, aux.yaml."""
    return _DEVICE.fullmatch(part) is not None


def windows_name(path: PurePosixPath) -> PurePosixPath:
    """The path itself where Windows takes it, or else one like it, which is made of no other name.

    Windows would take `a:b` for a hidden part of `a`, `nul.csv` for a device, and `a.` for `a`.
    """
    return PurePosixPath(*map(_windows_part, path.parts))


def local_name(path: PurePosixPath) -> PurePosixPath:
    """The name that a file from elsewhere has on this machine."""
    return windows_name(path) if IS_WINDOWS else path


def _windows_part(part: str) -> str:
    if not is_device(part) and not _NOT_ON_WINDOWS.search(part):
        return part
    mark = hashlib.sha256(part.encode("utf-8")).hexdigest()[:8]
    first, dot, rest = _NOT_ON_WINDOWS.sub("_", part).partition(".")
    first = first.encode("utf-8")[: _PART_MAX - len(mark) - 1 - len(f"{dot}{rest}".encode())].decode("utf-8", "ignore")
    return f"{first}-{mark}{dot}{rest}"


def is_seed_of(experiment: str, name: str) -> bool:
    """Whether a name that leaves out the seed means that experiment, too: `base` for `base-s0` and `base--s1`."""
    return re.fullmatch(re.escape(name) + r"--?s\d+", experiment) is not None


def near_experiment(name: str, known: Iterable[str]) -> str:
    """What follows `there is no experiment NAME`: those of its seeds, or the nearest name, or nothing."""
    known = list(known)
    seeds = sorted(each for each in known if is_seed_of(each, name))
    if not seeds:
        return did_you_mean(name, known)
    return f", but one a seed: {', '.join(seeds[:_SEEDS])}{', ...' if len(seeds) > _SEEDS else ''}"


def is_confined(name: object) -> bool:
    """Whether this is a text that `confined` takes."""
    try:
        return isinstance(name, str) and bool(confined(name))
    except ValueError:
        return False


def is_plain(name: object) -> bool:
    """Whether this is a text that can be the name of an experiment, a kernel, a sweep or a run: one part of a path."""
    return isinstance(name, str) and len(name) <= _PART_MAX and _PLAIN.fullmatch(name) is not None


def same_file(path: PurePosixPath) -> str:
    """A text that is equal for names which are one file where case and the form of accents don't count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(path)).casefold())
