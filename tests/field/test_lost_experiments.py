"""A lost ledger, and kernels of experiments whose file is gone: their versions are found, or named.

Seen: found by trying it on coord: `coord ledger check --repair` asked only for the kernels of today's experiments, and
said "0 left".
"""

from __future__ import annotations

import pytest

from coordinator.bundle.script import stamped
from coordinator.kernel.build import build_kernel
from coordinator.ledger.ledger import Ledger
from coordinator.maintenance.ledger.of_targets import check
from coordinator.maintenance.ledger.problem import Problem
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from coordinator.workspace import Workspace
from tests.coordinator.targets import MemoryTarget


def kernel_of(project: Project, name: str) -> str:
    """The kernel of an experiment of that name, whose file is removed then."""
    project.experiment_file(name).write_text("base: base\n")
    text = build_kernel(project, resolve(project, name)).script.text
    project.experiment_file(name).unlink()
    return stamped(text, run_id=f"run-{name}", git=None)


def found(project: Project, ledger: Ledger, sources: dict[str, list[str]]) -> list[Problem]:
    """What the check finds and repairs."""
    problems = []
    for problem in check(Workspace(project, ledger, MemoryTarget(sources))):
        assert isinstance(problem, Problem)
        problems.append(problem)
        if problem.repair is not None:
            problem.repair()
    return problems


@pytest.mark.parametrize(
    ("slug", "name", "newest"),
    [
        ("tiny-gone", "gone", None),
        ("tiny-base-lr0-1-s0", "base--lr0.1-s0", None),  # of a sweep, which never had a file
        ("tiny-a-b", "a_b", None),
        ("tiny-gone", "gone", "print('edited by hand')"),  # its newest version is none of coord's
    ],
)
def test_a_kernel_without_a_file(tiny: Project, ledger: Ledger, slug: str, name: str, newest: str | None) -> None:
    """It is this project's by its title and its entry."""
    versions = [kernel_of(tiny, name), *([newest] if newest else [])]
    (problem,) = found(tiny, ledger, {slug: versions})
    assert problem.what == f"ada/{slug} v1 on local is of run run-{name}, which the ledger does not have"
    (run,) = ledger.runs()
    assert (run.experiment, run.slug, run.version) == (name, slug, 1)
    assert found(tiny, ledger, {slug: versions}) == []


@pytest.mark.parametrize(
    ("slug", "edit"),
    [
        ("other-gone", ("", "")),  # another title: another project's
        ("tiny-else", ("", "")),  # its experiment has another name
        ("tiny-gone", ("tiny_model.train", "other_model.train")),  # another entry
        ("tiny-gone", ("run=run-gone", "run=-")),  # built, not pushed
    ],
)
def test_a_kernel_of_something_else(tiny: Project, ledger: Ledger, slug: str, edit: tuple[str, str]) -> None:
    """It is left alone."""
    assert found(tiny, ledger, {slug: [kernel_of(tiny, "gone").replace(*edit)]}) == []
    assert ledger.runs() == []


def test_a_title_without_the_experiments_name(tiny: Project, ledger: Ledger) -> None:
    """It tells nothing about other kernels."""
    text = kernel_of(tiny, "gone")
    settings = tiny.pyproject.read_text()
    assert 'title = "tiny {experiment}"' in settings
    tiny.pyproject.write_text(settings.replace('title = "tiny {experiment}"', 'title = "always one"'))
    assert found(find_project(tiny.root), ledger, {"tiny-gone": [text]}) == []


def test_a_kernel_that_does_not_read_is_named(tiny: Project, ledger: Ledger) -> None:
    """It is of a run of an experiment that is here, but was edited: it cannot be added, and is not passed over."""
    (problem,) = found(tiny, ledger, {"tiny-base": ["# coord: run=lost digest=y\nprint()\n"]})
    assert problem.what.endswith("is of run lost, which the ledger does not have, and it does not read as a kernel")
    assert problem.repair is None
