"""What `coord init` writes into a repository, and that it changes nothing else."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from coordinator import files as coordinator_files
from coordinator.errors import ProjectError, UsageError
from coordinator.project import Wish, adopt, find_project, resolve
from coordinator.project.adoption import adopt as verb
from tests.coordinator.bundle.programs import write_files

FLAGS = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True, help="a folder; # and : are text")
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--model", choices=["a", "b"], default="a", help="%s")
parser.add_argument("--tags", nargs="*", default=["x: y"])
parser.add_argument("--flip", action="store_true")
args = parser.parse_args()
for fold in range(5):
    print(f"Fold {fold}: CV score={1:.4f}, val loss {2}")
""" % ("long " * 40)


def _adopted(root: Path, files: dict[str, str | bytes], **wish: Any) -> tuple[verb.Adoption, dict[str, Any]]:
    write_files(root, files)
    found = adopt(root, Wish(**wish))
    return found, tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["coord"]


def test_flags_become_the_base_experiment(tmp_path: Path) -> None:
    """Each flag is there with its help, commented unless the README gives it; removing `# ` gives valid YAML."""
    _, settings = _adopted(tmp_path, {"train.py": FLAGS, "README.md": "python train.py --data in --flip"})
    assert settings["config"] == "argparse"
    text = (tmp_path / "experiments" / "base.yaml").read_text(encoding="utf-8")
    config = resolve(find_project(tmp_path), "base").config
    assert config == {"data": "in", "lr": 0.001, "model": "a", "tags": ["x: y"], "flip": True}
    assert yaml.safe_load(text)["config"] == {"data": "in", "flip": True}
    bare = re.sub(r"^(  +)# ", r"\1", text, flags=re.MULTILINE)
    assert yaml.safe_load(bare)["config"] == config
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "line = 'Fold (?P<fold>\\d+).*CV score=(?P<cv_score>[-+.\\deE]+).*val loss (?P<val_loss>" in (
        tmp_path / "pyproject.toml"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ('print("CV AUC:", auc)', "CV AUC: (?P<cv_auc>[-+.\\deE]+)"),
        ('logger.info("epoch %d - loss: %.4f" % (epoch, loss))', "epoch (?P<epoch>\\d+).*loss: (?P<loss>[-+.\\deE]+)"),
        ('print("Fold {}: rmse\\t{:.3f}".format(i, r))', "Fold (?P<fold>\\d+).*rmse\\s(?P<rmse>[-+.\\deE]+)"),
        ('text = f"Fold {k}, valid loss: {a}, acc: {b}"\nprint(text)',
         "Fold (?P<fold>\\d+).*valid loss: (?P<valid_loss>[-+.\\deE]+).*acc: (?P<acc>[-+.\\deE]+)"),
        ('print("best " + f"dice ({d:.4f} --> {e})")', "best dice \\((?P<best_dice>[-+.\\deE]+)"),
        ('print(f"took {s} s of {n}")', None),
        ('message = f"loss {x}"', None),
    ],
)  # fmt: skip
def test_printed_lines_become_patterns(tmp_path: Path, source: str, line: str | None) -> None:
    """The pattern finds what the line prints."""
    _adopted(tmp_path, {"train.py": source})
    text = (tmp_path / "pyproject.toml").read_text(encoding="utf-8")
    found = re.findall(r"# train.py:\d+ prints it:\n# line = '(.*)'", text)
    assert found == ([] if line is None else [line])


