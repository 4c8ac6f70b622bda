"""How a config reaches the program: the data that `bundle/delivery.py` works with in the kernel."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from coordinator.errors import ProjectError
from coordinator.project.declaration.config_files import FORMATS
from coordinator.project.project import Project
from coordinator.project.values import leaves

_KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TMPDIR|TEMP|TMP|PWD|TERM|TZ|PYTHON\w*|LD_\w+|DYLD_\w+|COORD_\w+|KAGGLE_\w+"
)
"""Variables that the program's surroundings use: a value of this name would break the run."""


def way(project: Project, usual: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The delivery that the settings name, or the `usual` one of the declaration. Raises ProjectError."""
    setting = project.settings.delivery
    if setting is None or setting == usual["kind"]:
        return _checked(dict(usual), config)
    if setting in ("file", "environment"):
        return _checked({"kind": setting}, config)
    if setting == "arguments":
        return {"kind": "arguments", "flags": [_plain_flag(path, value) for path, value in leaves(config)]}
    if setting == "hydra":
        return {"kind": "hydra", "defaults": usual.get("defaults", {})}
    path = PurePosixPath(setting)
    if path.suffix not in FORMATS:
        raise ProjectError(
            f"{project.said('delivery', setting)} is no delivery: file, arguments, hydra, environment, or the path of "
            "a YAML, JSON or TOML file"
        )
    if path.is_absolute() or ".." in path.parts:
        raise ProjectError(f"{project.said('delivery', setting)} is not a path inside the project")
    found = {"kind": "written", "path": str(path), "format": FORMATS[path.suffix]}
    if usual["kind"] == "written":
        found |= {name: usual[name] for name in ("bare_keys", "bare_values") if name in usual}
        if usual["path"] == str(path):
            found = dict(usual)
    return _checked(found, config)


def _plain_flag(path: str, value: Any) -> dict[str, Any]:
    """The flag that a program most likely has for a value, if it declares none: `--optim.lr 0.1`, `--amp`."""
    if isinstance(value, bool):
        return {"path": path, "kind": "switch", "flag": f"--{path}", "off": ""}
    return {"path": path, "kind": "list" if isinstance(value, list) else "value", "flag": f"--{path}"}


def _checked(found: dict[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    if found["kind"] == "environment":
        seen: dict[str, str] = {}
        for path, _ in leaves(config):
            name = re.sub(r"\W", "_", path).upper()
            if _KEPT.fullmatch(name):
                raise ProjectError(f'delivery = "environment": the value {path} would replace the variable {name}')
            if name in seen:
                raise ProjectError(f'delivery = "environment": {seen[name]} and {path} would both be {name}')
            seen[name] = path
    if found.get("format") == "toml" and (nulls := list(_nulls(config))):
        raise ProjectError(
            f"{found['path']}: TOML has no null, and {nulls[0]} is null", hint="Name a YAML or JSON file."
        )
    return found


def _nulls(value: Any, path: str = "") -> Iterable[str]:
    if isinstance(value, Mapping | list):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in items:
            yield from _nulls(item, f"{path}.{key}".lstrip("."))
    elif value is None:
        yield path
