"""`coord build --check`: whatever differs between a kernel and the working tree is named, and nothing is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from coordinator.bundle.script import stamped
from coordinator.kernel.build import assemble, build_kernel
from coordinator.kernel.check import Check, check_kernel
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from tests.coordinator.bundle.programs import write_files
from tests.coordinator.command import Coord


def _check(project: Project, name: str = "base", *overrides: str, file: Path | None = None) -> Check:
    return check_kernel(project, assemble(project, resolve(project, name, overrides)), file)


def _build(project: Project, name: str = "base", *overrides: str) -> Path:
    return build_kernel(project, resolve(project, name, overrides)).code_file


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def _snapshot(root: Path) -> dict[str, tuple[int, int]]:
    found = (path for path in root.rglob("*") if ".coord" not in path.parts and "__pycache__" not in path.parts)
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in found}


def _states(found: Check) -> dict[str, str]:
    return {file.path: file.state for file in found.files}


def test_a_build_is_the_same_until_something_changes(tiny: Project) -> None:
    """Also when it was pushed since (the stamp), or its line ends were changed on the way."""
    file = _build(tiny)
    found = _check(tiny)
    assert found.is_same
    assert (found.files, found.config, found.settings, found.text, found.summary) == ((), (), (), (), "")
    text = stamped(file.read_text(encoding="utf-8"), run_id="0123", git="abc")
    pulled = write_files(tiny.root, {"pulled/tiny-base.py": text, "pulled/crlf.py": text.replace("\n", "\r\n")})
    assert _check(tiny, file=pulled / "pulled" / "tiny-base.py").is_same
    assert _check(tiny, file=pulled / "pulled" / "crlf.py").is_same


def test_files_that_differ_are_named(tiny: Project) -> None:
    """Changed (with the lines), only in the kernel, only in the working tree; bytes that are no text without lines."""
    write_files(tiny.root, {"tiny_model/old.py": "", "tiny_model/data/x.bin": b"\xff\0"})
    _build(tiny)
    (tiny.root / "tiny_model" / "old.py").unlink()
    write_files(tiny.root, {"tiny_model/new.py": "", "tiny_model/data/x.bin": b"\xfe\0"})
    _edit(tiny.root / "tiny_model" / "engine.py", "not finite", "infinite")
    found = _check(tiny)
    assert not found.is_same
    assert _states(found) == {
        "tiny_model/data/x.bin": "changed",
        "tiny_model/engine.py": "changed",
        "tiny_model/new.py": "only in the working tree",
        "tiny_model/old.py": "only in the kernel",
    }
    lines = {file.path: file.diff for file in found.files}
    assert lines["tiny_model/data/x.bin"] == ()
    assert lines["tiny_model/engine.py"][:2] == (
        "--- kernel: tiny_model/engine.py",
        "+++ working tree: tiny_model/engine.py",
    )
    assert '-        raise RuntimeError("the loss is not finite")' in lines["tiny_model/engine.py"]
    assert '+        raise RuntimeError("the loss is infinite")' in lines["tiny_model/engine.py"]
    assert (found.config, found.settings, found.summary) == ((), (), "4 files")
    # The number of files stands in the header: it is the same here, one went and one came.
    assert found.text == ()


def test_config_values_that_differ_are_named(tiny: Project) -> None:
    """By dotted path, with both values, their types included; the hint says with which --set it was made."""
    _build(tiny, "base", "optim.lr=0.5", "train.tags=[a]")
    found = _check(tiny)
    assert {change.path: (change.base, change.value) for change in found.config} == {
        "optim.lr": (0.5, 0.1),
        "train.tags": (["a"], []),
    }
    assert (found.files, found.summary) == ((), "2 config values")
    assert found.hint == "It was made with --set optim.lr=0.5 --set 'train.tags=[a]': compare with the same."
    assert _check(tiny, "base", "optim.lr=0.5", "train.tags=[a]").is_same
    _edit(tiny.build("base") / "kernel.py", '"seed": 0', '"seed": false')
    assert "seed" in {change.path for change in _check(tiny).config}


def test_another_experiment_and_another_entry(tiny: Project) -> None:
    """A kernel of something else is not taken for this one, even where its config is the same."""
    crash = _build(tiny, "crash")
    found = _check(tiny, file=crash)
    assert [(change.path, change.base, change.value) for change in found.settings] == [("experiment", "crash", "base")]
    assert [change.path for change in found.config] == ["train.crash_in_epoch"]
    _build(tiny)
    _edit(tiny.pyproject, "tiny_model.train", "tiny_model.engine")
    found = _check(find_project(tiny.root))
    assert [(change.path, change.base, change.value) for change in found.settings] == [
        ("entry", "tiny_model.train", "tiny_model.engine")
    ]


def test_the_text_around_is_compared_too(tiny: Project, tmp_path: Path) -> None:
    """What was added by hand to a kernel, and what an experiment's sentence or the project's template now say."""
    file = _build(tiny)
    _edit(file, "\nimport json\n", "\nimport json\nimport spy\n")
    found = _check(tiny)
    assert "-import spy" in found.text
    assert (found.files, found.config) == ((), ())
    assert found.kernel.is_edited
    assert found.summary == "the text around files and config, edited after it was built"

    _build(tiny)
    _edit(tiny.experiment_file("base"), "trained in no time", "made for tests")
    found = _check(tiny)
    assert (found.kernel.is_edited, found.summary) == (False, "the text around files and config")
    assert any(line.startswith("+") and "made for tests" in line for line in found.text)


def test_an_order_that_differs_is_a_difference(tiny: Project) -> None:
    """Values that are all the same in another order make another text; that is shown, not passed over."""
    file = _build(tiny)
    _edit(file, '{\n  "seed": 0,\n', "{\n")
    _edit(file, '    "tags": []\n  }\n}', '    "tags": []\n  },\n  "seed": 0\n}')
    found = _check(tiny)
    assert not found.is_same
    assert (found.files, found.config) == ((), ())
    assert any('"seed": 0' in line for line in found.text)


def test_a_source_edited_in_the_kernel_is_damage(tiny: Project) -> None:
    """The kernel would refuse to run, so it says more than "changed"; the text around is not blamed for it."""
    file = _build(tiny)
    _edit(file, "not finite", "infinite")
    found = _check(tiny)
    assert _states(found) == {"tiny_model/engine.py": "damaged"}
    assert '-        raise RuntimeError("the loss is infinite")' in found.files[0].diff
    assert (found.text, found.kernel.is_edited) == ((), True)
    assert found.summary == "1 file, edited after it was built"


@pytest.mark.parametrize("stamp", ["", "# coord: run=0123 digest=sha256:00\n"])
def test_the_first_line_alone(tiny: Project, stamp: str) -> None:
    """A kernel whose stamp is gone or false is told apart, though all below it is right."""
    file = _build(tiny)
    file.write_text(stamp + file.read_text(encoding="utf-8").partition("\n")[2], encoding="utf-8")
    found = _check(tiny)
    assert (found.is_same, found.summary) == (False, "edited after it was built")


def test_a_folder_of_results_or_a_pulled_one(tiny: Project) -> None:
    """The kernel is the file that its metadata names, or else kernel.py; run.json says how it was made."""
    text = _build(tiny, "base", "seed=3").read_text(encoding="utf-8")
    results = tiny.results("base", "kaggle", 3)
    write_files(
        results,
        {"kernel.py": stamped(text, run_id="1", git="0123456789ab-dirty"), "run.json": '{"overrides": ["seed=3"]}'},
    )
    assert _check(tiny, "base", "seed=3", file=results).is_same
    found = _check(tiny, file=results)
    assert (found.name, found.overrides) == ("results/base/kaggle-v3/kernel.py", ("seed=3",))
    (results / "run.json").unlink()
    assert _check(tiny, file=results).hint == "It was pushed from commit 0123456789ab-dirty."
    write_files(
        tiny.root, {"pulled/tiny-base.py": text, "pulled/kernel-metadata.json": '{"code_file": "tiny-base.py"}'}
    )
    assert _check(tiny, "base", "seed=3", file=tiny.root / "pulled").is_same


def test_an_archive_is_compared_file_by_file(tiny: Project) -> None:
    """The compressed form names its differences as the readable one does."""
    write_files(tiny.root, {"tiny_model/long.py": "# text\n" * 170_000})
    _build(tiny)
    _edit(tiny.root / "tiny_model" / "engine.py", "not finite", "infinite")
    found = _check(tiny)
    assert found.kernel.form == "archive"
    assert _states(found) == {"tiny_model/engine.py": "changed"}
    assert found.text == ()


def test_the_command(coord: Coord, tiny: Project) -> None:
    """One line and 0; or the differences within 80 columns, a sentence on stderr and 1. It writes nothing."""
    missing = coord("build", "--exp", "base", "--check", code=1)
    assert "build/base/kernel.py cannot be read: No such file or directory" in missing.stderr
    assert "coord build --exp base" in missing.stderr
    digest = coord.json("build", "--exp", "base")["digest"]
    same = coord("build", "--exp", "base", "--check")
    assert same.stdout == f"build/base/kernel.py is what the working tree gives: {digest}\n"
    assert coord.json("build", "--exp", "base", "--check")["same"] is True

    _edit(coord.root / "tiny_model" / "engine.py", "not finite", "infinite")
    _edit(coord.root / "experiments" / "base.yaml", "about", "config: {optim: {lr: 0.2}}\nabout")
    write_files(coord.root, {f"tiny_model/{'long_' * 20}.py": "", "tiny_model/train.py": "\n" * 200})
    before = _snapshot(coord.root)
    differs = coord("build", "--exp", "base", "--check", code=1)
    assert _snapshot(coord.root) == before
    for expected in ("tiny_model/engine.py", "only in the working tree", "optim.lr", "0.1", "0.2", "more lines"):
        assert expected in differs.stdout
    assert differs.stderr.startswith(
        "coord: build/base/kernel.py is not what the working tree gives: 3 files, 1 config"
    )
    assert len(differs.stdout.splitlines()) < 70


def test_json_has_all_of_it(coord: Coord) -> None:
    """Every line of every difference, and the stamp."""
    coord("build", "--exp", "base")
    write_files(coord.root, {"tiny_model/train.py": "\n" * 200})
    done = coord("build", "--exp", "base", "--check", "--json", code=1)
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["same"], found["kernel"]["file"], found["kernel"]["stamp"]["run"]) == (
        False,
        "build/base/kernel.py",
        "-",
    )
    (file,) = found["files"]
    assert (file["path"], file["state"]) == ("tiny_model/train.py", "changed")
    assert file["diff"].count("+") > 150
    assert found["working_tree"]["digest"] != found["kernel"]["digest"]


def test_what_cannot_be_checked(coord: Coord, tmp_path: Path) -> None:
    """A kernel without --check is a mistake in the command line; a file that is no kernel is named with its line."""
    assert "a kernel is for --check" in coord("build", "--exp", "base", "kernel.py", code=2).stderr
    shutil.copy(coord.root / "tiny_model" / "engine.py", tmp_path / "x.py")
    no_kernel = coord("build", "--exp", "base", "--check", str(tmp_path / "x.py"), code=1)
    assert "x.py:7: it ends without a call of run()" in no_kernel.stderr
    assert "cannot be read" in coord("build", "--exp", "base", "--check", "nowhere", code=1).stderr
