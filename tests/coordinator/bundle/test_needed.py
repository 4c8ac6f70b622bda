"""In the kernel: the folder of each need is found, whatever the layout, and put where the program looks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.bundle.needed import MOST_LINES, filled, with_needs


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder `input/` of a session."""
    monkeypatch.setenv("COORD_KAGGLE_ROOT", str(tmp_path))
    return tmp_path / "input"


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (["notebooks/ada/train"], "notebooks/ada/train"),
        (["train"], "train"),
        (["notebooks/train"], "notebooks/train"),
        (["ada/train"], "ada/train"),
        (["train/train"], "train"),  # the output has a folder of that name
        (["code/ada/train"], "code/ada/train"),
        (["kernels/ada/Train"], "kernels/ada/Train"),
        (["notebooks/ada/train", "train", "datasets/ada/train"], "notebooks/ada/train"),
        (["datasets/ada/train", "competitions/train", "models/ada/train/x", "train"], "train"),
        (["notebooks/ada/train/notebooks/ada/train"], "notebooks/ada/train"),
        (["notebooks/ada/train-2", "notebooks/ada/train"], "notebooks/ada/train"),
    ],
)
def test_every_layout(inputs: Path, there: list[str], found: str) -> None:
    """That of 2026, that before, and any other folder with the slug; never a data set of the same name."""
    for name in there:
        (inputs / name).mkdir(parents=True, exist_ok=True)
    _, _, variables = with_needs([], None, {"weights": "train"})
    assert variables == dict.fromkeys(("COORD_NEED_WEIGHTS", "COORD_NEED"), str(inputs / found))


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ([], "(nothing: "),
        (["datasets/ada/train"], "\n  datasets/ada/train/\n"),
        (["competitions/train", "notebooks/ada/other"], "there is no folder train in "),
        (["notebooks/ada/train", "notebooks/bob/train"], "may be any of "),
    ],
)
def test_a_missing_need_ends_the_run_with_what_is_there(inputs: Path, there: list[str], message: str) -> None:
    """One message, with the name of the need and the tree of what is attached."""
    for name in there:
        (inputs / name).mkdir(parents=True)
    with pytest.raises(SystemExit) as ended:
        with_needs([], None, {"weights": "train"})
    assert str(ended.value).startswith("coord: the need weights ")
    assert message in str(ended.value)


def test_the_tree_is_not_endless(inputs: Path) -> None:
    """A competition may have a hundred thousand files."""
    for number in range(3 * MOST_LINES):
        (inputs / f"competitions/game/{number}").mkdir(parents=True)
    with pytest.raises(SystemExit) as ended:
        with_needs([], None, {"weights": "train"})
    assert len(str(ended.value).splitlines()) <= MOST_LINES + 3


def test_arguments_and_config(inputs: Path) -> None:
    """Every text in it, at any depth; what is no need of this kernel stays as it is."""
    for slug in ("train", "cv-5"):
        (inputs / "notebooks/ada" / slug).mkdir(parents=True)
    at = f"{inputs}/notebooks/ada"
    config: dict[str, object] = {
        "a": {"b": ["${needs.weights}/x", 1, {"c": "${needs.folds}"}]},
        "d": "${needs.other} ${need}",
        "e": None,
    }
    words, found, variables = with_needs(
        ["--w=${needs.weights}:${needs.folds}"], config, {"weights": "train", "folds": "cv-5"}
    )
    assert words == [f"--w={at}/train:{at}/cv-5"]
    assert found == {"a": {"b": [f"{at}/train/x", 1, {"c": f"{at}/cv-5"}]}, "d": "${needs.other} ${need}", "e": None}
    assert variables == {"COORD_NEED_WEIGHTS": f"{at}/train", "COORD_NEED_FOLDS": f"{at}/cv-5"}
    assert config["d"] == "${needs.other} ${need}"


def test_a_folder_is_not_filled_in_again() -> None:
    """What is replaced in one text is a path, and paths may have any name."""
    assert filled("${needs.a} ${need}", {"${needs.a}": "/x", "${need}": "/x"}) == "/x /x"