def test_what_is_required_and_not_given_is_to_be_filled_in(tmp_path: Path) -> None:
    """A placeholder of the README is no value."""
    files: dict[str, str | bytes] = {"train.py": FLAGS, "README.md": "python train.py --data /path/to/data --lr 0.1"}
    found, _ = _adopted(tmp_path, files)
    assert found.to_fill == ("data",)
    assert any("--data /path/to/data" in line for line in found.unknown)
    assert "\n  data:   # REQUIRED; a folder" in (tmp_path / "experiments/base.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("files", "setting"),
    [
        ({"train.py": "import yaml\nc = yaml.safe_load(open('config.yaml'))", "config.yaml": "lr: 1"}, "config.yaml"),
        ({"train.py": "import json, pathlib\nP = pathlib.Path('cfg/a.json')\nc = json.loads(P.read_text())",
          "cfg/a.json": '{"lr": 1}'}, "cfg/a.json"),
        ({"train.py": "from omegaconf import OmegaConf\nc = OmegaConf.load('conf/x.yml')", "conf/x.yml": "lr: 1"},
         "conf/x.yml"),
        ({"train.py": "CONFIG_FILE = 'settings.toml'\n", "settings.toml": "lr = 1"}, "settings.toml"),
        ({"train.py": "import json\nnames = json.load(open('classes.json'))", "classes.json": '{"cat": 1}'}, None),
        ({"train.py": "import hydra\n@hydra.main(config_path='../conf', config_name='main')\ndef f(c): ...",
          "conf/main.yaml": "lr: 1"}, None),
        ({"src/train.py": "from hydra import main\n@main(version_base=None, config_path='../conf', config_name='a')\n"
          "def f(c): ...", "conf/a.yaml": "lr: 1"}, "hydra:conf/a"),
        ({"train.py": "import hydra\n@hydra.main(config_path='conf')\ndef f(c): ...", "conf/b.yaml": "lr: 1",
          "run.sh": "python train.py --config-name b"}, "hydra:conf/b"),
        ({"train.py": "import fire\ndef main(lr=1): ...\n"}, None),
        ({"train.py": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--config', default='c.yaml')\n",
          "c.yaml": "a: 1\nb: 2"}, "c.yaml"),
        ({"train.py": "LR = 0.1\n"}, None),
    ],
)  # fmt: skip
def test_the_kind_of_config(tmp_path: Path, files: dict[str, str | bytes], setting: str | None) -> None:
    """A file that the program reads, a parser's --config, Hydra's folder; or nothing. It resolves as it is."""
    _, settings = _adopted(tmp_path, files)
    assert settings.get("config") == setting
    assert resolve(find_project(tmp_path), "base").config == (
        {} if setting is None else {"a": 1, "b": 2} if setting == "c.yaml" else {"lr": 1}
    )


@pytest.mark.parametrize(
    "before",
    [
        b"", b"[project]\nname = 'x'  # mine\n", b"[tool.black]\r\nline-length = 88\r\n", b"[tool.x]\na = 1",
        "# Größe\n[tool.x]\n".encode(),
    ],
)  # fmt: skip
def test_the_tables_are_appended(tmp_path: Path, before: bytes) -> None:
    """What was in pyproject.toml stays byte for byte, with its line ends; a second run changes nothing."""
    files: dict[str, str | bytes] = {"train.py": "print(1)\n", "pyproject.toml": before}
    _adopted(tmp_path, files if before else {"train.py": "print(1)\n"})
    after = (tmp_path / "pyproject.toml").read_bytes()
    assert after.startswith(before)
    assert (b"\r\n" in before) == (b"\r\n" in after[len(before) :])
    again = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert adopt(tmp_path, Wish()).written == ()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == again


@pytest.mark.parametrize(
    ("text", "message"),
    [("[tool", "pyproject.toml is not valid TOML"), ("tool = {x = {}}\n", "cannot take a .tool.coord. table")],
)
def test_a_pyproject_that_takes_no_table(tmp_path: Path, text: str, message: str) -> None:
    """It is said, and nothing is written."""
    write_files(tmp_path, {"train.py": "", "pyproject.toml": text})
    with pytest.raises((UsageError, ProjectError), match=message):
        adopt(tmp_path, Wish())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pyproject.toml", "train.py"]


def test_a_folder_of_another_project(tmp_path: Path) -> None:
    """Two projects inside each other would share their experiments' names and kernels."""
    write_files(tmp_path, {"pyproject.toml": '[tool.coord]\nentry = "a.py"\n', "a.py": "", "inner/train.py": ""})
    with pytest.raises(UsageError, match="lies inside another project"):
        adopt(tmp_path / "inner", Wish())


def test_a_program_that_is_no_python(tmp_path: Path) -> None:
    """One message with its place, and nothing is written."""
    write_files(tmp_path, {"train.py": "def f(:\n"})
    with pytest.raises(UsageError, match=r"train\.py:1: invalid syntax"):
        adopt(tmp_path, Wish())
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]


def test_odd_names_of_data(tmp_path: Path) -> None:
    """What is special in an ignore file is taken literally there."""
    write_files(tmp_path, {"train.py": "", "raw [old]/a.csv": b"0" * 2_000_000, "#x/b.csv": b"0" * 2_000_000})
    adopt(tmp_path, Wish())
    lines = (tmp_path / ".coordignore").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["/#x/", "/raw \\[old]/"]


@pytest.mark.parametrize("wish", [Wish(owner="a/b"), Wish(competition="c/titanic")])
def test_names_of_kaggle(tmp_path: Path, wish: Wish) -> None:
    """They are checked before anything is written."""
    write_files(tmp_path, {"train.py": ""})
    with pytest.raises(UsageError, match="is not a valid name on Kaggle"):
        adopt(tmp_path, wish)
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]


