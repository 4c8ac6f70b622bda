"""Finding the project, its settings, its paths, and the config class that is read without the model source."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from coordinator.errors import ProjectError
from coordinator.project.project import Project, find_project, target_name
from coordinator.project.shipped import default_template
from tests.coordinator.bundle.programs import write_files

SETTINGS = '[tool.coord]\nmodel_source = "pack"\nentry = "pack.train"\nconfig = "pack.config:Config"\n'
CONFIG = "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Config:\n    seed: int = 0\n"


def _project(root: Path, config: str = CONFIG, settings: str = SETTINGS) -> Project:
    write_files(root, {"pyproject.toml": settings, "pack/__init__.py": "", "pack/config.py": config})
    return find_project(root)


def _error(root: Path, settings: str) -> str:
    with pytest.raises(ProjectError) as caught:
        _project(root, settings=settings)
    return caught.value.what


def test_found_from_below_past_other_projects(tmp_path: Path) -> None:
    """The nearest pyproject.toml with the table counts; one without it, on the way up, is passed over."""
    _project(tmp_path)
    inner = tmp_path / "lib" / "deep"
    write_files(inner, {"pyproject.toml": "[project]\nname = 'x'\n", "a/b.txt": ""})
    assert find_project(inner / "a").root == tmp_path
    link = tmp_path / "link"
    link.symlink_to(inner)
    assert find_project(link).root == tmp_path


def test_none_found_says_where_it_looked(tmp_path: Path) -> None:
    """Without a project there is one line and a hint, whatever else a pyproject.toml says."""
    for text in ("", "tool = 5\n", "[tool.other]\ncoord = 1\n"):
        write_files(tmp_path, {"pyproject.toml": text})
        with pytest.raises(ProjectError, match=r"no project here: neither .* nor a folder above it") as caught:
            find_project(tmp_path)
        assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("[tool.coord", "is not valid TOML"),
        ("[tool]\ncoord = 5\n", "tool.coord: must be a mapping with the keys owner,"),
        (SETTINGS + "ownr = 'a'\n", 'tool.coord.ownr: unknown key "ownr" (did you mean "owner"?)'),
        (SETTINGS + "target = 'moon'\n", "tool.coord.target: must be one of 'kaggle', 'local', is 'moon'"),
        (
            SETTINGS + "[tool.coord.kernel]\nis_private = 1\n",
            "tool.coord.kernel.is_private: must be true or false, is 1",
        ),
        (SETTINGS + "[tool.coord.kernel]\ntimeout_seconds = -1\n", "timeout_seconds: must be > 0, is -1"),
        (SETTINGS.replace('"pack"', '"pakc"'), 'tool.coord.model_source: there is no folder "pakc" in'),
        (SETTINGS.replace("pack.train", "other.train"), 'entry: "other.train" is not a module of "pack"'),
    ],
)
def test_bad_settings(tmp_path: Path, settings: str, message: str) -> None:
    """Each wrong setting is told with its name."""
    assert message in _error(tmp_path, settings)


def test_all_bad_settings_at_once(tmp_path: Path) -> None:
    """Three mistakes, one message."""
    what = _error(tmp_path, SETTINGS + "a = 1\nowner = 2\n[tool.coord.kernel]\nkeywords = 'x'\n")
    assert what.startswith("pyproject.toml has 3 problems:\n")


def test_a_settings_file_that_is_not_text(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are no stack trace."""
    write_files(tmp_path, {"pyproject.toml": b"\xff\xfe"})
    with pytest.raises(ProjectError, match="is not valid TOML"):
        find_project(tmp_path)


def test_a_package_of_that_name_in_this_process_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that has imported another package of the same name keeps it, and the project's own is read."""
    other = ModuleType("pack")
    monkeypatch.setitem(sys.modules, "pack", other)
    assert _project(tmp_path).config_class()().seed == 0
    assert sys.modules["pack"] is other
    assert "pack.config" not in sys.modules


