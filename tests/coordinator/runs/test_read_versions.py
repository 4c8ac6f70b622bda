"""Which version of each need a run read: in run.json and what is rebuilt of it, in lists, in coord show."""

from __future__ import annotations

import dataclasses
import json

import pytest

from coordinator.bundle.script import stamped
from coordinator.kernel.build import assemble
from coordinator.kernel.work import Source
from coordinator.ledger import export
from coordinator.ledger.ledger import Ledger
from coordinator.ledger.work import done_before, work_of
from coordinator.maintenance.ledger.rebuilt import fetched, from_kernel
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from coordinator.runs.fetch.fetch import provenance
from coordinator.workspace import Workspace
from tests.coordinator.command import Coord
from tests.coordinator.runs.chained import Chained
from tests.coordinator.sample_runs import COMPLETE
from tests.coordinator.targets import MemoryTarget

READS = (Source("ada/tiny-base", 3), Source("ada/x", 2))
RUN = dataclasses.replace(
    COMPLETE, id="0" * 16, reads=READS, launch={"needs": {"weights": "tiny-base"}}, files={"a.py": "0"}
)
NAMED = ["weights: ada/tiny-base v3", "ada/x v2"]


def test_the_names_of_the_needs(ledger: Ledger) -> None:
    """First the needs, then what is attached without being one; two names for one kernel are two."""
    assert [str(each) for each in RUN.named_reads] == NAMED
    twice = dataclasses.replace(RUN, launch={"needs": {"a": "tiny-base", "b": "tiny-base"}})
    assert [each.name for each in twice.named_reads] == ["a", "b", ""]
    assert Source.parse_all(twice.to_json()["reads"]) == READS
    (row,) = export.rows([RUN])
    assert json.loads(row["reads"]) == NAMED


@pytest.mark.parametrize(
    ("lacks", "is_whole"),
    [((), True), (("ada/tiny-base",), True), (("Ada/Tiny_Base",), False), (("ada/tiny-base", "ada/x"), False)],
)
def test_a_complete_run_had_its_needs(ledger: Ledger, lacks: tuple[str, ...], is_whole: bool) -> None:
    """After a lost answer it is not known what the kernel has attached: without a need, it would have failed."""
    run = dataclasses.replace(RUN, lacks=lacks)
    ledger.add(run)
    assert run.is_whole is is_whole
    assert (done_before(ledger, work_of(run) or "", "local") is not None) is is_whole


def test_run_json_and_what_is_rebuilt(tiny: Project, ledger: Ledger) -> None:
    """The names are there for people; a lost ledger gets everything back."""
    told = provenance(RUN, [])
    assert told["reads"][0] == {"name": "weights", "reference": "ada/tiny-base", "version": 3}
    folder = tiny.results("base", "local", 1)
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(told))
    ((_, found),) = fetched(Workspace(tiny, ledger))
    assert found is not None
    assert (found.run.reads, found.run.named_reads, found.run.to_json()["reads"]) == (
        READS,
        RUN.named_reads,
        told["reads"],
    )


def test_what_a_kernel_alone_tells(tiny: Project, ledger: Ledger) -> None:
    """Which kernels it needs, by what names; not the versions that it read."""
    Chained(tiny, ledger)
    built = assemble(tiny, resolve(tiny, "infer"))
    text = stamped(built.script.text, run_id="0" * 16, git=None)
    run = from_kernel(MemoryTarget(), "tiny-infer", 1, text, created_at=COMPLETE.created_at)
    assert run is not None
    assert run.needs == {"weights": "tiny-base", "folds": "tiny-folds"}
    assert run.metadata["kernel_sources"] == ["ada/tiny-base", "ada/tiny-folds"]
    assert run.reads == ()


def test_show(tiny: Project, ledger: Ledger) -> None:
    """What the newest run read, beside what the file says."""
    chained = Chained(tiny, ledger)
    coord = Coord(tiny.root, {"COLUMNS": "120"})
    assert json.loads(coord.here("show", "--exp", "infer", "--json").stdout)["newest"] is None
    chained.push()
    shown = coord.here("show", "--exp", "infer").stdout
    assert "needs: weights: base, folds" in shown
    assert "infer local-v1 read weights: ada/tiny-base v1, folds: ada/tiny-folds v1" in shown
    newest = json.loads(coord.here("show", "--exp", "infer", "--json").stdout)["newest"]
    assert (newest["run"], newest["reads"][0]["version"]) == ("infer local-v1", 1)
