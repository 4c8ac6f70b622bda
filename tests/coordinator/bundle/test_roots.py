"""Where a program's modules lie: above the script, in src/, in folders that it adds to sys.path; found, or told."""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from coordinator.bundle.program import bundle, module_of, script_at
from coordinator.bundle.sources import Selection, collect, gather
from coordinator.errors import BundleError, UsageError
from coordinator.project.texts import Texts
from tests.coordinator.bundle.programs import write_files

Files = Mapping[str, str | bytes]


@dataclass(frozen=True)
class Bundled:
    """What `coord bundle` makes and says."""

    entry: str
    files: list[str]
    said: list[str]


def _bundle(
    folder: Path, script: str, arguments: Sequence[str] = (), *, root: str | None = None, kaggle: bool = False
) -> Bundled:
    said = list[str]()
    program = replace(script_at(Path(script), Path(root) if root else None), arguments=tuple(arguments))
    made, files = bundle(program, kaggle=kaggle, say=said.append)
    entry = ast.literal_eval(made.text.rpartition("entry=")[2].partition(",\n")[0])
    return Bundled(entry, [file.path for file in files], said)


PARENT = "import sys\nfrom pathlib import Path\nsys.path.insert(0, str(Path(__file__).resolve().parents[1]))\n"


@pytest.mark.parametrize(
    ("source", "files", "arguments", "why"),
    [
        ("from common.text import X\n", {"common/text.py": "X = 1\n"}, (), "src/train.py:1 imports common"),
        ("import common\n", {"common.py": ""}, (), "src/train.py:1 imports common"),
        (f"{PARENT}import common\n", {"common/__init__.py": ""}, (), "src/train.py:4 imports common"),
        (
            "import helper\n",
            {"src/helper.py": "import common\n", "common.py": ""},
            (),
            "src/helper.py:1 imports common",
        ),
        ("x = 1\n", {"configs/a.yaml": "lr: 1\n"}, ("--config", "configs/a.yaml"), "what the arguments name"),
        ("x = open('configs/a.yaml')\n", {"configs/a.yaml": "lr: 1\n"}, (), "src/train.py:1 opens configs/a.yaml"),
        (
            "import hydra\n@hydra.main(config_path='../conf', config_name='c')\ndef main(cfg): ...\n",
            {"conf/c.yaml": "lr: 1\n"},
            (),
            "has its config in conf",
        ),
    ],
)
def test_a_root_above_the_script(
    source: str,
    files: Files,
    arguments: Sequence[str],
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is found from the folder in which the user is, and told."""
    write_files(tmp_path, {"src/train.py": source, **files})
    monkeypatch.chdir(tmp_path)
    found = _bundle(tmp_path, "src/train.py", arguments)
    assert found.entry == "src/train.py"
    assert {*files, "src/train.py"} <= {*found.files}
    assert found.said[0].startswith("the root is .: ")
    # The place is named as it was before the root moved: below the script's folder.
    assert why.replace("src/", "") in found.said[0] or why in found.said[0]


def test_a_root_above_the_users_folder_is_named_by_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the program would run in another folder than the user does; with --root it is taken."""
    source = 'import sys\nsys.path.append("..")\nimport common\n'
    write_files(tmp_path, {"src/train.py": source, "common/__init__.py": ""})
    monkeypatch.chdir(tmp_path / "src")
    with pytest.raises(BundleError, match=r"train\.py:3 imports common, which lies in \.\.: --root \.\."):
        _bundle(tmp_path, "train.py")
    assert _bundle(tmp_path, "train.py", root="..").files == ["common/__init__.py", "src/train.py"]
    with pytest.raises(BundleError, match=r"imports common, which lies in \.\.: --root \.\."):
        _bundle(tmp_path, "train.py", root=".")


@pytest.mark.parametrize("name", ["numpy", "json", "nowhere"])
def test_a_folder_above_is_not_taken_for_a_library(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the image or Python itself has, an optional import, and what is nowhere move no root."""
    write_files(
        tmp_path,
        {
            "src/train.py": f"import {name}\ntry:\n    import common\nexcept ImportError:\n    pass\n",
            "numpy/x.py": "",
            "json/__init__.py": "",
            "common.py": "",
        },
    )
    monkeypatch.chdir(tmp_path)
    assert _bundle(tmp_path, "src/train.py").files == ["train.py"]


@pytest.mark.parametrize("kaggle", [False, True])
def test_a_package_in_src(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, kaggle: bool) -> None:
    """What the program finds only with PYTHONPATH=src is told, with --path."""
    write_files(tmp_path, {"train.py": "import lungs\n", "src/lungs/__init__.py": ""})
    monkeypatch.chdir(tmp_path)
    found = _bundle(tmp_path, "train.py", kaggle=kaggle)
    (warning,) = [line for line in found.said if line.startswith("warning")]
    assert "train.py:1 imports lungs" in warning
    assert 'it lies in src/: path = ["src"] in [tool.coord], or --path src of coord bundle' in warning
    with_path = gather(tmp_path, "train.py", Selection(path=["src"]))
    assert ([file.path for file in with_path.files], with_path.elsewhere) == (["src/lungs/__init__.py", "train.py"], {})


def test_a_module_in_src(tmp_path: Path) -> None:
    """As an entry it is found with --path; without it, that is said."""
    write_files(tmp_path, {"src/lungs/train.py": "import lungs.part\n", "src/lungs/part.py": ""})
    with pytest.raises(UsageError, match=r"lungs/train\.py is missing; src/lungs/ is there: --path src"):
        module_of("lungs.train", tmp_path)
    program = module_of("lungs.train", tmp_path, ["src"])
    assert [file.path for file in bundle(program)[1]] == ["src/lungs/part.py", "src/lungs/train.py"]
    with pytest.raises(BundleError, match="there is no folder lib"):
        collect(tmp_path, "lungs.train", Selection(path=["lib"]))


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("'a/b'", "a/b"),
        ("'a' + '/b'", "a/b"),
        ("os.path.join('a', 'b')", "a/b"),
        ("os.path.join(os.path.dirname(__file__), '..', 'b')", "/r/src/../b"),
        ("os.path.dirname(os.path.dirname(os.path.abspath(__file__)))", "/r"),
        ("str(Path(__file__).resolve().parents[1] / 'b')", "/r/b"),
        ("Path(__file__).parent.joinpath('b').as_posix()", "/r/src/b"),
        ("f'{HERE}/b'", "/r/src/b"),
        ("os.path.realpath('b')", "/r/b"),
        ("os.getcwd() + os.sep + 'b'", "/r/b"),
        ("Path.cwd() / 'b'", "/r/b"),
        ("osp.join(sys.path[0], 'b')", "/r/src/b"),
        ("Path('a', 'b')", "a/b"),
        ("args.name", None),
        ("CHANGED", None),
        ("f'a/{args.name}'", None),
        ("LOOP + LOOP", None),
    ],
)
def test_texts_that_the_source_tells(expression: str, text: str | None) -> None:
    """Literals, constants, what is made of __file__ and of the working directory; nothing that only a run knows."""
    constants = "HERE = os.path.dirname(__file__)\nCHANGED = 'a'\nCHANGED = 'b'\nLOOP = LOOP + 'a'\n"
    tree = ast.parse(f"{constants}{expression}\n")
    node = tree.body[-1]
    assert isinstance(node, ast.Expr)
    assert Texts(tree, Path("/r/src/train.py"), Path("/r")).whole(node.value) == text


@pytest.mark.parametrize(
    "addition",
    [
        "sys.path.append('lib')",
        "sys.path.insert(0, 'lib')",
        "sys.path.extend(['lib', 'other'])",
        "sys.path += ['lib']",
        "sys.path = ['lib'] + sys.path",
        "sys.path[:0] = ['lib']",
        "[sys.path.append(each) for each in ['lib']]; sys.path.append('lib')",
        "import site; site.addsitedir('lib')",
        "LIB = os.path.join(os.path.dirname(__file__), 'lib')\nif LIB not in sys.path:\n    sys.path.append(LIB)",
        "def add():\n    sys.path.insert(0, os.path.abspath('./lib/'))\nadd()",
    ],
)
@pytest.mark.parametrize("place", ["main.py", "setup_paths.py", "pack/paths.py"])
def test_additions_to_the_search_path(addition: str, place: str, tmp_path: Path) -> None:
    """In the script, in a module of it, in a package; also where an import of the module was seen before."""
    files = {
        "main.py": "import setup_paths, pack.paths\nimport wanted\n",
        "setup_paths.py": "",
        "pack/__init__.py": "",
        "pack/paths.py": "",
        "lib/wanted.py": "import deeper\n",
        "lib/deeper/__init__.py": "",
        "lib/not_wanted.py": "",
    }
    addition = addition.replace(
        "os.path.dirname(__file__), 'lib'", f"os.path.dirname(__file__), '{'../' * place.count('/')}lib'"
    )
    write_files(tmp_path, {**files, place: f"import os, sys\n{addition}\n{files[place]}"})
    found = {file.path for file in collect(tmp_path, "main.py")}
    assert found == files.keys() - {"lib/not_wanted.py"}


def test_folders_that_a_computed_name_may_reach(tmp_path: Path) -> None:
    """Those that nothing names are told, with what takes them in."""
    write_files(
        tmp_path,
        {
            "main.py": "import importlib, sys\nimportlib.import_module(sys.argv[1])\n",
            "models/unet.py": "",
            "losses/deep/dice.py": "",
            "data/train.csv": "",
            "beside.py": "",
        },
    )
    said = list[str]()
    collect(tmp_path, "main.py", say=said.append)
    assert said == [
        "main.py:2 computes a name to import; beside it: beside",
        "main.py:2 computes a name to import; folders beside it that were not taken: losses, models "
        "(--include 'losses/**' --include 'models/**')",
    ]
    for pattern in ("models/**", "models", "models/", "models/**/*"):
        found = collect(tmp_path, "main.py", Selection(include=[pattern]))
        assert [file.path for file in found] == ["beside.py", "main.py", "models/unet.py"]
    named = collect(tmp_path, "main.py", Selection(named=[("losses.deep.dice", "the argument")]))
    assert "losses/deep/dice.py" in [file.path for file in named]


def _bytes_read() -> int:
    """By this process, since its start."""
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
    return int(counts["rchar"])


def test_a_repository_with_much_beside_the_code(tmp_path: Path) -> None:
    """Data of 5 GB, many files, notebooks and .git beside the code are not read, whatever names them."""
    write_files(
        tmp_path,
        {
            "train.py": "import importlib, sys, glob\nimportlib.import_module(sys.argv[1])\n"
            "print('data', 'notebooks')\n"
            "open(f'data/{sys.argv[2]}.csv')\nfor x in glob.glob('images/*.json'): open(x)\n",
            "nets.py": "",
            "data/prepare.py": "",
            "notebooks/eda.ipynb": "{}",
            ".git/HEAD": "ref: refs/heads/main\n",
        },
    )
    for index in range(10):
        with (tmp_path / "data" / f"{index}.csv").open("wb") as file:
            file.truncate(500_000_000)
    (tmp_path / "images").mkdir()
    for index in range(5_100):
        (tmp_path / "images" / f"{index}.json").touch()
    said = list[str]()
    before = _bytes_read()
    found = collect(tmp_path, "train.py", Selection(named=[("data", "the argument --data")]), say=said.append)
    assert _bytes_read() - before < 50_000_000
    assert [file.path for file in found] == ["data/prepare.py", "nets.py", "train.py"]
    assert [line for line in said if line.startswith("left out")] == [
        "left out: data/, named in the argument --data: it is large; --include 'data/**' takes it all the same",
        "left out: images/, named in train.py:5: it is large; --include 'images/**' takes it all the same",
    ]


def test_git_is_asked_in_a_work_tree_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository's top is where the search for modules above ends."""
    write_files(tmp_path, {"common.py": "", "repo/src/deep/train.py": "import common\n", "repo/near.py": ""})
    subprocess.run(["git", "init", "-q", str(tmp_path / "repo")], check=True, env={**os.environ, "HOME": str(tmp_path)})
    monkeypatch.chdir(tmp_path / "repo")
    assert _bundle(tmp_path, "src/deep/train.py").files == ["train.py"]
    write_files(tmp_path, {"repo/src/deep/train.py": "import near\n"})
    assert _bundle(tmp_path, "src/deep/train.py").files == ["near.py", "src/deep/train.py"]
