"""The methods of Kaggle's services that the local Kaggle does not have: all that kagglesdk can call."""

import functools
import importlib.resources
import re
from collections.abc import Iterator
from importlib.resources.abc import Traversable

_CALL = re.compile(r"""\.call\(\s*["']([\w.]+)["'],\s*["'](\w+)["']""")


def is_kaggles(name: str) -> bool:
    """Whether Kaggle has that `service/method`, as far as the installed kagglesdk knows."""
    return name in _known()


@functools.cache
def _known() -> frozenset[str]:
    """Read from the texts of kagglesdk's clients: the names are nowhere else, and importing all takes a second."""
    root = importlib.resources.files("kagglesdk")
    return frozenset(
        "/".join(found.groups())
        for folder in root.iterdir()
        if folder.is_dir()
        for file in _files(folder / "services")
        for found in _CALL.finditer(file.read_text(encoding="utf-8"))
    )


def _files(folder: Traversable) -> Iterator[Traversable]:
    if folder.is_dir():
        yield from (each for each in folder.iterdir() if each.name.endswith(".py"))