def test_own_experiments_and_ignore_file_stay(tmp_path: Path) -> None:
    """A repository's experiments/ with files of its own, and its .coordignore, are left alone."""
    own: dict[str, str | bytes] = {"train.py": "", "experiments/base.yaml": "lr: 1\n", ".coordignore": "/x/\n"}
    found, settings = _adopted(tmp_path, own)
    assert settings["experiments"] == "coord_experiments"
    assert found.written == ("coord_experiments/base.yaml", "pyproject.toml")
    assert (tmp_path / "experiments/base.yaml").read_text(encoding="utf-8") == "lr: 1\n"
    assert (tmp_path / ".coordignore").read_text(encoding="utf-8") == "/x/\n"


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Whichever of the files cannot be written, none is there afterwards."""
    write_files(tmp_path, {"train.py": "print(1)\n", "pyproject.toml": "[tool.x]\n"})
    before = sorted(tmp_path.rglob("*"))
    count = 0

    def full(file: Path, data: bytes) -> None:
        nonlocal count
        count += 1
        if count == at:
            raise OSError(28, "No space left on device")
        coordinator_files.write_atomically(file, data)

    monkeypatch.setattr(verb, "write_atomically", full)
    with pytest.raises(UsageError, match="No space left on device"):
        adopt(tmp_path, Wish())
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "pyproject.toml").read_text(encoding="utf-8") == "[tool.x]\n"


def test_ctrl_c_waits_until_all_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the command, and there is all of the project."""
    write_files(tmp_path, {"train.py": "print(1)\n"})

    def interrupted(file: Path, data: bytes) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        coordinator_files.write_atomically(file, data)

    monkeypatch.setattr(verb, "write_atomically", interrupted)
    with pytest.raises(KeyboardInterrupt):
        adopt(tmp_path, Wish())
    assert resolve(find_project(tmp_path), "base").name == "base"
    assert (tmp_path / ".coordignore").is_file()


def test_what_a_killed_init_left_is_used(tmp_path: Path) -> None:
    """pyproject.toml comes last: without it the next init begins again."""
    write_files(tmp_path, {"train.py": FLAGS})
    adopt(tmp_path, Wish())
    (tmp_path / "pyproject.toml").unlink()
    base = tmp_path / "experiments" / "base.yaml"
    base.write_text(base.read_text(encoding="utf-8").replace("data:", "data: mine"), encoding="utf-8")
    found = adopt(tmp_path, Wish())
    assert found.written == ("pyproject.toml",)
    assert found.found[-1] == "kept     experiments/base.yaml .coordignore"
    assert resolve(find_project(tmp_path), "base").config["data"] == "mine"


def test_inputs_of_kaggle(tmp_path: Path) -> None:
    """Paths below input/ name what is to be attached; where they do not tell what it is, both ways are shown."""
    source = """\
    import pandas as pd
    a = pd.read_csv("../input/titanic/train.csv")
    b = pd.read_csv("/kaggle/input/competitions/digits/train.csv")
    c = pd.read_csv("/kaggle/input/datasets/ada/more-data/x.csv")
    """.replace("    ", "")
    found, settings = _adopted(tmp_path, {"train.py": source})
    assert settings["kernel"]["competition_sources"] == ["digits"]
    assert settings["kernel"]["dataset_sources"] == ["ada/more-data"]
    assert any("input/titanic (train.py:2)" in line for line in found.unknown)
    assert "train.py:2 reads input/titanic" in (tmp_path / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["a", "x" * 60, "2026 – größer", "my.solution_v2", "-"])
def test_every_folder_gives_a_title_that_kaggle_takes(tmp_path: Path, name: str) -> None:
    """With the shortest name of an experiment, and with one of a sweep."""
    _, settings = _adopted(tmp_path / name, {"train.py": "print(1)\n"})
    for experiment in ("b", "base--lr0.1-width4"):
        assert 5 <= len(settings["kernel"]["title"].replace("{experiment}", experiment)) <= 50


def test_a_parser_that_cannot_be_asked(tmp_path: Path) -> None:
    """The settings are written all the same, with what is missing as comments."""
    source = (
        "import argparse, not_there\nnames = not_there.f()\np = argparse.ArgumentParser()\np.add_argument(*names)\n"
    )
    found, settings = _adopted(tmp_path, {"train.py": source, "README.md": "python train.py --lr 1 --x $X"})
    assert "config" not in settings
    assert settings["args"] == ["--lr", "1"]
    assert any("config_python" in line for line in found.unknown)
    assert '# config = "argparse"' in (tmp_path / "pyproject.toml").read_text(encoding="utf-8")


def test_git_sees_only_what_the_owner_may_keep(tmp_path: Path) -> None:
    """What coord makes later is ignored, without a change of the repository's own .gitignore."""
    write_files(tmp_path, {"train.py": "print('fold 0 auc 0.5')\n"})
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    adopt(tmp_path, Wish())
    write_files(tmp_path, {"build/base/kernel.py": "", "results/base/x": "", ".coord/locks/x": ""})
    shown = subprocess.run(
        ["git", "status", "--short", "-uall"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert shown == "?? .coordignore\n?? experiments/base.yaml\n?? pyproject.toml\n?? train.py\n"
