"""Git that answers for another repository, or not at all: the right commit, or it is said why there is none.

Seen: git's own CVE-2022-24765 (a repository of another user above); the rest was found by trying it on coord.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.kernel import build_kernel
from coordinator.ledger import Ledger
from coordinator.maintenance.doctor.of_project import check_git
from coordinator.project import find_project, resolve
from coordinator.project.git import Commit, read_commit
from coordinator.runs import push_kernel
from coordinator.workspace import Workspace
from tests.coordinator.bundle.programs import write_files
from tests.coordinator.targets import MemoryTarget
from tests.paths import SAMPLES

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def _git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(root), *identity, "-c", "protocol.file.allow=always", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _repository(root: Path, text: str = "x") -> str:
    """A repository with one commit, which is returned."""
    write_files(root, {"x": text})
    _git(root, "init", "-q")
    _git(root, "add", "-A")
    _git(root, "commit", "-q", "-m", text)
    return _git(root, "rev-parse", "HEAD")[:12]


@pytest.mark.parametrize(
    "variables",
    [
        {"GIT_DIR": "{other}/.git"},
        {"GIT_DIR": ".git"},
        {"GIT_DIR": "{other}/.git", "GIT_WORK_TREE": "{other}"},
        {"GIT_WORK_TREE": "{other}"},
        {"GIT_INDEX_FILE": "{other}/.git/index"},
        {"GIT_INDEX_FILE": "{other}/no index"},
        {"GIT_OBJECT_DIRECTORY": "{other}/.git/objects"},
        {"GIT_COMMON_DIR": "{other}/.git"},
        {"GIT_NAMESPACE": "other", "GIT_PREFIX": "below/"},
        {"GIT_CEILING_DIRECTORIES": "{mine}"},
        {"GIT_SHALLOW_FILE": "{other}/x", "GIT_GRAFT_FILE": "{other}/x"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.worktree", "GIT_CONFIG_VALUE_0": "{other}"},
        {"GIT_CONFIG_PARAMETERS": "'core.worktree'='{other}'"},
        {"GIT_CONFIG_PARAMETERS": "'core.bare'='true'"},
        {"GIT_CONFIG_COUNT": "nonsense"},
        {"GIT_TRACE": "1", "GIT_LITERAL_PATHSPECS": "x"},
        {"GIT_ATTR_SOURCE": "nonsense"},
        {"GIT_DEFAULT_HASH": "nonsense"},
        {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"},
    ],
    ids=str,
)
def test_variables_of_another_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    """As a hook, a shell or another tool may have set them: they are about its repository, not about the project's."""
    mine, other = tmp_path / "mine", tmp_path / "other"
    head = _repository(mine)
    _repository(other, "y")
    monkeypatch.chdir(other)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(mine=mine, other=other))
    assert read_commit(mine, [mine / "x"]).name == head
    write_files(mine, {"x": "changed"})
    assert read_commit(mine).name == f"{head}-dirty"


def test_inside_a_hook(tmp_path: Path) -> None:
    """The real environment of a hook, of another repository and of the same one."""
    mine, other = tmp_path / "mine", tmp_path / "other"
    head = _repository(mine)
    _repository(other, "y")
    hook = other / ".git" / "hooks" / "post-commit"
    hook.write_text('#!/bin/sh\nenv | grep "^GIT_" > "$PWD/seen.env"\n')
    hook.chmod(0o755)
    _git(other, "commit", "-q", "--allow-empty", "-m", "z")
    seen = dict(line.split("=", 1) for line in (other / "seen.env").read_text().splitlines())
    assert "GIT_INDEX_FILE" in seen
    with pytest.MonkeyPatch.context() as patch:
        for name, value in seen.items():
            patch.setenv(name, value)
        assert read_commit(mine).name == head


def _bare(root: Path) -> None:
    _git(root, "config", "core.bare", "true")


def _elsewhere(root: Path) -> None:
    (root.parent / "elsewhere").mkdir()
    _git(root, "config", "core.worktree", str(root.parent / "elsewhere"))


def _emptied(root: Path) -> None:
    shutil.rmtree(root / ".git")
    (root / ".git").mkdir()


def _pointing_nowhere(root: Path) -> None:
    shutil.rmtree(root / ".git")
    (root / ".git").write_text("gitdir: /nowhere/at/all\n")


def _objects_elsewhere(root: Path) -> None:
    shutil.rmtree(root / ".git" / "objects")
    write_files(root, {".git/objects/info/alternates": "/nowhere\n"})


def _bad_config(root: Path) -> None:
    (root / ".git" / "config").write_text("[core\n")


def _bad_index(root: Path) -> None:
    (root / ".git" / "index").write_bytes(b"nonsense")


def _newer_format(root: Path) -> None:
    _git(root, "config", "core.repositoryformatversion", "99")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_bare, "is a bare repository"),
        (_elsewhere, "is {parent}/elsewhere"),
        (_emptied, "not a git repository"),
        (_pointing_nowhere, "not a git repository: /nowhere/at/all"),
        (_objects_elsewhere, "git cannot read the repository"),
        (_bad_config, "bad config line 1 in file"),
        (_bad_index, "git cannot read the repository"),
        (_newer_format, "99"),
    ],
)
def test_a_repository_that_git_cannot_read(tmp_path: Path, change: Callable[[Path], None], why: str) -> None:
    """It is said, and a repository further up does not answer in its place."""
    _repository(tmp_path / "outer", "y")
    root = tmp_path / "outer" / "mine"
    _repository(root)
    change(root)
    found = read_commit(root, [root / "x"])
    assert found.name is None
    assert found.is_failure
    assert why.format(parent=root.parent) in found.why_not
    assert found.remedy
    assert "\n" not in found.why_not


