"""The help texts, the shapes of the `--json` outputs and the shapes of a run's files, compared with golden files.

The shape of a value has one line for each path in it, with the types of all values at that path:
`[].state: str`, `[].summary.primary.value: float | null`. The values themselves are left out.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

import click
import pytest
import typer
from click.testing import CliRunner

from coordinator.bundle.image import shipped_image
from coordinator.cli import app
from coordinator.wheels.lock import Lock, Wheel
from tests.coordinator.command import Coord, until
from tests.coordinator.whole_project import complete
from tests.paths import GOLDEN

COMMAND = typer.main.get_command(app)
GOLDEN_CLI = GOLDEN / "cli"
ABSENT = object()
TYPES = {type(None): "null", bool: "bool", int: "int", float: "float", str: "str", dict: "object", list: "list"}
MAPPINGS = {"files", "output", "packages", "modules", "counts", "merged"}
"""Objects whose keys are data: their values have one common path, `files{}`."""
SEEN_RUNNING = {"started_at": "str", "deadline": "str", "queued_seconds": "int", "running_seconds": "int"}
"""What is null if nobody asked while the session ran, which is a matter of moments here: both types are shown."""


def _states(coord: Coord) -> list[str]:
    return [run["state"] for run in json.loads(coord.here("status", "--json").stdout)]


def _push_the_sweep(coord: Coord) -> None:
    """Until its runs have ended: where they stand before that depends on time."""
    coord.here(*SWEEP.split())
    until(lambda: set(_states(coord)) <= {"complete", "error"}, "the end of the sweep's runs")


def _wait_for_the_last_epoch(coord: Coord) -> None:
    def event() -> dict[str, Any]:
        return json.loads(coord.here("status", "--exp", "base", "--json").stdout)[0]["last_event"] or {}

    until(lambda: (event().get("fold"), event().get("epoch")) == (1, 3), "the last epoch")


def _lose_results(coord: Coord) -> None:
    shutil.rmtree(coord.root / "results" / "base" / "local-v1")


def _hide_rows(coord: Coord) -> None:
    (coord.root / "hidden").mkdir()
    (coord.root / "hidden" / "sample_submission.csv").write_text("id,label\nn0,0\nn1,0\nn2,0\n")
    coord("local", "add-competition", "parity", "data", "--hidden", "hidden", "--code-only")


def _require_a_wheel(coord: Coord) -> None:
    """One that is locked and here; nothing is resolved."""
    settings = coord.root / "pyproject.toml"
    settings.write_text(settings.read_text().replace("[tool.coord]\n", '[tool.coord]\nrequirements = ["fast"]\n', 1))
    wheel = Wheel("fast-1.0-py3-none-any.whl", "fast", "1.0", 10, "0" * 64, ("fast",))
    lock = Lock(("fast",), shipped_image().python, {}, (wheel,))
    (coord.root / "kaggle-wheels.json").write_text(lock.to_json())
    (coord.root / ".coord" / "wheels" / lock.slug).mkdir(parents=True)


@dataclass(frozen=True)
class Case:
    """A command line without `--json`, its exit code, and what is done before it."""

    line: str
    code: int = 0
    first: Callable[[Coord], None] | None = None
    is_by_line: bool = False
    """Its output has one JSON value a line."""


SWEEP = "sweep --exp base --grid optim.lr=0.2 --split-folds"
CASES = [
    Case("init new --owner ada --nested"),
    Case("experiments"),
    Case("show --exp crash --set optim.lr=0.5"),
    Case("bundle tiny_model/engine.py -o engine.py"),
    Case("image show"),
    Case("image show numpy"),
    Case("image show json"),
    Case("build --exp base"),
    Case("dry-run --exp base"),
    Case("doctor"),
    Case("quota"),
    Case("targets", code=1),  # Kaggle does not answer: there are no credentials
    Case("data push data ada/tiny-data --no-wait"),
    Case("data push data ada/tiny-data"),
    Case("data status ada/tiny-data"),
    Case("data list"),
    Case("data fetch ada/tiny-data fetched"),
    Case("push --exp base --wait"),
    Case("push --exp base --exp crash --wait", code=1),
    Case(SWEEP + " --plan"),
    Case(SWEEP, first=_push_the_sweep),
    Case("sweep resume base--lr-f2"),
    Case("sweep status"),
    Case("sweep status base--lr-f2"),
    Case("sweep merge base--lr-f2"),
    Case("fetch-results --exp base --version 1"),
    Case("fetch-results --all"),
    Case("build --exp base --check results/base/local-v1"),
    Case("build --exp base --set optim.lr=0.5 --check results/base/local-v1", code=1),
    Case("logs --exp base", is_by_line=True),
    Case("note --exp base remember"),
    Case("tag --exp base --version 1 good"),
    Case("status"),
    Case("runs"),
    Case("runs --columns run,value,optim.lr"),
    Case("compare base base--lr0.2"),
    Case("compare base"),
    Case("best"),
    Case("submit --exp base --version 1 --upload --wait"),
    Case("scores"),
    Case("report"),
    Case("promote --exp base --version 1 -o frozen"),
    Case("promote --verify frozen"),
    Case("export --tensorboard events --exp base"),
    Case("ledger export"),
    Case("hide base@v1"),
    Case("rm --undo base@v1"),
    Case("continue --exp base --version 1"),
    Case("cancel --exp base", first=_wait_for_the_last_epoch),
    Case("ledger check", code=1, first=_lose_results),
    Case("ledger check --repair"),
    Case("rehearse --exp base", code=1, first=_hide_rows),
    Case("wheels --no-push", first=_require_a_wheel),
]


def test_help() -> None:
    """`--help` of coord and of every command says what it said, on 80 columns."""
    texts = []
    for names, _ in _commands():
        done = CliRunner().invoke(COMMAND, [*names, "--help"], prog_name="coord", env={"COLUMNS": "80"})
        assert done.exit_code == 0, done.output
        texts.append(_section(" ".join(["coord", *names, "--help"]), done.output.splitlines()))
    _check_golden("help.txt", "\n".join(texts))


def test_every_command_with_json_has_a_case() -> None:
    """A new command with `--json` gets a case here."""
    commands = dict(_commands())
    lines = [tuple(case.line.split()) for case in CASES]
    tried = {max((line[:length] for length in (1, 2) if line[:length] in commands), key=len) for line in lines}
    with_json = {names for names, each in commands.items() if any("--json" in option.opts for option in each.params)}
    assert sorted(with_json - tried) == []
    assert sorted(tried - with_json) == []


def test_json_shapes(coord: Coord) -> None:
    """Each command's `--json` has the paths and the types that it had."""
    complete(coord.root)
    coord("local", "add-competition", "parity", "data", "--solution", "solution.csv")
    texts = []
    for case in CASES:
        if case.first is not None:
            case.first(coord)
        out = coord.here(*case.line.split(), "--json", code=case.code).stdout
        values = [json.loads(line) for line in out.splitlines()] if case.is_by_line else [json.loads(out)]
        texts.append(_section(f"coord {case.line} --json", _shape(values)))
    _check_golden("json.txt", "\n".join(texts))


