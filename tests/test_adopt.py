"""Other people's repositories: `coord init .`, a few lines of settings, and all of coord works, with no file changed.

Each folder of tests/samples/adopt is a program of another style, with the command that its README gives.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.coordinator.command import Coord, delete_kernels, until
from tests.paths import SAMPLES

ADOPT = SAMPLES / "adopt"
LINES_AT_MOST = 15
COMMENTED = ("primary", "line")
"""Proposals of init: the owner removes `# ` in front of them."""


@dataclass(frozen=True)
class Style:
    """A sample, and what its owner does."""

    sample: str
    grid: tuple[str, ...] = ("lr=0.1,0.3", "width=4,8")
    commented: tuple[str, ...] = COMMENTED
    """Lines of the settings that are uncommented."""
    settings: tuple[str, ...] = ()
    """Lines that are added to [tool.coord]."""
    metrics: tuple[str, ...] = ()
    """Lines that are added to [tool.coord.metrics]."""
    metric: str = "auc"
    folds: int = 2
    needs: tuple[str, ...] = ()
    """Distributions, by their modules' names."""
    command: str = ""
    """Where the README has several: the one that trains."""
    python_path: str = ""
    """In place of an installation."""
    varies: tuple[str, ...] = ()
    """Names of output files that differ between any two runs: they hold times."""


OF_MODULE = {"hydra": "hydra-core", "sklearn": "scikit-learn"}
STYLES = [
    Style("flat_argparse"),
    Style("src_config_json", grid=("optim.lr=0.1,0.3", "width=4,8")),
    Style("module_in_src"),
    Style("src_layout", command="python -m lungs.train", python_path="src"),
    Style("yaml_importlib", grid=("optim.lr=0.1,0.3", "model.name=unet,fpn")),
    Style("python_configs", grid=("lr=0.1,0.3", "config=cfg_base,cfg_wide"), metric="val_auc"),
    Style(
        "hydra_groups",
        grid=("optimizer=adam,sgd", "width=4,8"),
        settings=('image_extra = ["hydra"]',),
        needs=("hydra",),
    ),
    Style("omegaconf_cli", grid=("train.lr=0.1,0.3", "model.width=4,8"), needs=("omegaconf",)),
    Style("click_command", needs=("click",)),
    Style("typer_command", needs=("typer",)),
    Style("number_in_the_name"),
    Style("no_suffix", command="python train --lr 0.1"),
    Style("two_entries", command="python train.py"),
    Style("launcher"),
]
SLOW_STYLES = [
    Style("table_lightgbm", grid=("learning_rate=0.1,0.3",), commented=(), metric="valid_0/auc",
          needs=("lightgbm", "sklearn"), metrics=('primary = {name = "valid_0/auc", mode = "max"}',)),
    Style("lightning_csv", grid=("epochs=1,2",), commented=(), needs=("lightning",), metric="val_loss",
          settings=('image_extra = ["lightning"]',), metrics=('primary = {name = "val_loss", mode = "min"}',)),
    Style("hf_trainer", grid=("learning_rate=0.01,0.1",), commented=(), metric="eval_loss",
          needs=("transformers", "accelerate"), metrics=('primary = {name = "eval_loss", mode = "min"}',), folds=0,
          varies=("trainer_state.json", "training_args.bin")),
]  # fmt: skip


SWEPT = ("yaml_importlib",)
"""Styles whose sweep is run here; that of `flat_argparse` is run by its page (tests/test_pages.py)."""


