"""What init says: what it found, and what only the owner knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coordinator.project.adoption.data import OURS, Input, inputs_in, large_paths, not_here, texts_of
from coordinator.project.adoption.entry import ProgramEntry
from coordinator.project.adoption.program_config import ProgramConfig
from coordinator.project.adoption.tree import Tree
from coordinator.project.values import leaves

_SHOWN = 3


@dataclass(frozen=True)
class Data:
    """What the program reads."""

    inputs: Sequence[Input]
    """Below input/."""
    large: Sequence[tuple[str, str]]
    """(path, how large) of what no kernel takes."""
    elsewhere: Sequence[tuple[str, str]]
    """(value, path) of what is not in the repository."""


def data_of(tree: Tree, config: ProgramConfig) -> Data:
    """From the texts of its sources, its arguments and the values of its config."""
    args = [("the arguments", word.partition("=")[2] or word) for word in config.args]
    named = {**dict(leaves(config.defaults)), **config.values}
    texts = [*texts_of(config.sources), *((str(value), label) for label, value in (*args, *named.items()))]
    return Data(inputs_in(texts, tree), large_paths(tree, [*args, *named.items()]), not_here(tree, named.items()))


def found_lines(entry: ProgramEntry, config: ProgramConfig, ignored: Sequence[str]) -> Iterator[str]:
    """One thing a line."""
    yield f"entry    {entry.name} ({entry.why})"
    yield f"config   {config.what}"
    if config.args:
        yield f"args     {' '.join(config.args)}"
    if config.path:
        yield f"path     {' '.join(config.path)}"
    if shown := [line for line in ignored if not line.startswith("/.") and line.strip("/") not in OURS]:
        yield f"ignored  {' '.join(shown)}"
    if others := [each for each in entry.others if each != entry.name]:
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        yield f"others   {', '.join(others[:_SHOWN])}{more}: run by experiments with entry: {others[0]}"


def unknown_lines(entry: ProgramEntry, config: ProgramConfig, data: Data, competition: str | None) -> Iterator[str]:
    """One question a line, with the place of its answer."""
    yield "which metric counts: primary and line in [tool.coord.metrics]"
    for each in data.inputs:
        if not each.kind and each.slug != competition:
            yield f"whether input/{each.slug} ({each.where}) is a competition or whose data set: [tool.coord.kernel]"
    for path, size in data.large:
        yield f"as which data set Kaggle gets {path} ({size}): dataset_sources in [tool.coord.kernel]"
    for label, path in data.elsewhere[:_SHOWN]:
        yield f"what {label} is on Kaggle: {path} is not in this repository"
    yield from config.unknown
    if entry.command is not None and entry.command.launcher:
        yield f"how many processes: {entry.command.where} starts them with {entry.command.launcher}, coord one"