def test_the_config_class_comes_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the config runs neither the training module nor leaves bytecode beside the sources."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    write_files(tmp_path, {"pack/train.py": "raise SystemExit('ran')\n"})
    found = _project(tmp_path).config_class()
    assert found.__name__ == "Config"
    assert "pack" not in sys.modules
    assert not list(tmp_path.rglob("__pycache__"))


def test_an_edited_config_is_read_again(tmp_path: Path) -> None:
    """In one process a class is kept for as long as all its files are the same, also those that it imports."""
    project = _project(tmp_path)
    first = project.config_class()
    assert first().seed == 0
    assert project.config_class() is first
    write_files(tmp_path, {"pack/config.py": "from .parts import SEED\n" + CONFIG.replace("= 0", "= SEED")})
    for seed in (12, 13):
        write_files(tmp_path, {"pack/parts.py": f"SEED = {seed}\n"})
        assert project.config_class()().seed == seed
    (tmp_path / "pack/parts.py").unlink()
    with pytest.raises(ProjectError, match="parts"):
        project.config_class()


def test_a_config_spread_over_modules(tmp_path: Path) -> None:
    """Dataclasses may lie in several modules of the package and inherit from each other, with postponed annotations."""
    from coordinator.project.schema import check

    start = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    parts = (
        "from typing import Literal as Choice\n"
        "@dataclass\nclass Optim:\n    name: Choice['a', 'b'] = 'a'\n"
        "@dataclass\nclass Basic:\n    seed: int = 0\n    optim: Optim | None = None\n"
    )
    write_files(tmp_path, {"pack/parts.py": start + parts})
    config = start + "from .parts import Basic\n@dataclass\nclass Config(Basic):\n    depth: int = 1\n"
    value, problems = check(_project(tmp_path, config).config_class(), {"seed": 2, "optim": {"name": "b"}})
    assert problems == []
    assert repr(value) == "Config(seed=2, optim=Optim(name='b'), depth=1)"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("import torch\n", 'cannot be imported: "torch" is not in the standard library'),
        ("from numpy import array\n", 'cannot be imported: "numpy" is not in the standard library'),
        ("import yaml\n", 'cannot be imported: "yaml" is not in the standard library'),
        ("import no_such_thing\n", '"no_such_thing" is not in the standard library'),
        ("from .missing import x\n", "No module named 'pack.missing'"),
        ("class Config: pass\n", "is not a dataclass"),
        ("Config = 3\n", "is not a dataclass"),
        ("", "has no attribute 'Config'"),
        ("def f(:\n", "SyntaxError: invalid syntax"),
        ("x = undefined\n", "NameError: name 'undefined' is not defined"),
        ("x = 1 / 0\n", "ZeroDivisionError: division by zero"),
    ],
)
def test_config_modules_that_cannot_be_used(tmp_path: Path, config: str, message: str) -> None:
    """Whatever the config module does, the message names the setting that asked for it."""
    with pytest.raises(ProjectError) as caught:
        _project(tmp_path, config).config_class()
    assert caught.value.what.startswith('pyproject.toml: [tool.coord] config = "pack.config:Config"')
    assert message in caught.value.what
    assert "pack" not in sys.modules


LIGHT = "from dataclasses import dataclass\n@dataclass\nclass Config:\n    seed: int = 0\n"