@pytest.fixture
def coord(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Coord]:
    """`coord` in a copy of the sample, which lies outside of this repository."""
    style: Style = request.param
    missing = [OF_MODULE.get(name, name) for name in style.needs if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs other libraries: pip install {' '.join(missing)}")
    root = _copied(style, tmp_path / style.sample)
    yield Coord(root, {**os.environ, "COORD_TARGET": "local"})
    delete_kernels(root / ".coord" / "local-kaggle")


def _copied(style: Style, to: Path) -> Path:
    shutil.copytree(ADOPT / style.sample, to, ignore=shutil.ignore_patterns("__pycache__"))
    return to


def _digests(root: Path) -> dict[str, str]:
    """Path -> digest of each file, without bytecode."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _unbundled(style: Style, root: Path) -> tuple[str, dict[str, str]]:
    """What the README's command prints, and the files that it leaves or changes."""
    before = _digests(root)
    readme = (root / "README.md").read_text(encoding="utf-8").strip().splitlines()
    python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    paths = os.pathsep.join(filter(None, [style.python_path, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        style.command or readme[-1].strip(),
        shell=True,
        cwd=root,
        env={**os.environ, "PATH": python, "PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, {name: digest for name, digest in _digests(root).items() if before.get(name) != digest}


def _lines(style: Style, text: str) -> list[str]:
    """Lines of the output, without times where it has some."""
    return (re.sub(r"'[a-z_]+_(runtime|per_second)': '[\d.e+]+'", "", text) if style.varies else text).splitlines()


def _complete_settings(coord: Coord, style: Style) -> int:
    """Does what the owner has to do by hand, and returns how many lines that are."""
    file = coord.root / "pyproject.toml"
    text = file.read_text(encoding="utf-8")
    for name in style.commented:
        text, count = re.subn(rf"^# ({name} = )", r"\1", text, count=1, flags=re.MULTILINE)
        assert count == 1, f"init proposed no {name}:\n{text}"
    text = text.replace("[tool.coord]\n", "\n".join(["[tool.coord]", *style.settings, ""]))
    file.write_text("\n".join([text.rstrip(), *style.metrics, ""]), encoding="utf-8")
    return len(style.commented) + len(style.settings) + len(style.metrics)


def _sets(overrides: list[str]) -> list[str]:
    assert overrides
    return [word for each in overrides for word in ("--set", each)]


def _all_complete(coord: Coord) -> bool:
    states = [run["state"] for run in json.loads(coord.here("status", "--json").stdout)]
    assert not {"error", "cancelled"} & {*states}, coord.here("status").output
    return {*states} == {"complete"}


def _goes_all_the_way(coord: Coord, style: Style, tmp_path: Path) -> None:
    own = _digests(coord.root)
    printed, left = _unbundled(style, _copied(style, tmp_path / "unbundled" / style.sample))

    needs_more = bool(style.settings)  # the image lacks a library
    coord.here("init", ".", code=1 if needs_more else 0)
    lines = _complete_settings(coord, style)
    print(f"{style.sample}: {lines} lines written by hand")
    assert lines <= LINES_AT_MOST
    again = _digests(coord.root)
    assert "is a project already" in coord.here("init", ".").output
    assert _digests(coord.root) == again

    coord.here("dry-run", "--exp", "base")
    working = _digests(coord.root / ".coord" / "dry-run" / "base" / "working")
    same = {name: digest for name, digest in left.items() if Path(name).name not in style.varies}
    assert {name: digest for name, digest in working.items() if name in same} == same
    assert set(working) <= set(left) | {"metrics.jsonl"}, "the program's own files are no output"

    coord.here("push", "--exp", "base", "--wait")
    (base,) = json.loads(coord.here("fetch-results", "--exp", "base", "--json").stdout)
    assert base["state"] == "complete"
    log = (Path(base["directory"]) / "kernel.log").read_text(encoding="utf-8")
    assert [line for line in _lines(style, printed) if line not in _lines(style, log)] == []
    primary = base["summary"]["primary"]
    assert primary["name"] == style.metric, base["summary"]
    means = {metric["name"]: metric["mean"] for metric in base["summary"]["metrics"]}
    assert means[style.metric] is not None
    table = coord.here("fetch-results", "--exp", "base").output
    if style.folds:
        assert "cross-validation" in table
        for fold in range(style.folds):
            assert re.search(rf"^ *{fold} .*\d\.\d+", table, flags=re.MULTILINE), table

    grids = [word for each in style.grid for word in ("--grid", each)]
    planned = json.loads(coord.here("sweep", "--exp", "base", *grids, "--plan", "--json").stdout)["experiments"]
    size = 2 ** len(style.grid)
    assert len(planned) == size
    if style.sample in SWEPT:
        coord.here("sweep", "--exp", "base", *grids)
        until(lambda: _all_complete(coord), "the sweep's end")
    else:
        coord.here("push", "--exp", "base", *_sets(planned[-1]["overrides"]), "--wait")
    coord.here("fetch-results", "--all")
    runs = json.loads(coord.here("status", "--json").stdout)
    if style.sample in SWEPT:
        assert len(runs) in (size, size + 1)  # one of the sweep's may have the config of the base
    else:
        assert len(runs) == 2
    assert all(run["summary"]["primary"]["value"] is not None for run in runs)
    two = [f"{run['experiment']}@v{run['version']}" for run in runs[:2]]
    compared = coord.here("compare", *two).output
    assert style.metric in compared

    now = _digests(coord.root)
    assert {name: now.get(name) for name in own if name != "pyproject.toml"} == {
        name: digest for name, digest in own.items() if name != "pyproject.toml"
    }
    if "pyproject.toml" in own:
        before = (ADOPT / style.sample / "pyproject.toml").read_bytes()
        assert (coord.root / "pyproject.toml").read_bytes().startswith(before)


@pytest.mark.parametrize(
    ("coord", "style"), [(s, s) for s in STYLES], ids=[s.sample for s in STYLES], indirect=["coord"]
)
def test_a_style_goes_all_the_way(coord: Coord, style: Style, tmp_path: Path) -> None:
    """init, dry-run, push, fetch with its folds, a sweep of 2x2, compare; output and files are as without coord.

    Every sweep is planned; those of `SWEPT` are run, and of the others the last config is pushed.
    """
    _goes_all_the_way(coord, style, tmp_path)


@pytest.mark.slow
@pytest.mark.release
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("coord", "style"), [(s, s) for s in SLOW_STYLES], ids=[s.sample for s in SLOW_STYLES], indirect=["coord"]
)
def test_a_style_with_a_large_library_goes_all_the_way(coord: Coord, style: Style, tmp_path: Path) -> None:
    """The same with libraries that take seconds to load."""
    _goes_all_the_way(coord, style, tmp_path)


def test_every_sample_is_tried() -> None:
    """A new folder in tests/samples/adopt has a line in the tables."""
    assert {style.sample for style in (*STYLES, *SLOW_STYLES)} == {each.name for each in ADOPT.iterdir()}


@pytest.mark.parametrize("coord", [STYLES[0]], ids=["large_data"], indirect=True)
def test_data_notebooks_and_git_beside_the_code_cost_no_time(coord: Coord) -> None:
    """A repository with 5 GB of data, 3,000 pictures, notebooks and .git is adopted and built within seconds."""
    root = coord.root
    readme = (root / "README.md").read_text(encoding="utf-8")
    (root / "README.md").write_text(readme.replace("--data-dir data", "--data-dir data/raw"), encoding="utf-8")
    shutil.rmtree(root / "data")
    for name, size in (("data/raw/train.csv", 3 << 30), ("data/test.parquet", 2 << 30), ("weights/best.pth", 1 << 30)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        with (root / name).open("wb") as file:
            file.truncate(size)  # takes no room on the disk
    (root / "images").mkdir()
    for number in range(3000):
        (root / "images" / f"{number}.png").touch()
    (root / "explore.ipynb").write_text("{}", encoding="utf-8")
    (root / ".git" / "objects").mkdir(parents=True)
    begin = time.monotonic()
    output = coord.here("init", ".").output
    assert time.monotonic() - begin < 5
    assert "data/raw/ (3.2 GB, 1 file)" in output
    ignored = (root / ".coordignore").read_text(encoding="utf-8").splitlines()
    assert {"/data/", "/images/", "/weights/", "*.ipynb", "/.git/"} <= {*ignored}
    manifest = json.loads((root / "build" / "base" / "manifest.json").read_text(encoding="utf-8"))
    assert [file["path"] for file in manifest["files"]] == ["losses.py", "train.py"]
    assert '# dataset_sources = ["OWNER/data-raw"]' in (root / "pyproject.toml").read_text(encoding="utf-8")