def test_files_of_a_run(coord: Coord) -> None:
    """A run's results, coord's own files among them, and the manifest have the keys and the types that they had."""
    coord("push", "--exp", "base", "--wait")
    coord("fetch-results", "--exp", "base")
    results = coord.root / "results" / "base" / "local-v1"
    texts = []
    for file in sorted(results.glob("*.json")):
        texts.append(_section(file.name, _shape([json.loads(file.read_text())])))
    events = [json.loads(line) for line in (results / "metrics.jsonl").read_text().splitlines()]
    for kind in sorted({event["event"] for event in events}):
        found = [event for event in events if event["event"] == kind]
        texts.append(_section(f"metrics.jsonl, {kind}", _shape(found)))
    for file in sorted(results.glob("*.csv")):
        with file.open(newline="") as lines:
            texts.append(_section(file.name, [", ".join(next(csv.reader(lines)))]))
    manifest = json.loads((coord.root / "build" / "base" / "manifest.json").read_text())
    texts.append(_section("manifest.json", _shape([manifest])))
    _check_golden("files.txt", "\n".join(texts))


def test_the_shape_of_a_value() -> None:
    """Types are gathered over the elements of a list; a key that only some have is shown as absent."""
    value = [{"a": 1, "b": []}, {"a": None, "files": {"x.py": True, "y.py": 0.5}, "b": ["z"]}]
    assert _shape([value]) == [
        ": list",
        "[]: object",
        "[].a: int | null",
        "[].b: list",
        "[].b[]: str",
        "[].files: absent | object",
        "[].files{}: bool | float",
    ]
    assert _shape([{"cv/dice": {}}]) == [": object", '["cv/dice"]: object']


def _commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its names, those above it first: (), ("sweep",), ("sweep", "status")."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), COMMAND)]
    while waiting:
        names, command = waiting.pop(0)
        yield names, command
        under = getattr(command, "commands", {})
        waiting += [((*names, name), under[name]) for name in sorted(under)]


def _shape(values: Sequence[Any], path: str = "") -> list[str]:
    """The lines of the values that are at one path."""
    key = re.split(r"[.\]]", path)[-1]
    kinds = {"absent" if value is ABSENT else TYPES[type(value)] for value in values}
    if key in SEEN_RUNNING:
        kinds |= {"null", SEEN_RUNNING[key]}
    lines = [f"{path}: {' | '.join(sorted(kinds))}"]
    elements = [element for value in values if isinstance(value, list) for element in value]
    if elements:
        lines += _shape(elements, f"{path}[]")
    objects = [value for value in values if isinstance(value, dict)]
    if key in MAPPINGS:
        inner = [element for value in objects for element in value.values()]
        return lines + (_shape(inner, path + "{}") if inner else [])
    for name in sorted({name for value in objects for name in value}):
        step = f".{name}" if name.isidentifier() else f"[{json.dumps(name)}]"
        lines += _shape([value.get(name, ABSENT) for value in objects], path + step)
    return lines


def _section(title: str, lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in (f"==== {title}", *lines))


def _check_golden(name: str, text: str) -> None:
    file = GOLDEN_CLI / name
    if os.environ.get("GOLDEN") == "accept":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    before = file.read_text(encoding="utf-8")
    if text != before:
        diff = "\n".join(unified_diff(before.splitlines(), text.splitlines(), "as it was", "as it is", lineterm=""))
        accept = "If the change is meant, run the tests once with GOLDEN=accept and look at the diff."
        pytest.fail(f"{name} is not as it was. {accept}\n{diff}", pytrace=False)
