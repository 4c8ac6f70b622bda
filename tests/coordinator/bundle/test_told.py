"""What only the far side would tell is told before: files that are not packed, sources, options, modules."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.bundle.arguments import paths_named
from coordinator.bundle.program import bundle, module_of, script_at
from coordinator.bundle.sources import Selection, gather
from coordinator.bundle.told import Told, missing_files, missing_inputs
from coordinator.errors import BundleError
from coordinator.kernel.build import assemble, build_kernel
from coordinator.kernel.check import check_kernel
from coordinator.kernel.work import work_to_do
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from coordinator.runs.dry_run import dry_run_kernel
from tests.coordinator.bundle.programs import run_kernel, write_files

LARGE = b"id,y\n" + b"1,2\n" * 300_000


def _told(root: Path, source: str, files: Mapping[str, str | bytes], *, exclude: Sequence[str] = ()) -> Told:
    write_files(root, {"train.py": source, **files})
    found = gather(root, "train.py", Selection(exclude=exclude))
    return missing_files(found, "train.py", (), exclude)


READS = [
    "open('data/big.csv')",
    "open('data/big.csv', 'rb')",
    "open(file='data/big.csv', mode='r')",
    "import pandas as pd; pd.read_csv('data/big.csv')",
    "from pandas import read_csv; read_csv('data/big.csv')",
    "import pandas as pd; pd.read_csv(filepath_or_buffer='data/big.csv')",
    "import numpy as np; np.load('data/big.csv')",
    "import torch; torch.load('data/big.csv', map_location='cpu')",
    "import yaml; yaml.safe_load(open('data/big.csv'))",
    "from pathlib import Path; Path('data/big.csv').read_text()",
    "from pathlib import Path; Path('data', 'big.csv').open()",
    "from pathlib import Path; (Path('data') / 'big.csv').read_bytes()",
    "import os; open(os.path.join('data', 'big.csv'))",
    "import os; open(os.path.join(os.path.dirname(__file__), 'data/big.csv'))",
    "D = 'data'\nopen(f'{D}/big.csv')",
    "CSV = './data/big.csv'\nopen(CSV)",
    "import gzip; gzip.open('data/big.csv')",
    "import cv2; cv2.imread('data/big.csv')",
    "from PIL import Image; Image.open('data/big.csv')",
    "with open('data/big.csv') as f: pass",
    "import zipfile; zipfile.ZipFile('data/big.csv')",
    "def main():\n    open('data/big.csv')",
]


@pytest.mark.parametrize("source", READS)
@pytest.mark.parametrize("why", ["large", "ignored"])
def test_a_file_that_is_read_and_not_packed(source: str, why: str, tmp_path: Path) -> None:
    """It is in the project and left out: told with its place and the ways out."""
    ignored = {".gitignore": "data/\n"} if why == "ignored" else {}
    told = _told(tmp_path, source, {"data/big.csv": b"a\n" if ignored else LARGE, **ignored})
    (message,) = told.left_out
    line = 1 + source[: source.rfind("(")].count("\n")
    assert message.startswith(f"train.py:{line} opens data/big.csv, which is not packed (")
    assert 'include = ["data/big.csv"] in [tool.coord] (--include)' in message
    assert told.warnings == told.left_out
    # As asked for, and as left out on purpose.
    found = gather(tmp_path, "train.py", Selection(include=["data/big.csv"]))
    assert missing_files(found, "train.py", (), ()) == Told()
    told = _told(tmp_path, source, {}, exclude=["/data/big.csv"])
    assert (told.left_out, len(told.warnings)) == ((), 1)


@pytest.mark.parametrize(
    "source",
    [
        "open('data/big.csv', 'w')",
        "open('data/big.csv', 'w')\nopen('data/big.csv')",
        "import os; os.makedirs('data', exist_ok=True)\nopen('data/big.csv')",
        "from pathlib import Path; Path('data').mkdir()\nopen('data/big.csv')",
        "import pandas as pd; pd.DataFrame().to_csv('data/big.csv')\npd.read_csv('data/big.csv')",
        "import torch; torch.save({}, 'data/big.csv')\ntorch.load('data/big.csv')",
        "import shutil; shutil.copy('/kaggle/input/x/big.csv', 'data/big.csv')\nopen('data/big.csv')",
        "import os; os.system('wget -O data/big.csv https://example.org/x')\nopen('data/big.csv')",
        "import os\nif os.path.exists('data/big.csv'): open('data/big.csv')",
        "from pathlib import Path\nif Path('data/big.csv').is_file(): open('data/big.csv')",
        "try:\n    open('data/big.csv')\nexcept FileNotFoundError:\n    pass",
        "try:\n    open('data/big.csv')\nexcept (ValueError, OSError):\n    pass",
        "import sys; open(sys.argv[1])",
        "import webbrowser; webbrowser.open('https://example.org/data/big.csv')",
        "print('data/big.csv')",
        "import pandas as pd; pd.read_csv('https://example.org/data/big.csv')",
        "open('/kaggle/input/x/data/big.csv')",
        "open('/tmp/data/big.csv')",
    ],
)
def test_what_is_no_missing_file(source: str, tmp_path: Path) -> None:
    """What the program writes itself, asks for, or can do without; and names that are no reads."""
    assert _told(tmp_path, source, {"data/big.csv": LARGE}) == Told()


def test_a_file_that_is_nowhere_and_files_with_computed_names(tmp_path: Path) -> None:
    """They are told, and are no errors: it is not certain that the program lacks them."""
    source = "import sys\nopen('lists/train.txt')\nopen(f'data/{sys.argv[1]}.csv')\nopen(f'{sys.argv[1]}.csv')\n"
    told = _told(tmp_path, source, {"data/1.csv": LARGE})
    assert told.left_out == ()
    assert told.warnings == (
        "train.py:2 opens lists/train.txt, and there is no such file in the program's folder",
        'train.py:3 opens files of data/, which are not packed: include = ["data/**"] in [tool.coord] (--include) '
        "takes it in, and a data set can be attached instead",
    )
    assert told.nowhere == (("lists/train.txt", "train.py:2"),)


@pytest.mark.parametrize(
    "source",
    [
        "import os\nif os.path.exists('/kaggle'):\n    open('/kaggle/input/x/y')\nelse:\n    open('data/big.csv')",
        "import sys\nopen('data/big.csv') if len(sys.argv) > 1 else None",
    ],
)
def test_a_file_that_only_some_runs_read(source: str, tmp_path: Path) -> None:
    """In a branch of an `if` it is only a warning: this run may take the other one."""
    told = _told(tmp_path, source, {"data/big.csv": LARGE})
    assert (told.left_out, len(told.warnings)) == ((), 1)
    main = "if __name__ == '__main__':\n    open('data/big.csv')\n"
    assert len(_told(tmp_path, main, {}).left_out) == 1


def test_a_file_beside_a_script_in_a_folder(tmp_path: Path) -> None:
    """The program runs in the root: there the name leads to nothing."""
    write_files(tmp_path, {"src/train.py": "open('words.txt')\n", "src/words.txt": "a\n"})
    found = gather(tmp_path, "src/train.py")
    (warning,) = missing_files(found, "src/train.py", (), ()).warnings
    assert warning.endswith("no such file in the program's folder: it lies beside src/train.py, not there")


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        (("--config", "configs/a.yaml", "--fold", "0"), ["configs/a.yaml"]),
        (("--config=configs/a.yaml",), ["configs/a.yaml"]),
        (("-c", "a.yaml"), ["a.yaml"]),
        (("a.yaml", "--lr", "0.1"), ["a.yaml"]),
        (("--data-dir", "data", "--out-dir", "runs", "--save_path", "x/y.pt"), ["data"]),
        (("--output", "out/model.pt", "--model", "small"), []),
        (("data.root=data/train", "+optim=adam", "optim.lr=1e-3"), ["data/train"]),
        (("--url", "https://example.org/a.yaml", "--root", "/kaggle/input/x"), []),
    ],
)
def test_arguments_that_may_be_paths(arguments: Sequence[str], paths: Sequence[str]) -> None:
    """By their looks and by the names of their options; not what is written."""
    assert [text for text, _ in paths_named(arguments)] == paths


def test_an_argument_that_names_what_is_not_packed(tmp_path: Path) -> None:
    """A large file is left out, a file that is nowhere is told, and so is a large folder."""
    write_files(tmp_path, {"train.py": "", "data/big.csv": LARGE, "big.csv": LARGE})
    named = paths_named(["--csv", "big.csv", "--config", "configs/typo.yaml", "--data-dir", "data"])
    told = missing_files(gather(tmp_path, "train.py", Selection(named=named)), "train.py", named, ())
    (left_out,) = told.left_out
    assert left_out.startswith("the argument --csv names big.csv, which is not packed (1,200,005 bytes)")
    assert [warning.partition(",")[0] for warning in told.warnings[:2]] == [
        "the argument --config names configs/typo.yaml",
        "the argument --data-dir names files of data/",
    ]


@pytest.mark.parametrize(
    ("source", "slug"),
    [
        ("open('/kaggle/input/titanic/train.csv')", "titanic"),
        ("open('../input/titanic/train.csv')", "titanic"),
        ("D = '/kaggle/input/titanic'", "titanic"),
        ("import sys; D = f'/kaggle/input/titanic/{sys.argv[1]}.csv'", "titanic"),
        ("open('/kaggle/input/competitions/titanic/train.csv')", "titanic"),
        ("open('/kaggle/input/datasets/ada/titanic/train.csv')", "titanic"),
        ("open('/kaggle/input/notebooks/ada/titanic/train.csv')", "titanic"),
        ("import sys; D = f'/kaggle/input/{sys.argv[1]}'", None),
        ("import sys; D = f'/kaggle/input/comp-{sys.argv[1]}/x'", None),
        ("D = '/kaggle/input'", None),
        ("D = '/data/input/titanic'", None),
    ],
)
def test_sources_that_are_not_attached(source: str, slug: str | None, tmp_path: Path) -> None:
    """Their slugs are told, whatever the layout of the mount; attached ones and computed names are not."""
    write_files(tmp_path, {"train.py": source})
    found = gather(tmp_path, "train.py")
    told = missing_inputs(found, "train.py", {"other"})
    assert [f"no source with the slug {slug} is attached" in each for each in told] == [True] * (slug is not None)
    assert missing_inputs(found, "train.py", {"titanic"}) == ()
    assert len(missing_inputs(found, "train.py", None)) == len(told)


PARSER = (
    "import argparse\np = argparse.ArgumentParser()\np.add_argument('--fold', required=True)\np.add_argument('csv')\n"
)


@pytest.mark.parametrize(
    ("arguments", "missing"), [((), ["--fold", "csv"]), (("--fold", "0"), ["csv"]), (("x.y", "--fold=0"), [])]
)
def test_options_that_nothing_gives(arguments: Sequence[str], missing: Sequence[str], tmp_path: Path) -> None:
    """`coord bundle` warns of what argparse requires; argparse itself agrees."""
    write_files(tmp_path, {"train.py": f"{PARSER}p.parse_args()\n"})
    said = list[str]()
    bundle(replace(script_at(tmp_path / "train.py"), arguments=tuple(arguments)), say=said.append)
    assert [line.split()[3].rstrip(":") for line in said if " requires " in line] == missing
    scope: dict[str, argparse.ArgumentParser] = {}
    exec(PARSER, scope)  # the sample's text
    if missing:
        with pytest.raises(SystemExit):
            scope["p"].parse_args(list(arguments))
    else:
        scope["p"].parse_args(list(arguments))


def _project(root: Path, settings: str, **files: str | bytes) -> Project:
    text = f'[tool.coord]\nowner = "ada"\n{settings}\n[tool.coord.kernel]\ntitle = "try {{experiment}}"\n'
    write_files(root, {"experiments/base.yaml": "", "pyproject.toml": text, **files})
    return find_project(root)


def test_a_dry_run_ends_before_it_starts(tmp_path: Path) -> None:
    """Where the program opens a file of the project that was left out; a build warns. `exclude` says it is not read."""
    files: dict[str, str | bytes] = {"train.py": "open('data/big.csv')\n", "data/big.csv": LARGE}
    project = _project(tmp_path, 'entry = "train.py"', **files)
    built = build_kernel(project, resolve(project, "base"))
    assert built.warnings == built.left_out != ()
    with pytest.raises(BundleError, match=r"train\.py:1 opens data/big\.csv, which is not packed"):
        dry_run_kernel(project, built, on_record=lambda _: None, say=lambda _: None)
    project = _project(tmp_path, 'entry = "train.py"\nexclude = ["/data/"]', **files)
    assert assemble(project, resolve(project, "base")).left_out == ()


def test_a_build_tells_what_the_run_lacks(tmp_path: Path) -> None:
    """Options that are required where no flags declare the config, and sources that are not attached."""
    source = f"{PARSER}p.parse_args()\nopen('/kaggle/input/titanic/x')\n"
    project = _project(tmp_path, 'entry = "train.py"\nargs = ["x.csv"]', **{"train.py": source})
    warnings = assemble(project, resolve(project, "base")).warnings
    assert [warning.partition(",")[0] for warning in warnings] == [
        "the argument x.csv names x.csv",
        "train.py:6 reads /kaggle/input/titanic/x",
        "train.py requires --fold",
    ]
    delivered = 'entry = "train.py"\nargs = ["x"]\ndelivery = "arguments"'
    project = _project(tmp_path, delivered, **{"experiments/base.yaml": "config: {fold: 1}\n"})
    assert [each for each in assemble(project, resolve(project, "base")).warnings if "requires" in each] == []


def test_path_is_part_of_the_launch(tmp_path: Path) -> None:
    """In the digest, the manifest and the header; `build --check` tells another one; a kernel runs with it."""
    files = {
        "src/lungs/train.py": "import argparse, lungs.part\np = argparse.ArgumentParser()\n"
        "p.add_argument('--lr', type=float, default=0.1)\nprint(p.parse_args().lr, lungs.part.X, __name__)\n",
        "src/lungs/part.py": "X = 1\n",
    }
    settings = 'entry = "lungs.train"\npath = ["src"]\nconfig = "argparse"'
    project = _project(tmp_path / "p", settings, **files, **{"experiments/base.yaml": "config: {lr: 0.5}\n"})
    built = build_kernel(project, resolve(project, "base"))
    assert (built.manifest["path"], built.warnings) == (["src"], ())
    assert "runs PYTHONPATH=src lungs.train with the config" in built.script.text
    ran = run_kernel(built.script.text, tmp_path / "session")
    assert (ran.code, ran.out, ran.err) == (0, "0.5 1 __main__\n", "")
    launch = replace(built.experiment.launch, path=("src", "experiments"))
    other = assemble(project, replace(built.experiment, launch=launch))
    assert work_to_do(other) != work_to_do(built)
    checked = check_kernel(project, other)
    assert [(change.path, change.base, change.value) for change in checked.settings] == [
        ("path", ["src"], ["src", "experiments"])
    ]


def test_a_config_file_of_the_settings_brings_its_folder(tmp_path: Path) -> None:
    """It may name the others."""
    files = {"train.py": "open('configs/a.json')\n", "configs/a.json": '{"lr": 1}', "configs/more/b.json": "{}"}
    project = _project(tmp_path, 'entry = "train.py"\nconfig = "configs/a.json"', **files)
    built = assemble(project, resolve(project, "base"))
    assert [file.path for file in built.files] == ["configs/a.json", "configs/more/b.json", "train.py"]
    assert built.warnings == ()


def test_modules_of_the_bundle_are_not_missing_from_the_image(tmp_path: Path) -> None:
    """Beside the script, and in folders that it adds; what no import leads to only warns."""
    files = {
        "train.py": "import sys, importlib\nsys.path.append('lib')\nimport losses, deep\n"
        "importlib.import_module(losses.X)",
        "losses.py": "X = 'json'\n",
        "lib/deep.py": "import deeper\n",
        "lib/deeper.py": "",
        "old.py": "import a_library_of_old\n",
    }
    project = _project(tmp_path, 'entry = "train.py"', **files)
    (warning,) = assemble(project, resolve(project, "base")).warnings
    assert warning.startswith("old.py:1 imports a_library_of_old, which the image of")
    assert warning.endswith("lacks; no import leads there from the entry")
    write_files(tmp_path, {"losses.py": "import a_library_of_old\n"})
    with pytest.raises(BundleError, match=r"losses\.py:1: a_library_of_old"):
        assemble(project, resolve(project, "base"))
    attached = {"train.py": "import sys\nsys.path.append('../input/old')\nimport a_library_of_old\n"}
    write_files(tmp_path, attached)
    told = assemble(project, resolve(project, "base")).warnings
    assert told[0].endswith("lacks: ../input/old must have it")
    write_files(tmp_path, {"losses.py": "", "train.py": "import lungs\n", "src/lungs.py": ""})
    with pytest.raises(BundleError) as caught:
        assemble(project, resolve(project, "base"))
    assert 'lungs: it lies in src/: path = ["src"] in [tool.coord]' in str(caught.value.hint)


def test_a_module_needs_its_folder(tmp_path: Path) -> None:
    """`python -m` of a package in a folder that path names, as one script."""
    write_files(tmp_path, {"src/pack/run.py": "import pack.part, sys\nprint(pack.part.X, sys.path[0] != '')\n"})
    write_files(tmp_path, {"src/pack/part.py": "X = 1\n"})
    script, _ = bundle(module_of("pack.run", tmp_path, ["src"]))
    ran = run_kernel(script.text, tmp_path / "session")
    assert (ran.code, ran.out, ran.left) == (0, "1 True\n", ())
