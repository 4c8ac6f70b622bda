"""The text of the `[tool.coord]` tables."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass

from slugify import slugify

from coordinator.errors import UsageError
from coordinator.kaggle_rules import TITLE_MAX
from coordinator.project.adoption.data import Input
from coordinator.project.adoption.metrics_lines import Line, mode_of
from coordinator.project.init import TITLE_ROOM

_LINES_SHOWN = 3


@dataclass(frozen=True)
class Tables:
    """What the settings say."""

    name: str
    """Of the repository."""
    entry: str
    args: Sequence[str] = ()
    config: str | None = None
    config_python: str | None = None
    path: Sequence[str] = ()
    experiments: str = "experiments"
    owner: str | None = None
    competition: str | None = None
    inputs: Sequence[Input] = ()
    large: Sequence[tuple[str, str]] = ()
    """(path, how large) of what the arguments name and no kernel takes."""
    lines: Sequence[Line] = ()
    remarks: Sequence[str] = ()
    """Comments on the config."""


def tables_text(tables: Tables) -> str:
    """The tables, to be appended to a pyproject.toml."""
    rows = [
        "# How coord runs this repository on Kaggle; written by `coord init`.",
        "[tool.coord]",
        f"owner = {_text(tables.owner)}" if tables.owner else '# owner = "your-kaggle-name"',
        f"entry = {_text(tables.entry)}",
        *([f"args = {_list(tables.args)}"] if tables.args else []),
        *([f"config = {_text(tables.config)}"] if tables.config else []),
        *([f"config_python = {_text(tables.config_python)}"] if tables.config_python else []),
        *([f"path = {_list(tables.path)}"] if tables.path else []),
        *([f"experiments = {_text(tables.experiments)}"] if tables.experiments != "experiments" else []),
        *(f"# {remark}" for remark in tables.remarks),
        "",
        "[tool.coord.kernel]",
        f"title = {_text(title_of(tables.name))}",
        '# machine_shape = "NvidiaTeslaT4"   # two T4s; without it a CPU',
        *_sources(tables),
        "",
        "[tool.coord.metrics]",
        *_metrics(tables.lines),
    ]
    return "\n".join(rows) + "\n"


def title_of(name: str) -> str:
    """The setting `title`: long enough for Kaggle with any experiment's name, and short enough with most."""
    begin = slugify(name, max_length=TITLE_MAX - TITLE_ROOM, word_boundary=True).replace("-", " ")
    return f"{begin if len(begin) > 2 else f'kernel {begin}'.strip()} {{experiment}}"


def _sources(tables: Tables) -> list[str]:
    rows = [f"competition_sources = {_list([tables.competition])}"] if tables.competition else []
    known = [each for each in tables.inputs if each.slug != tables.competition]
    competitions = [each for each in known if each.kind == "competition"]
    datasets = [each for each in known if each.kind == "dataset"]
    unclear = [each for each in known if not each.kind]
    if competitions and not tables.competition:
        rows.append(f"competition_sources = {_list([each.slug for each in competitions])}")
    if datasets:
        rows.append(f"dataset_sources = {_list([each.slug for each in datasets])}")
    for each in unclear:
        rows.append(f"# {each.where} reads input/{each.slug}. If it is a competition, or else a data set:")
        rows += [] if tables.competition else [f"# competition_sources = {_list([each.slug])}"]
        rows += [] if datasets else [f"# dataset_sources = {_list([f'OWNER/{each.slug}'])}"]
    for path, size in tables.large:
        rows.append(f"# {path} ({size}) is too large for a kernel: make it a data set of yours, and name that")
        rows += [] if datasets else [f"# dataset_sources = {_list([f'OWNER/{slugify(path)}'])}"]
    if not rows:
        rows = ['# competition_sources = ["slug"]', '# dataset_sources = ["owner/slug"]']
    return rows


def _metrics(lines: Sequence[Line]) -> list[str]:
    rows = ["# Which metric counts, and in which direction? (docs/metrics.md of coord)"]
    names = list(dict.fromkeys(name for line in lines for name in line.metrics))
    name = next((each for each in names if mode_of(each) == "max"), names[0] if names else "val_auc")
    rows.append(f'# primary = {{name = {_text(name)}, mode = "{mode_of(name) or "max"}"}}')
    others = {each: mode for each in names if each != name and (mode := mode_of(each))}
    if others:
        pairs = ", ".join(f"{_text(each)} = {_text(mode)}" for each, mode in others.items())
        rows.append(f"# modes = {{{pairs}}}")
    for line in lines[:_LINES_SHOWN]:
        rows += [f"# {line.where} prints it:", f"# line = '{line.pattern}'"]
    if not lines:
        rows += [
            "# If no library logs it: a pattern of the lines that the program prints, such as",
            r"# line = 'fold (?P<fold>\d+).*auc (?P<auc>[\d.]+)'",
        ]
    return rows


def appended(before: bytes, text: str) -> bytes:
    """The file with the tables at its end. Raises UsageError if that is not valid TOML."""
    newline = "\r\n" if b"\r\n" in before else "\n"
    gap = "" if not before else "\n" if before.endswith(b"\n") else "\n\n"
    after = before + (gap + text).replace("\n", newline).encode("utf-8")
    try:
        tomllib.loads(after.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"pyproject.toml cannot take a [tool.coord] table at its end: {error}",
            hint="If it has tool = {...}, write [tool.NAME] tables instead.",
        ) from error
    return after


def _text(value: str | None) -> str:
    return json.dumps(value, ensure_ascii=False)


def _list(values: Sequence[str]) -> str:
    return json.dumps(list(values), ensure_ascii=False)
