"""Which program of a repository is the one to run, and with which arguments, as its documents say."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.errors import UsageError
from coordinator.project.adoption.commands import commands_in
from coordinator.project.adoption.entry import find_entry
from coordinator.project.adoption.tree import read_tree
from tests.coordinator.bundle.programs import write_files

FILES = {"train.py": "", "src/__init__.py": "", "src/train.py": "", "tools/fit.py": "", "run.sh": ""}


@pytest.mark.parametrize(
    ("document", "entry", "args", "paths"),
    [
        ("    python train.py --lr 0.1", "train.py", ["--lr", "0.1"], []),
        ("```\n$ python3 train.py --a 'b c'  # takes an hour\n```", "train.py", ["--a", "b c"], []),
        ("Run `python train.py --fold 0` first.", "train.py", ["--fold", "0"], []),
        ("PYTHONPATH=. CUDA_VISIBLE_DEVICES=0,1 python -u src/train.py", "src/train.py", [], ["."]),
        ("python -m src.train --lr=1", "src.train", ["--lr=1"], []),
        ("python train.py \\\n  --lr 0.1 \\\n  --fold 1", "train.py", ["--lr", "0.1", "--fold", "1"], []),
        ("torchrun --nproc_per_node 2 train.py --amp", "train.py", ["--amp"], []),
        ("accelerate launch --config_file a.yaml -m src.train x", "src.train", ["x"], []),
        ("python -m torch.distributed.launch --nproc_per_node=8 train.py", "train.py", [], []),
        ("uv run python train.py", "train.py", [], []),
        ("!python train.py > log.txt 2>&1 &", "train.py", [], []),
        ("1. python train.py | tee log", "train.py", [], []),
        ("pip install -e . && python train.py; echo done", "train.py", [], []),
        ("git clone x && cd x && python train.py", "train.py", [], []),
        ("%time\n> nohup python ./train.py", "train.py", [], []),
        ("/opt/conda/bin/python3.10 -W ignore train.py", "train.py", [], []),
    ],
)
def test_a_command_of_the_readme(tmp_path: Path, document: str, entry: str, args: list[str], paths: list[str]) -> None:
    """The command is read as a shell would, without what comes before and after the program."""
    write_files(tmp_path, {**FILES, "README.md": f"# Solution\n\n{document}\n"})
    (found,) = commands_in(read_tree(tmp_path))
    assert (found.entry, list(found.args), list(found.paths)) == (entry, args, paths)


@pytest.mark.parametrize(
    "document",
    ["python is needed", "python -m pip install x", "python missing.py", "python -c 'import train'", "cd src"],
)
def test_what_is_no_command_of_the_repository(tmp_path: Path, document: str) -> None:
    """Prose, other tools and other people's scripts are passed over."""
    write_files(tmp_path, {**FILES, "README.md": document})
    assert commands_in(read_tree(tmp_path)) == []


@pytest.mark.parametrize(
    ("files", "entry"),
    [
        ({"README.md": "python prepare.py\npython train.py\npython infer.py"}, "train.py"),
        ({"README.md": "python 1.train.py --fold 0\npython 2.predict.py"}, "1.train.py"),
        ({"run.sh": "for i in 0 1; do python train.py --fold $i; done", "main.py": ""}, "train.py"),
        ({"README.md": "see run.sh", "main.py": "", "model.py": ""}, "main.py"),
        ({"prepare.sh": "python utils/prepare_png.py --x 1", "Train.py": ""}, "Train.py"),
        ({"README.md": "", "src/main.py": "", "utils.py": ""}, "src/main.py"),
        ({"solve.py": "if __name__ == '__main__':\n    pass\n", "model.py": ""}, "solve.py"),
        ({"pack/main.py": "from .data import load\n", "build.sh": "python build.py", "build.py": ""}, "pack.main"),
        ({"kernel.py": "print(1)"}, "kernel.py"),
        ({"train": "#!/usr/bin/env python3\n", "score.py": ""}, "train"),
        ({"train_utils.py": "", "trainer.py": "", "train.py": ""}, "train.py"),
        ({"train.py": "", "test_train.py": "", "train_ensemble.py": ""}, "train.py"),
        ({"setup.py": ""}, "setup.py"),
    ],
)  # fmt: skip
def test_the_likeliest_program(tmp_path: Path, files: dict[str, str], entry: str) -> None:
    """Commands come first, then names, then `if __name__` lines."""
    named = {word: "" for text in files.values() for word in text.split() if word.endswith(".py")}
    write_files(tmp_path, {**named, **files})
    assert find_entry(read_tree(tmp_path), None).name == entry


@pytest.mark.parametrize(
    ("files", "given", "message"),
    [
        ({"notes.txt": ""}, None, "no Python script was found"),
        (
            {"train_a.py": "", "train_b.py": ""},
            None,
            "several programs could be the one to run: train_a.py, train_b.py",
        ),
        ({"README.md": "python a.py\npython b.py", "a.py": "", "b.py": ""}, None, "several programs could be"),
        ({"utils.py": "", "model.py": ""}, None, "looks like the one that runs"),
        (
            {"train.py": ""},
            "tain.py",
            '--from tain.py: there is no such script or module in .* \\(did you mean "train.py"',
        ),
        ({"README.md": "cd src\npython train.py", "src/train.py": ""}, None, "README.md:2 runs src/train.py in src/"),
    ],
)
def test_what_has_to_be_named(tmp_path: Path, files: dict[str, str], given: str | None, message: str) -> None:
    """No program, or several, are refused with what to do."""
    write_files(tmp_path, files)
    with pytest.raises(UsageError, match=message) as refused:
        find_entry(read_tree(tmp_path), given)
    assert refused.value.hint or "did you mean" in refused.value.what


def test_from_names_one(tmp_path: Path) -> None:
    """`--from` takes a script, a module or a folder with a __main__.py; the documented command of it counts."""
    files = {"README.md": "python a.py --x 1", "a.py": "", "b.py": "", "pack/__main__.py": "", "src/deep/run.py": ""}
    write_files(tmp_path, files)
    tree = read_tree(tmp_path)
    command = find_entry(tree, "a.py").command
    assert command is not None
    assert command.args == ("--x", "1")
    assert [find_entry(tree, each).name for each in ("b.py", "pack", "src/deep/run.py", "deep.run")] == [
        *("b.py", "pack/__main__.py", "src/deep/run.py", "deep.run")
    ]
