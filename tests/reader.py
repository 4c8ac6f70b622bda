"""What a reader of a page has done before a block of commands.

A comment of the page names it: `<!-- before: NAME -->`.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable

from runner_test.samples import SampleData, write_sample_data
from tests.coordinator.command import DEADLINE
from tests.coordinator.wheels.made import ANY, write_wheel
from tests.pages import Shell
from tests.paths import ROOT, SAMPLES

BEFORE: dict[str, Callable[[Shell], object]] = {
    "page_is_open": lambda shell: shell.start("coord ui", lines=1),
    "page_is_closed": lambda shell: shell.started.close(),
}


def _named(do: Callable[[Shell], object]) -> Callable[[Shell], object]:
    BEFORE[do.__name__] = do
    return do


def _write(shell: Shell, file: str, text: str) -> None:
    path = shell.folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def begin(shell: Shell, name: str, *samples: str) -> None:
    """A copy of samples in a new folder, in which the reader then is."""
    shell.folder = shell.home / name
    if shell.folder.exists():
        shell.folder = shell.home / f"again{len(list(shell.home.glob('again*')))}" / name
    for sample in samples:
        shutil.copytree(
            SAMPLES / sample, shell.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )


@_named
def baseline(shell: Shell) -> None:
    begin(shell, "baseline", "adopt/flat_argparse")
    shell.folder = shell.home


@_named
def unet(shell: Shell) -> None:
    begin(shell, "unet", "adopt/yaml_importlib")


@_named
def launcher(shell: Shell) -> None:
    begin(shell, "launcher", "adopt/launcher")


@_named
def metric_uncommented(shell: Shell) -> None:
    for name in ("primary", "line"):
        shell.change("pyproject.toml", f"# {name} = ", f"{name} = ")


@_named
def all_have_ended(shell: Shell) -> None:
    shell("coord status --watch")


@_named
def parity(shell: Shell) -> None:
    begin(shell, "parity", "parity", "gateway")
    for name in ("visible", "hidden"):
        shutil.copytree(SAMPLES / "gateway" / "kit", shell.folder / name, dirs_exist_ok=True)
    shutil.copytree(shell.folder / "hidden", shell.folder / "data")
    shutil.copy(shell.folder / "visible" / "train.csv", shell.folder / "data")


QUICK = '''"""Predicts without a training: each row has the most frequent label."""
import csv
import os
from collections import Counter
from pathlib import Path

DATA = Path(os.environ.get("COORD_KAGGLE_ROOT", "/kaggle"), "input/competitions/parity")

with (DATA / "train.csv").open() as file:
    labels = Counter(row["label"] for row in csv.DictReader(file))
with (DATA / "test.csv").open() as file:
    rows = list(csv.DictReader(file))

Path("submission.csv").write_text(
    "id,label\\n" + "".join(f"{row['id']},{labels.most_common(1)[0][0]}\\n" for row in rows)
)
'''


@_named
def quick(shell: Shell) -> None:
    _write(shell, "quick.py", QUICK)
    _write(shell, "experiments/quick.yaml", "about: predicts without a training\nentry: quick.py\n")


@_named
def quick_of_three_rows(shell: Shell) -> None:
    shell.change("quick.py", 'with (DATA / "train.csv").open() as file:\n', "")
    shell.change(
        "quick.py", '    labels = Counter(row["label"] for row in csv.DictReader(file))', 'labels = Counter("1")'
    )
    shell.change("quick.py", "list(csv.DictReader(file))", "list(csv.DictReader(file))[:3]")


@_named
def quick_that_asks(shell: Shell) -> None:
    shell.change("quick.py", "[:3]", "")
    _write(
        shell,
        "quick.py",
        (shell.folder / "quick.py").read_text(encoding="utf-8") + 'if os.environ.get("KAGGLE_IS_COMPETITION_RERUN"):\n'
        "    import urllib.request\n"
        '    urllib.request.urlopen("https://example.org/weights")\n',
    )


@_named
def slow_rows(shell: Shell) -> None:
    shell.change("infer.py", "    for row in rows:\n", "    for row in rows:\n        time.sleep(0.05)\n")
    shell.change("infer.py", "import sys\n", "import sys\nimport time\n")


@_named
def never_serves(shell: Shell) -> None:
    shell.change("serve.py", "    server.serve()\n", "    pass\n")


@_named
def reads_the_training_data(shell: Shell) -> None:
    """An experiment `base` that learns and predicts at once; the rerun ends with an error."""
    _write(shell, "experiments/base.yaml", "about: learns and predicts\nentry: quick.py\n")
    quick(shell)
    shell("coord local add-competition parity visible --solution solution.csv")
    shell("coord push base --wait")


@_named
def serves(shell: Shell) -> None:
    """The experiment `base` is the server, which needs no training."""
    text = (shell.folder / "serve.py").read_text(encoding="utf-8")
    model = 'json.loads(Path(sys.argv[1], "weights.json").read_text())'
    assert model in text
    _write(shell, "serve.py", text.replace(model, '{"divisor": 2, "labels": {"0": 0, "1": 1}}'))
    _write(shell, "experiments/base.yaml", "about: serves\nentry: serve.py\n")
    shell("coord push base --wait")


@_named
def weights(shell: Shell) -> None:
    """A project with an experiment that reads the data set of the folder `weights`."""
    begin(shell, "tiny", "tiny")
    _write(shell, "experiments/base.yaml", "about: reads weights\nkernel: {dataset_sources: [ada/bone-weights]}\n")
    for name in ("README.md", "fold0.pth", "nets/fold1.pth"):
        _write(shell, f"weights/{name}", "of one training\n" * 1000)
    _write(shell, "weights/.DS_Store", "of a system")
    (shell.folder / "weights" / "old").mkdir()


@_named
def weights_have_changed(shell: Shell) -> None:
    _write(shell, "weights/README.md", (shell.folder / "weights/README.md").read_text(encoding="utf-8") + "more\n")


@_named
def read_by_a_run(shell: Shell) -> None:
    shell("coord push base --wait")
    weights_have_changed(shell)


INFER = '''"""Predicts with what a training left."""
import json, os, sys
from pathlib import Path

weights = Path(json.loads(Path(os.environ["COORD_CONFIG"]).read_text())["weights"])
config = json.loads((weights / "metrics.json").read_text())["config"]
print("read", {"lr": config["lr"]})
Path("submission.csv").write_bytes((weights / "submission.csv").read_bytes())
'''


@_named
def game(shell: Shell) -> None:
    """The project of `coord init`, with `train`, which is slow, and `infer`, which needs it."""
    shell.folder = shell.home
    if (shell.home / "game").exists():
        shutil.rmtree(shell.home / "game")
    shell("coord init game --owner local")
    shell.folder /= "game"
    shell.environment["COORD_TARGET"] = "local"
    _write(shell, "infer.py", INFER)
    shell.change("model/train.py", "    folds: int = 3\n", '    folds: int = 3\n    weights: str = ""\n')
    _write(shell, "experiments/train.yaml", "base: base\nabout: the training\nconfig: {lr: 0.05}\n")
    _write(
        shell,
        "experiments/infer.yaml",
        "base: base\nabout: predicts with the weights of train\nentry: infer.py\nneeds: {weights: train}\n"
        'config: {weights: "${needs.weights}"}\n',
    )
    shell("python sample_data.py .coord/sample-data")
    data = ".coord/sample-data"
    shell(f"coord local add-competition sample-competition {data} --solution {data}-solution.csv")


WAITS = """    while os.environ["COORD_EXPERIMENT"] == "train" and not (kaggle_root() / "go").exists():
        time.sleep(0.02)