def test_a_push_says_why_it_names_no_commit(tmp_path: Path) -> None:
    """Once, with the remedy; the run is pushed."""
    project = find_project(shutil.copytree(SAMPLES / "tiny", tmp_path / "tiny"))
    _repository(project.root)
    _bare(project.root)
    said: list[str] = []
    with Ledger(project.ledger) as ledger:
        workspace = Workspace(project, ledger, MemoryTarget(slots=9), say=said.append)
        run = push_kernel(workspace, build_kernel(project, resolve(project, "base")), force=False)
    assert run.git is None
    assert [line for line in said if "commit" in line] == [
        f"warning: the run names no commit: {project.root / '.git'} is a bare repository\n"
        f"git -C {project.root} config core.bare false"
    ]


def test_none_and_none_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named: git, a repository, or a commit."""
    assert read_commit(tmp_path).why_not == "the project is in no git repository"
    _git(tmp_path, "init", "-q")
    assert read_commit(tmp_path).why_not == "the repository has no commit yet"
    monkeypatch.setenv("PATH", "/nowhere")
    assert read_commit(tmp_path).why_not == "git is not installed"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root in a container with the user's files: git refuses, and the remedy is the one that helps."""
    tiny = find_project(shutil.copytree(SAMPLES / "tiny", tmp_path / "tiny"))
    head = _repository(tiny.root)
    os.chown(tiny.root / ".git", 12345, 12345)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SUDO_UID", raising=False)
    (finding,) = check_git(tiny)
    assert "belongs to another user" in finding.what
    assert finding.remedy == f"If you trust it: git config --global --add safe.directory {tiny.root}"
    with monkeypatch.context() as patch:  # as CI gives it
        for name, value in {"COUNT": "1", "KEY_0": "safe.directory", "VALUE_0": str(tiny.root)}.items():
            patch.setenv(f"GIT_CONFIG_{name}", value)
        assert read_commit(tiny.root).name == head
    subprocess.run(finding.remedy.partition(": ")[2].split(), check=True)
    assert read_commit(tiny.root).name == head


def test_work_trees_submodules_and_borrowed_objects(tmp_path: Path) -> None:
    """Where `.git` is a file, or the objects lie in another repository."""
    lib, main = tmp_path / "lib", tmp_path / "main"
    of_lib = _repository(lib, "lib")
    _repository(main)
    _git(main, "submodule", "--quiet", "add", str(lib), "lib")
    _git(main, "commit", "-q", "-m", "sub")
    of_main = _git(main, "rev-parse", "HEAD")[:12]
    assert (read_commit(main / "lib").name, read_commit(main).name) == (of_lib, of_main)
    write_files(main / "lib", {"x": "changed"})
    assert (read_commit(main / "lib").name, read_commit(main).name) == (f"{of_lib}-dirty", f"{of_main}-dirty")
    _git(main, "worktree", "add", "-q", str(tmp_path / "linked"))
    assert read_commit(tmp_path / "linked").name == of_main
    _git(tmp_path, "clone", "-q", "--shared", str(lib), "borrowed")
    assert read_commit(tmp_path / "borrowed").name == of_lib


@pytest.mark.parametrize("ignored", ["mine/", "*.py", "/mine/pack/train.py"])
def test_sources_that_the_repository_ignores(tmp_path: Path, ignored: str) -> None:
    """A project that was copied into a folder that another repository ignores: its commit alone gives no kernel."""
    write_files(tmp_path, {".gitignore": f"{ignored}\n"})
    head = _repository(tmp_path)
    root = write_files(tmp_path / "mine", {"pack/train.py": ""})
    assert read_commit(root, [root / "pack" / "train.py"]).name == f"{head}-dirty"


@pytest.mark.parametrize(
    "config",
    [
        '[core]\n\tfsmonitor = "touch {mark}; false"\n',
        "[core]\n\thooksPath = {hooks}\n",
        '[filter "x"]\n\tclean = "touch {mark}; cat"\n\trequired = true\n',
        '[filter "x"]\n\tprocess = "touch {mark}"\n',
        '[filter "x.y z"]\n\tclean = "touch {mark}; cat"\n',
        "[include]\n\tpath = more\n",
        "[alias]\n\tstatus = !touch {mark}\n",
        "[diff]\n\texternal = touch {mark}\n",
        '[core]\n\tpager = "touch {mark}"\n\tsshCommand = "touch {mark}"\n\taskPass = "touch {mark}"\n',
    ],
)
def test_nothing_that_a_repository_configures_is_run(tmp_path: Path, config: str) -> None:
    """An unpacked archive may have a .git with commands in it: only the commit is asked for."""
    root, mark, hooks = tmp_path / "mine", tmp_path / "mark", tmp_path / "hooks"
    write_files(root, {".gitattributes": '* filter=x\nx filter="x.y z"\n'})
    head = _repository(root)
    for name in ("post-index-change", "fsmonitor-watchman"):
        write_files(hooks, {name: f"#!/bin/sh\ntouch {mark}\n"})
        (hooks / name).chmod(0o755)
    write_files(root, {".git/more": f'[core]\n\tfsmonitor = "touch {mark}; false"\n'})
    with (root / ".git" / "config").open("a") as file:
        file.write(config.format(mark=mark, hooks=hooks))
    os.utime(root / "x", (1, 1))  # so that its content has to be compared
    assert read_commit(root, [root / "x"]) == Commit(head)
    assert not mark.exists()
