"""`coord promote`: a folder that has the kernel that ran and what is in it, and does not depend on the project."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest

from coordinator.bundle.script import stamped
from coordinator.errors import BundleError, CoordError, RunFailed, UsageError
from coordinator.kernel.build import assemble
from coordinator.kernel.work import Source
from coordinator.ledger.ledger import Run
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from coordinator.results.summary import Summary
from coordinator.runs.promote import promote_run, verify
from coordinator.target.protocol import RunState
from tests.coordinator.command import Coord, delete_kernels


def fetched(project: Project, **changes: object) -> Run:
    """A run whose results were made up here, with the kernel that the project gives now."""
    built = assemble(project, resolve(project, "base", ["optim.lr=1e-05"]))
    run = Run(
        id="0123456789abcdef",
        experiment="base",
        target="local",
        owner="ada",
        slug="tiny-base",
        version=3,
        digest=built.script.digest,
        config=built.experiment.config,
        metadata=built.metadata.data,
        overrides=["optim.lr=1e-05"],
        state=RunState.COMPLETE,
        created_at="2026-11-23T10:00:00+00:00",
        git="0123456789ab",
        summary=Summary.parse(
            {"primary": {"name": "cv/dice", "mode": "max", "value": 0.755}, "versions": {"python": "3.12.1"}}
        ),
    )
    results = project.results("base", "local", 3)
    results.mkdir(parents=True)
    code = built.as_sent(stamped(built.script.text, run_id=run.id, git=run.git))
    (results / built.code_file.name).write_text(code, encoding="utf-8")
    for name in ("metrics.json", "oof.csv", "run.json", "fold0.pth"):
        (results / name).write_text(name)
    return run


def test_the_same_bytes_after_the_project_has_changed(tiny: Project, tmp_path: Path) -> None:
    """Pushed, fetched, promoted; then the project is deleted, and the folder moves. It has the kernel that ran."""
    coord = Coord(tiny.root, dict(os.environ))
    coord.here("push", "--exp", "base", "--wait")
    coord.here("fetch-results")
    ran = (coord.session_root("tiny-base", 1) / "src" / "script.py").read_bytes()
    said = coord.here("promote", "--exp", "base", "-o", "frozen").output
    assert "base local-v1 is frozen in frozen" in said
    delete_kernels(tiny.local_kaggle)

    moved = tmp_path / "elsewhere" / "kept"
    moved.parent.mkdir()
    (tiny.root / "frozen").rename(moved)
    shutil.rmtree(tiny.root)
    (moved / "kernel.py").unlink()
    away = Coord(moved.parent, dict(os.environ))
    assert "kernel.py is missing" in away.here("promote", "--verify", "kept", code=1).output
    (moved / "kernel.py").write_bytes(ran)
    assert "kept has the same kernel, byte for byte" in away.here("promote", "--verify", "kept", "-o", "k.py").output
    assert (moved.parent / "k.py").read_bytes() == ran


def test_what_is_in_the_folder(tiny: Project, tmp_path: Path) -> None:
    """Sources as files, config, metadata, figures and provenance; no weights."""
    files = promote_run(tiny, fetched(tiny), tmp_path / "frozen")
    assert files == (
        *(".gitattributes", "README.md", "config.json", "environment.json", "kernel-metadata.json", "kernel.py"),
        *("manifest.json", "results/metrics.json", "results/oof.csv", "results/run.json"),
        *("sources/tiny_model/__init__.py", "sources/tiny_model/config.py", "sources/tiny_model/data/word.txt"),
        *("sources/tiny_model/engine.py", "sources/tiny_model/train.py"),
    )
    frozen = tmp_path / "frozen"
    for file in tiny.root.glob("tiny_model/*.py"):
        assert (frozen / "sources" / file.relative_to(tiny.root)).read_bytes() == file.read_bytes()
    assert json.loads((frozen / "config.json").read_text())["optim"]["lr"] == 1e-05
    assert json.loads((frozen / "kernel-metadata.json").read_text())["title"] == "tiny base"
    environment = json.loads((frozen / "environment.json").read_text())
    assert environment["versions"] == {"python": "3.12.1"}
    assert "numpy" in environment["image"]["packages"]
    manifest = json.loads((frozen / "manifest.json").read_text())
    assert (manifest["run"], manifest["overrides"]) == ("0123456789abcdef", ["optim.lr=1e-05"])
    readme = (frozen / "README.md").read_text()
    assert "base local-v3: cv/dice 0.7550 (max)" in readme
    assert "at commit 0123456789ab" in readme


@pytest.mark.parametrize("kind", ["archive", "notebook", "odd", "template"])
def test_every_kind_of_kernel(tiny: Project, tmp_path: Path, kind: str) -> None:
    """Sources in an archive; a notebook; files with odd or no text; a template of its own."""
    model = tiny.root / "tiny_model"
    if kind == "archive":
        (model / "data" / "large.txt").write_text("".join(f"{number:x}\n" for number in range(200_000)))
    elif kind == "notebook":
        text = tiny.pyproject.read_text().replace(
            "[tool.coord.kernel]", '[tool.coord.kernel]\nkernel_type = "notebook"'
        )
        tiny.pyproject.write_text(text)
    elif kind == "odd":
        (model / "a.py").write_text("")
        (model / "b.py").write_text("")
        (model / "c.py").write_bytes(b'X = """a"""\r\nY = "\'\'\'\\x00"\r\n')
        (model / "data" / "bytes.bin").write_bytes(bytes(range(256)))
    else:
        (tiny.root / "own").mkdir()
        shutil.copy(tiny.template("kernel.py.j2"), tiny.root / "own")
        with (tiny.root / "own" / "kernel.py.j2").open("a") as file:
            file.write("# mine\n")
        text = tiny.pyproject.read_text().replace("[tool.coord]", '[tool.coord]\ntemplates = "own"')
        tiny.pyproject.write_text(text)
    project = find_project(tiny.root)
    promote_run(project, fetched(project), tmp_path / "frozen")
    shutil.rmtree(tiny.root)
    assert verify(tmp_path / "frozen").problems == ()
    if kind == "archive":
        assert json.loads((tmp_path / "frozen" / "manifest.json").read_text())["form"] == "archive"


def test_what_the_run_read_is_named(tiny: Project, tmp_path: Path) -> None:
    """The output of other kernels stays where it is."""
    run = dataclasses.replace(fetched(tiny), reads=(Source("ada/train", 3),), launch={"needs": {"weights": "train"}})
    promote_run(tiny, run, tmp_path / "frozen")
    manifest = json.loads((tmp_path / "frozen" / "manifest.json").read_text())
    assert manifest["reads"] == [{"name": "weights", "reference": "ada/train", "version": 3}]
    assert (
        "It read weights: ada/train v3, which is not in this folder." in (tmp_path / "frozen" / "README.md").read_text()
    )


def test_what_has_changed_is_named(tiny: Project, tmp_path: Path) -> None:
    """A source, the config, a new file, a lost one: each by name; a changed figure leaves the kernel as it is."""
    promote_run(tiny, fetched(tiny), tmp_path / "frozen")

    def problems(change: str, text: str | None) -> tuple[str, ...]:
        copy = tmp_path / "copy"
        shutil.copytree(tmp_path / "frozen", copy)
        (copy / change).unlink() if text is None else (copy / change).write_text(text)
        found = verify(copy).problems
        shutil.rmtree(copy)
        return found

    source = "sources/tiny_model/engine.py"
    assert problems(source, "# nothing") == (f"{source} has changed", f"kernel.py holds another {source}")
    assert problems("results/oof.csv", "") == ("results/oof.csv has changed",)
    assert problems("results/oof.csv", None) == ("results/oof.csv is missing",)
    assert problems("sources/new.py", "") == ("sources/new.py was not there",)
    assert problems("config.json", "{}") == ("config.json has changed", "kernel.py holds another config.json")
    assert problems(source, None) == (f"{source} is missing",)
    kernel = (tmp_path / "frozen" / "kernel.py").read_text()
    changed, other, *_ = problems("kernel.py", kernel.replace("the loss is not finite", "edited"))
    assert changed == "kernel.py has changed"
    assert other.startswith("kernel.py is another kernel (sha256:")
    with pytest.raises(BundleError, match=r"copy has no kernel any more: kernel\.py is missing$"):
        problems("kernel.py", None)


def test_only_what_was_fetched_has_to_be_here(tiny: Project, tmp_path: Path) -> None:
    """A program that writes no metrics.json, such as one that predicts, can be frozen; a lost one is told."""
    run = fetched(tiny)
    results = tiny.results("base", "local", 3)
    (results / "metrics.json").unlink()
    assert "results/metrics.json" not in promote_run(tiny, run, tmp_path / "frozen")
    assert verify(tmp_path / "frozen").problems == ()
    record = {"output": {"metrics.json": {"size": 2, "sha256": "0" * 64}}}
    (results / "run.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(RunFailed, match=r"lacks metrics\.json: base local-v3 is not here"):
        promote_run(tiny, run, tmp_path / "again")


def test_what_cannot_be_frozen(tiny: Project, tmp_path: Path) -> None:
    """Each is one error, and no folder is made."""
    run = fetched(tiny)
    results = tiny.results("base", "local", 3)

    def refused(kind: type[CoordError], message: str) -> None:
        with pytest.raises(kind, match=message):
            promote_run(tiny, run, tmp_path / "frozen")
        assert not (tmp_path / "frozen").exists()

    kernel = (results / "kernel.py").read_text()
    (results / "kernel.py").write_text(kernel.replace("the loss is not finite", "edited"))
    refused(BundleError, r"results/base/local-v3/kernel.py is not the kernel that was pushed as base local-v3")
    (results / "kernel.py").write_text(kernel.replace(run.id, "another"))
    refused(BundleError, "is not the kernel that was pushed")
    (results / "kernel.py").unlink()
    refused(RunFailed, "lacks kernel.py: base local-v3 is not here")
    with pytest.raises(UsageError, match="is not empty"):
        promote_run(tiny, run, tiny.root)


def test_a_folder_that_is_none(tmp_path: Path, tiny: Project) -> None:
    """Nothing there, something else there, and a manifest that leads out of the folder."""
    for content in (None, "{}", '{"schema": 1, "files": {"../x": ""}, "sources": []}'):
        if content is not None:
            (tmp_path / "manifest.json").write_text(content)
        with pytest.raises(UsageError, match="is not a folder of coord promote"):
            verify(tmp_path)
    coord = Coord(tiny.root, dict(os.environ))
    assert "coord promote --exp NAME -o DIR" in coord.here("promote", code=2).output
    assert "leave out --exp" in coord.here("promote", "--exp", "base", "--verify", "x", code=2).output