"""


@_named
def game_with_a_slow_train(shell: Shell) -> None:
    game(shell)
    shell.change("model/train.py", "import statistics\n", "import statistics\nimport time\n")
    shell.change("model/train.py", "    with Report(\n", WAITS + "    with Report(\n")
    shell("git init -q . && git add . && git -c user.name=a -c user.email=a@b commit -qm first")


def _ends(shell: Shell, version: int) -> None:
    session = shell.folder / f".coord/local-kaggle/kernels/local/game-train/versions/{version}/kaggle"
    threading.Timer(1.0, (session / "go").touch).start()


@_named
def train_ends_soon(shell: Shell) -> None:
    _ends(shell, 1)


@_named
def train_has_two_versions(shell: Shell) -> None:
    shell("coord push train --force")
    _ends(shell, 2)
    shell("coord status --watch")
    shell.change("experiments/infer.yaml", "weights: train", "weights: train@v1")


@_named
def any_version_will_do(shell: Shell) -> None:
    shell.change("experiments/infer.yaml", "weights: train@v1", "weights: train")


@_named
def base_has_changed(shell: Shell) -> None:
    """`infer` needs `base`, both have run, and then `base` has got more epochs."""
    game(shell)
    shell.change("experiments/infer.yaml", "weights: train", "weights: base")
    shell("coord push infer --with-needs --wait")
    shell.change("experiments/base.yaml", "config:\n", "config:\n  epochs: 40\n")


@_named
def infer_is_submitted(shell: Shell) -> None:
    shell("coord status --watch")
    shell("coord submit infer --upload --wait")


@_named
def mask_rcnn(shell: Shell) -> None:
    """The project that this repository is."""
    begin(shell, "siim")
    for name in ("model_src", "experiments"):
        shutil.copytree(ROOT / name, shell.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", shell.folder)
    (shell.folder / ".venv").symlink_to(sys.prefix)
    shell.environment.pop("COORD_TARGET", None)


@_named
def siim(shell: Shell) -> None:
    """A project with the competition's scorer, of which `smoke` has run, without a training; a port that is free."""
    begin(shell, "siim")
    shutil.copytree(ROOT / "model_src", shell.folder / "model_src", ignore=shutil.ignore_patterns("__pycache__"))
    _write(
        shell,
        "pyproject.toml",
        '[tool.coord]\nentry = "hello.py"\nscorer = "model_src.score:competition_score"\n'
        '[tool.coord.kernel]\ntitle = "siim {experiment}"\n[tool.coord.local]\ndataset_seconds = 0\n',
    )
    _write(shell, "hello.py", "print('hello')\n")
    _write(shell, "experiments/smoke.yaml", "about: trains nothing\n")
    shell.environment["COORD_TARGET"] = "local"
    shell("coord push smoke --wait")
    data = SampleData(images=6, test_images=8, size=64)
    write_sample_data(shell.folder / ".coord" / "sample-data", data)
    shutil.copy(shell.folder / ".coord/sample-data/sample_submission.csv", shell.folder / "empty.csv")
    for name, text in (("images/1.png", "p" * 300_000), ("train.csv", "id,label\n1,0\n")):
        _write(shell, f"rows/{name}", text)
    _write(
        shell,
        "rows/dataset-metadata.json",
        '{"id": "local/chest-rows", "title": "Chest rows", "licenses": [{"name": "CC0-1.0"}]}',
    )
    _write(shell, "weights/config.json", "{}\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    shell.instead = {"coord local serve": f"coord local serve --port {port}", ":7788": f":{port}"}


@_named
def one_more_row(shell: Shell) -> None:
    shell.change("rows/train.csv", "1,0\n", "1,0\n2,1\n")


@_named
def it_is_scored(shell: Shell) -> None:
    end = time.monotonic() + DEADLINE
    while "PENDING" in shell("kaggle competitions submissions siim") and time.monotonic() < end:
        time.sleep(0.1)


@_named
def built_before_two_edits(shell: Shell) -> None:
    shell("coord build lr001_step4")
    shell.change("model_src/data/rle.py", "if numbers[1::2].min() < 1:", "if numbers[1::2].min() < 0:")
    shell.change("experiments/lr001_step4.yaml", "step_size: 4", "step_size: 3")


@_named
def imports_what_the_image_lacks(shell: Shell) -> None:
    shell.change("model_src/network/build.py", "import torch\n", "import torchxrayvision\nimport torch\n")


@_named
def sources_too_large(shell: Shell) -> None:
    begin(shell, "large")
    _write(shell, "pyproject.toml", '[tool.coord]\nowner = "ada"\nentry = "train.py"\nlarge = "dataset"\n')
    _write(shell, "train.py", "import table\n\nprint(len(table.ROWS))\n")
    _write(shell, "table.py", f'ROWS = "{os.urandom(1_500_000).hex()}"\n')
    _write(shell, "experiments/first.yaml", "about: reads a large table\n")


@_named
def log_of_the_probe(shell: Shell) -> None:
    shell("coord image probe -o image-probe.py && python image-probe.py > image-probe.log")


@_named
def shapes(shell: Shell) -> None:
    begin(shell, "shapes")
    (shell.home / "elsewhere").mkdir()
    _write(shell, "main.py", SHAPES)
    _write(shell, "areas/__init__.py", "")
    _write(shell, "areas/square.py", "def area(side: float) -> float:\n    return side * side\n")
    _write(
        shell, "parse.py", "def sides(text: str) -> list[float]:\n    return [float(each) for each in text.split()]\n"
    )
    _write(shell, "sizes.txt", "1\n2.5\n")


SHAPES = '''"""Squares."""
from pathlib import Path

from areas.square import area
from parse import sides

HERE = Path(__file__).parent


for side in sides((HERE / "sizes.txt").read_text()):
    print(f"{side:g}", area(side))
'''


@_named
def tool(shell: Shell) -> None:
    shell.folder = shell.home / "shapes"
    _write(shell, "tool.py", "import zoo\nfrom markdown_it import MarkdownIt\n\nprint(MarkdownIt().render(zoo.text))\n")


@_named
def ignored_settings(shell: Shell) -> None:
    _write(shell, ".gitignore", "settings.py\n")
    _write(shell, "settings.py", f'SIDES = 2\nTOKEN = "KGAT_{"0123456789abcdef" * 2}"\n')
    shell.change("main.py", "from parse import sides\n", "from parse import sides\nimport settings\n")


@_named
def settings_not_ignored(shell: Shell) -> None:
    _write(shell, ".coordignore", "!/settings.py\n")


@_named
def bash(shell: Shell) -> None:
    shell.environment |= {"SHELL": "/bin/bash", "HOME": str(shell.home)}


@_named
def cut(shell: Shell) -> None:
    """The setting that the guide adds."""
    shell.change("model/train.py", "    seed: int = 0\n", "    seed: int = 0\n    cut: float = 0.5\n")
    shell.change("model/train.py", "int(probability > 0.5)", "int(probability > config.cut)")


@_named
def train_is_gone(shell: Shell) -> None:
    """What is frozen does not depend on the project."""
    (shell.folder / "model" / "train.py").unlink()


@_named
def config_needs_numpy(shell: Shell) -> None:
    shell.change("model/train.py", "import csv\n", "import csv\nimport numpy\n")


@_named
def config_needs_nothing(shell: Shell) -> None:
    shell.change("model/train.py", "import numpy\n", "")


@_named
def sample_data_has_changed(shell: Shell) -> None:
    with (shell.folder / "sample_data.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")


@_named
def tiny_has_run(shell: Shell) -> None:
    begin(shell, "tiny", "tiny")
    shell("coord push base --wait")


@_named
def wide_screen(shell: Shell) -> None:
    shell.environment["COLUMNS"] = "130"


@_named
def a_moment_later(shell: Shell) -> None:
    """A new version of a data set is processed for a second."""
    time.sleep(1.2)


@_named
def einx(shell: Shell) -> None:
    """A project that requires what the image lacks; pip finds it in a folder."""
    begin(shell, "wheels")
    wheels = shell.home / "index"
    compiled = "cp312-cp312-manylinux2014_x86_64"
    for name, version, parts, requires, tag in (
        ("einx", "0.4.3", ("docs", "einx", "test"), ("numpy", "sympy", "frozendict"), ANY),
        ("iterative-stratification", "0.1.9", ("iterstrat", "tests"), ("numpy", "scipy", "scikit-learn"), ANY),
        ("scikit-learn", "1.9.1", ("sklearn",), ("numpy", "scipy", "joblib", "threadpoolctl", "narwhals"), compiled),
        ("cudf-cu12", "24.12.0", ("cudf",), ("cuda-python<13.0a0,<=12.6.0,>=12.0",), ANY),
    ):
        files = {f"{part}/__init__.py": "" for part in parts}
        write_wheel(wheels, name, version, files=files, requires=requires, tag=tag)
    required = '["einx>=0.4", "iterative-stratification"]'
    _write(shell, "pyproject.toml", f'[tool.coord]\nentry = "train.py"\nrequirements = {required}\n')
    _write(shell, "train.py", "import einx\n")
    _write(shell, "experiments/first.yaml", "about: needs wheels\n")
    found = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    shell.environment |= {**found, "COORD_TARGET": "local"}


@_named
def a_newer_numpy(shell: Shell) -> None:
    shell.change("pyproject.toml", '"einx>=0.4", ', '"einx>=0.4", "numpy>=99", ')


@_named
def cudf(shell: Shell) -> None:
    shell.change("pyproject.toml", '"einx>=0.4", "numpy>=99", "iterative-stratification"', '"cudf-cu12==24.12.0"')
    (shell.folder / "kaggle-wheels.json").unlink()


@_named
def masks(shell: Shell) -> None:
    """An experiment that attaches what no cluster has."""
    _write(shell, "experiments/masks.yaml", "base: base\nkernel: {dataset_sources: [ada/masks]}\n")


@_named
def big(shell: Shell) -> None:
    """An experiment that asks for more graphics cards than a machine of the cluster has."""
    _write(shell, "experiments/big.yaml", "base: base\nkernel: {machine_shape: NvidiaTeslaT4}\n")


@_named
def the_same_sweep_again(shell: Shell) -> None:
    """The same work is not run twice, whatever the sweep's name."""
    again = shell("coord sweep base --grid cut=0.5,0.99 --grid epochs=20,21 --seeds 3 --name second")
    assert "pushing" not in again, again
