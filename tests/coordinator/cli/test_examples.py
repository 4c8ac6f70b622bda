"""The examples of `coord COMMAND --help` and of docs/commands.md, run, in an order in which people use them."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import shlex
import shutil
import signal
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from coordinator.cli.manual import MANUAL
from tests.coordinator.bundle.programs import write_files
from tests.coordinator.cli.tree import commands
from tests.coordinator.command import Coord, delete_kernels
from tests.coordinator.wheels.made import index as index, write_wheel
from tests.coordinator.whole_project import complete
from tests.paths import SAMPLES
from tests.warm import COMMANDS, started_warm

EXAMPLES = {line for name, _ in commands() for line in MANUAL[name].examples}
NOT_RUN = {
    "coord live-check": "it needs an account of Kaggle's",
    "coord live-check --clean --yes": "it needs an account of Kaggle's",
    "coord export --mlflow sqlite:///runs.db": "it loads MLflow; tests/coordinator/handover runs it",
}

Doing = Callable[[Coord], object]


@dataclass(frozen=True)
class Step:
    """An example, a part of what it prints, and what its user has done before it."""

    line: str
    shown: str
    first: Doing | None = None
    code: int = 0


def _does(*lines: str) -> Doing:
    def do(coord: Coord) -> None:
        for line in lines:
            coord.here(*shlex.split(line))

    return do


def _writes(text: str, *files: str) -> Doing:
    return lambda coord: write_files(coord.root, dict.fromkeys(files, text))


def _run_again(coord: Coord) -> None:
    """Four versions of `base` have run, and one of `wide`; submissions run their kernel again."""
    delete_kernels(coord.root / ".coord/local-kaggle")
    shutil.rmtree(coord.root / ".coord")
    _does(
        "local add-competition titanic data --hidden hidden --code-only --solution solution.csv",
        *(f"push base --set seed={seed} --wait" for seed in (1, 2, 3, 4)),
        "push wide --wait",
    )(coord)


def _fetch_the_probe(coord: Coord) -> None:
    _does("push probe --wait", "fetch-results probe")(coord)
    shutil.copy(coord.root / "results/probe/local-v1/kernel.log", coord.root)


def _send_three(coord: Coord) -> None:
    """The third version is sent, and the folder is not on this machine."""
    _writes("of epoch 30", "weights/w.bin")(coord)
    coord.here("data", "push", "weights", "ada/weights")
    shutil.rmtree(coord.root / "weights")


def _require(coord: Coord) -> None:
    write_wheel(coord.root.parent / "index", "fast", files={"fast.py": ""})
    settings = coord.root / "pyproject.toml"
    settings.write_text(settings.read_text().replace("[tool.coord]\n", '[tool.coord]\nrequirements = ["fast"]\n', 1))


STEPS = [
    Step("coord experiments", "wide"),
    Step("coord experiments --json", '"name": "wide"'),
    Step("coord show base", "lr: 0.1"),
    Step("coord show base --set optim.lr=0.01", "lr: 0.01"),
    Step("coord dry-run base", "dry run of base: complete"),
    Step("coord dry-run base --set optim.lr=0.01", "next: coord push base --set optim.lr=0.01"),
    Step("coord build base", "build/base"),
    Step("coord build base --check", "is what the working tree gives"),
    Step("coord targets", "kaggle: no Kaggle credentials found", code=1),
    Step("coord targets --json", '"target": "local"', code=1),
    Step("coord local add-competition titanic data", "titanic is data"),
    Step("coord local add-competition titanic data --solution solution.csv", "scored by metric:score"),
    Step("coord local add-dataset ada/weights weights", "ada/weights is weights"),
    Step("coord local add-dataset ada/weights ../weights", "ada/weights is ../weights"),
    Step("coord local add-model ada/net/pytorch/small/1 net", "small/1 is net"),
    Step("coord local add-model ada/net/pytorch/small/2 net-2", "small/2 is net-2"),
    Step("coord doctor", "there: titanic"),
    Step("coord doctor --target local", "there: titanic"),
    Step("coord push base", "next: coord status --watch"),
    Step("coord push base --set optim.lr=0.01 --wait", "base local-v2 is complete", first=_does("status --watch")),
    Step("coord continue base", "going on from base local-v2"),
    Step("coord cancel base@v3 --yes", "base local-v3 was cancelled"),
    Step("coord continue base --set train.epochs=20", "going on from base local-v2"),
    Step("coord cancel base", "base local-v4 was cancelled"),
    Step("coord status", "wide local-v1  COMPLETE", first=_run_again),
    Step("coord status base --watch", "base local-v1  COMPLETE"),
    Step("coord logs base", "fold 1, epoch 3/3"),
    Step("coord logs base@v3 --follow", "fold 1, epoch 3/3"),
    Step("coord fetch-results base", "results/base/local-v4/"),
    Step("coord fetch-results --all --skip '*.pth'", "results/base/local-v3/"),
    Step("coord runs --sort=-value --limit 5", "base local-v1"),
    Step("coord report", "report.html: 5 runs of 2 configs"),
    Step("coord report 'base*' -o base.html", "base.html: 4 runs of 1 config"),
    Step("coord compare base wide", "wide against base"),
    Step("coord compare base@v3 base@local-v4", "base@local-v4 against base@v3"),
    Step("coord best", "wide local-v1"),
    Step("coord best --limit 3", "wide local-v1"),
    Step('coord note base "overfits after epoch 3"', "overfits after epoch 3"),
    Step('coord note base@v3 "with a bad fold"', "base local-v3"),
    Step("coord tag base good", "good"),
    Step("coord tag base@v3 good --remove", "base ", first=_does("tag base@v3 good")),
    Step("coord submit base --wait", "public 0.5"),
    Step('coord submit base@v3 -m "five folds"', "submission 2 to titanic"),
    Step("coord scores", "0.50000"),
    Step("coord scores base --csv", "base,4,local,titanic,complete"),
    Step("coord local rerun-log titanic", "fold 1, epoch 3/3"),
    Step("coord local rerun-log titanic --gateway", "titanic, ada/tiny-base"),
    Step("coord rehearse base", "titanic"),
    Step("coord rehearse infer --with-needs", "titanic"),
    Step("coord promote base@v3 -o frozen/base", "base local-v3 is frozen in frozen/base"),
    Step("coord promote --verify frozen/base", "frozen/base has the same kernel"),
    Step("coord hide base@v3", "base local-v3 is hidden"),
    Step("coord hide base@v3 --undo", "base local-v3 counts again"),
    Step("coord rm base@v3", "base local-v3 is hidden"),
    Step("coord rm base@v3 --undo", "base local-v3 counts again"),
    Step("coord export base --tensorboard events", "tensorboard"),
    Step("coord sweep base --grid optim.lr=0.1,0.01", "sweep base--lr: 2 experiments"),
    Step("coord sweep status", "base--lr", first=_does("status --watch")),
    Step("coord sweep status base--lr", "base--lr0.01  COMPLETE"),
    Step("coord sweep resume base--lr", "all of it is pushed"),
    Step("coord sweep resume base--lr --retry", "all of it is pushed"),
    Step("coord sweep base --seeds 3 --plan", "base--s2"),
    Step("coord runs 'base--*' --columns run,value,optim.lr", "base--lr0.01 local-v1"),
    Step(
        "coord sweep merge base--f5",
        "merged from 5 runs",
        first=_does("sweep base --split-folds", "status --watch", "fetch-results --all"),
    ),
    Step("coord sweep merge base--f5 --json", '"version": 0'),
    Step("coord quota", "30.0 h"),
    Step("coord quota --json", '"gpu"'),
    Step("coord ledger check", "0 problems"),
    Step("coord ledger check --offline", "0 problems"),
    Step("coord ledger check --repair", "0 problems"),
    Step("coord ledger export -o runs.csv", "runs in runs.csv"),
    Step("coord ledger export --json", '"sweeps"'),
    Step("coord image show", "the one that coord ships"),
    Step("coord image show numpy", "import numpy"),
    Step("coord image probe", "COORD"),
    Step("coord image probe -o probe.py", "probe.py"),
    Step("coord image refresh probe@v1", "kaggle-image.json", first=_fetch_the_probe),
    Step("coord image refresh kernel.log", "kaggle-image.json"),
    Step("coord data push weights ada/weights", "ada/weights v1: ready"),
    Step(
        'coord data push weights ada/weights -m "epoch 20"',
        "ada/weights v2: ready",
        first=_writes("of epoch 20", "weights/w.bin"),
    ),
    Step("coord data list", "v2 ready"),
    Step("coord data list --target local", "v2 ready"),
    Step("coord data status ada/weights", "v2 on local: ready"),
    Step("coord data status ada/weights --json", '"reference": "ada/weights"'),
    Step("coord data fetch ada/weights weights", "ada/weights v3", first=_send_three),
    Step("coord data fetch ada/weights/3 weights-v3", "ada/weights v3"),
    Step("coord wheels", "ready", first=_require),
    Step("coord wheels --upgrade --no-push", "fast 1.0"),
    Step("coord completion install", "bash: installed"),
    Step("coord completion install zsh --uninstall", "zsh: nothing is installed"),
    Step("coord completion show bash", "complete -o nosort"),
    Step("coord completion show zsh", "#compdef coord"),
    Step("coord completion show fish", "complete --command coord"),
    Step("coord help push", "Build, push as a new version"),
    Step("coord help settings", "[tool.coord]"),
]
BESIDE = [
    Step("coord init mine", "mine is a project"),
    Step("coord init . --from train.py --competition titanic", "pyproject.toml"),
    Step("coord bundle train.py -o kernel.py", "2 files as text"),
    Step("coord bundle train.py -o kernel.py -- --epochs 3", "2 files as text"),
]
"""Those beside a program that is no project yet."""
SERVERS = (
    "coord ui",
    "coord ui --port 8000",
    "coord local serve",
    "coord local serve --port 8000 --faults plan.json",
)


def test_every_example_is_run_here() -> None:
    assert {step.line for step in (*STEPS, *BESIDE)} | {*SERVERS} | NOT_RUN.keys() == EXAMPLES


@pytest.fixture
def whole(coord: Coord) -> Coord:
    """The whole project with what the examples name."""
    complete(coord.root)
    for file, old, new in (
        ("pyproject.toml", '"parity"', '"titanic"'),
        ("tiny_model/config.py", "folds: int = 2", "folds: int = 5"),
        ("tiny_model/train.py", '"id,label\\nn0,1\\nn1,1\\n"', "f\"id,label\\nn0,1\\nn1,{config['seed']}\\n\""),
    ):
        text = (coord.root / file).read_text()
        assert old in text
        (coord.root / file).write_text(text.replace(old, new))
    folders = {f"{name}/w.bin": name for name in ("weights", "../weights", "net", "net-2")}
    experiments = {
        "wide": "base: base\nconfig: {optim: {lr: 0.3}}\n",
        "infer": 'base: base\nneeds: {weights: base}\nconfig: {train: {tags: ["${needs.weights}"]}}\n',
        "probe": "base: base\nentry: probe.py\n",
    }
    write_files(
        coord.root,
        {
            **folders,
            **{f"experiments/{name}.yaml": f"about: {name}\n{text}" for name, text in experiments.items()},
            "hidden/sample_submission.csv": "id,label\nn0,0\nn1,0\n",
            "plan.json": '{"faults": []}',
            "probe.py": "",
        },
    )
    return dataclasses.replace(coord, environment={**coord.environment, **os.environ, "SHELL": "/bin/bash"})


@pytest.mark.slow
@pytest.mark.usefixtures("index")
def test_the_examples_of_a_project(whole: Coord) -> None:
    _run(whole, STEPS)


def test_the_examples_beside_a_program(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "adopt" / "flat_argparse", tmp_path, dirs_exist_ok=True)
    _run(Coord(tmp_path, dict(os.environ)), BESIDE)


def _run(coord: Coord, steps: Iterable[Step]) -> None:
    for step in steps:
        if "tensorboard" in step.line and importlib.util.find_spec("tensorboard") is None:
            continue  # pip install 'coord[tensorboard]'
        if step.first:
            step.first(coord)
        done = coord.here(*shlex.split(step.line)[1:], code=step.code)
        assert step.shown in done.output, f"{step.line}\n{done.output}"


@pytest.mark.parametrize("line", SERVERS)
def test_the_examples_that_serve(line: str, whole: Coord) -> None:
    """They print their address, and Ctrl-C ends them."""
    words = shlex.split(line.replace("8000", str(_free_port())))[1:]
    if line == "coord local serve" and not _is_free(7788):
        pytest.skip("another program has port 7788")
    with started_warm("coordinator", *words, cwd=whole.root, env=whole.environment, loaded=COMMANDS) as server:
        address = server.output.readline()
        os.kill(server.id, signal.SIGINT)
    assert "http://127.0.0.1:" in address
    assert server.returncode == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
