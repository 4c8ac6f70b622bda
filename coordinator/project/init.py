"""The verb init: a small project that works at once, from one of the templates that coord ships with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jinja2
from slugify import slugify

from coordinator.errors import NoProject, UsageError
from coordinator.files import check_free, is_leftover, write_folder
from coordinator.kaggle_rules import TITLE_MAX
from coordinator.project.project import find_project
from coordinator.project.shipped import shipped

Template = Literal["minimal", "mask-rcnn"]

_PARTS: dict[Template, dict[str, str]] = {
    "minimal": {
        "project_templates/minimal": "",
        "project_templates/gitignore": ".gitignore",
        "model_src/files.py": "model/files.py",
        "model_src/output/report.py": "model/report.py",
        "model_src/data/inputs.py": "model/inputs.py",
    },
    "mask-rcnn": {
        "project_templates/mask-rcnn": "",
        "project_templates/gitignore": ".gitignore",
        "model_src": "model_src",
        "experiments/base.yaml": "experiments/base.yaml",
        "experiments/smoke.yaml": "experiments/smoke.yaml",
        "pyproject.toml": "pyproject.toml",
    },
}
"""What coord ships with -> where it goes in the project. A file that ends in .j2 is rendered with `_Values`."""
_RENDERED = ".j2"
_OWNER_LINE = re.compile(r'^# owner = "your-kaggle-name".*$', re.MULTILINE)
_TITLE_LINE = re.compile(r'^title = ".*"$', re.MULTILINE)
TITLE_ROOM = 20
"""Characters of a kernel's title that are left for the experiment's name."""
_COMPETITION = "sample-competition"


@dataclass(frozen=True)
class _Values:
    """What a template can insert."""

    name: str
    """The project's name, which is its folder's."""
    title: str
    """Begins the kernels' titles."""
    owner: str | None
    competition: str


def init_project(
    directory: Path,
    template: Template,
    *,
    owner: str | None = None,
    competition: str | None = None,
    is_nested: bool = False,
) -> tuple[str, ...]:
    """Makes a project in `directory`, which is new or empty; returns its files, sorted.

    Either all of them are written or none. `competition` is the slug that the minimal template's kernels attach.
    Raises UsageError if the folder is not empty, if it lies in another project (unless `is_nested`), or if a name is
    not valid on Kaggle.
    """
    check_names(owner, competition)
    if competition is not None and template != "minimal":
        raise UsageError(f"--competition is for the minimal template; {template} has its data in experiments/base.yaml")
    check_free(directory)
    if not is_nested:
        check_not_inside(directory.resolve(), "write an experiment in that project")
    name = directory.resolve().name
    title = slugify(name, max_length=TITLE_MAX - TITLE_ROOM) or "kernel"
    values = _Values(name=name, title=title, owner=owner, competition=competition or _COMPETITION)
    files = {path: data for source, to in _PARTS[template].items() for path, data in _contents(source, to, values)}
    write_folder(directory, files)
    return tuple(sorted(map(str, files)))


def check_not_inside(root: Path, instead: str) -> None:
    """Raises UsageError if the folder lies in a project: commands in it would be about another one than a level above.

    `instead` is what the user may have meant.
    """
    try:
        outer = find_project(root.parent)
    except NoProject:
        return
    raise UsageError(
        f"{root} lies inside another project, {outer.root}",
        hint=f"Take a folder outside of it, or {instead}; --nested makes a project of its own there.",
    )


def check_names(owner: str | None, competition: str | None) -> None:
    """Raises UsageError if one of them is no name on Kaggle."""
    for option, value in (("--owner", owner), ("--competition", competition)):
        if value is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", value):
            hint = "The slug is the last part of its address, https://www.kaggle.com/competitions/SLUG."
            raise UsageError(
                f'{option} "{value}" is not a valid name on Kaggle: letters, digits, _ and - only',
                hint=hint if option == "--competition" else None,
            )


def _contents(source: str, to: str, values: _Values) -> Iterator[tuple[Path, bytes]]:
    """(path in the project, content) of a part of a template."""
    top = shipped(source)
    paths = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
    for path in paths:
        if "__pycache__" in path.parts or is_leftover(path.name):
            continue
        place, data = Path(to, path.relative_to(top)), path.read_bytes()
        if source == "pyproject.toml":
            data = _settings(data.decode("utf-8"), values).encode("utf-8")
        elif top.is_file() and path.suffix == ".py":
            data = data.replace(b"\nfrom ..", b"\nfrom .")  # a single module leaves its folder for the package's top
        elif path.suffix == _RENDERED:
            place, data = place.with_suffix(""), _rendered(data.decode("utf-8"), values).encode("utf-8")
        yield place, data


def _rendered(text: str, values: _Values) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    return environment.from_string(text).render(vars(values))


def _settings(text: str, values: _Values) -> str:
    """The tables of coord's own pyproject.toml that make it a project: they come last in it."""
    table = "[tool.coord]\n"
    settings = table + text.partition(f"\n{table}")[2]
    settings = settings.replace('templates = "kernel_templates"\n', "")  # those that coord ships with are the same
    # Two projects of one owner must not push to the same kernels.
    settings = _TITLE_LINE.sub(f'title = "{values.title} {{experiment}}"', settings)
    return _OWNER_LINE.sub(f"owner = {json.dumps(values.owner)}", settings) if values.owner else settings