@pytest.mark.parametrize(
    ("files", "place", "move"),
    [
        (
            {"config.py": f"import os\n\nimport numpy as np\n{LIGHT}"},
            '"numpy" is not in the standard library (pack/config.py:3)',
            "Move what needs numpy out of pack/config.py, into a module that it does not import,\n"
            "or import numpy inside the function that uses it.",
        ),
        (
            {"config.py": f"{LIGHT}from torch.nn import Module\n"},
            '"torch" is not in the standard library (pack/config.py:5)',
            "Move what needs torch out of pack/config.py, into a module that it does not import,\n"
            "or import torch inside the function that uses it.",
        ),
        (
            {"config.py": f"from .parts import SIZE\n{LIGHT}", "parts.py": "SIZE = 3\nimport pandas\n"},
            '"pandas" is not in the standard library (pack/parts.py:2, imported by pack/config.py:1)',
            "Move what pack/config.py needs of pack/parts.py into a module that does not import pandas,\n"
            "or import pack/parts.py inside the function that uses it.",
        ),
        (
            {
                "config.py": f"import pack.one\n{LIGHT}",
                "one.py": "from pack import two\n",
                "two.py": "def f():\n    import cv2\n\nf()\n",
            },
            '"cv2" is not in the standard library (pack/two.py:2, imported by pack/two.py:4, '
            "imported by pack/one.py:1, imported by pack/config.py:1)",
            "Move what pack/config.py needs of pack/two.py into a module that does not import cv2,",
        ),
        (
            {"config.py": LIGHT, "__init__.py": "import sklearn\n"},
            '"sklearn" is not in the standard library (pack/__init__.py:1)',
            "Move what needs sklearn out of pack/__init__.py, into a module that it does not import,",
        ),
    ],
)
def test_a_config_that_needs_a_library_says_which_line_and_what_to_move(
    tmp_path: Path, files: dict[str, str], place: str, move: str
) -> None:
    """The line that imports it, and by which lines the config comes there."""
    project = _project(tmp_path, files["config.py"])
    write_files(tmp_path, {f"pack/{name}": text for name, text in files.items()})
    with pytest.raises(ProjectError) as caught:
        project.config_class()
    assert caught.value.what.endswith(place)
    assert move in (caught.value.hint or "")
    assert "config_python" in (caught.value.hint or "")


def test_an_import_inside_a_function_is_no_problem(tmp_path: Path) -> None:
    """The remedy that the message names works."""
    project = _project(tmp_path, LIGHT + "    def array(self):\n        import numpy\n        return numpy.zeros(3)\n")
    assert project.config_class()().seed == 0


def test_an_error_in_a_config_has_its_line(tmp_path: Path) -> None:
    """Of whatever kind it is."""
    with pytest.raises(ProjectError, match=r"ZeroDivisionError: division by zero \(pack/config.py:2\)"):
        _project(tmp_path, "x = 1\ny = x / 0\n").config_class()


def test_a_config_without_a_class_name(tmp_path: Path) -> None:
    """The setting's form is checked before anything is imported."""
    project = _project(tmp_path, settings=SETTINGS.replace(":Config", ""))
    with pytest.raises(ProjectError, match="is not of the form module:name"):
        project.config_class()


def test_templates_of_the_project_come_first(tmp_path: Path) -> None:
    """A project may bring one template and leave the other to coord."""
    project = _project(tmp_path, settings=SETTINGS + 'templates = "mine"\n')
    write_files(tmp_path, {"mine/kernel.py.j2": "x"})
    assert project.template("kernel.py.j2") == tmp_path / "mine" / "kernel.py.j2"
    assert project.template("kernel-metadata.json.j2") == default_template("kernel-metadata.json.j2")
    assert default_template("kernel-metadata.json.j2").is_file()


def test_paths_stay_in_the_project(tmp_path: Path) -> None:
    """Everything that coord writes lies in three folders of the project, and is shown relative to it."""
    project = _project(tmp_path)
    assert project.relative(project.build("a")) == "build/a"
    assert project.relative(project.results("a", "local", 3)) == "results/a/local-v3"
    assert project.relative(project.ledger) == ".coord/ledger.sqlite"
    assert project.relative(Path("/elsewhere/x")) == "/elsewhere/x"


def test_the_target_comes_from_option_variable_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order; an unknown one is told together with where it was named."""
    project = _project(tmp_path, settings=SETTINGS + "target = 'local'\n")
    assert target_name(project, None) == "local"
    monkeypatch.setenv("COORD_TARGET", "kaggle")
    assert target_name(project, None) == "kaggle"
    assert target_name(project, "local") == "local"
    monkeypatch.setenv("COORD_TARGET", "moon")
    with pytest.raises(ProjectError, match='COORD_TARGET: there is no target "moon"'):
        target_name(project, None)
    with pytest.raises(ProjectError, match='--target: there is no target "sun"'):
        target_name(project, "sun")
