"""Tables of out-of-fold predictions that are not as the settings say: each is a warning of the fetch, in one sentence.

Seen: found by trying it on coord.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coordinator.errors import ProjectError
from coordinator.kernel.build import build_kernel
from coordinator.ledger.ledger import Ledger
from coordinator.project.experiment import resolve
from coordinator.project.project import Project, find_project
from coordinator.runs.dry_run import dry_run_kernel
from coordinator.runs.fetch.metrics import reread
from coordinator.workspace import Workspace
from tests.coordinator.finished_runs import finished
from tests.coordinator.targets import MemoryTarget

UNPICKLED = Path("unpickled")


class Trap:
    """Leaves a file where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return Path.touch, (UNPICKLED,)  # type: ignore[return-value]


def npy(array: object) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)  # type: ignore[arg-type]
    return file.getvalue()


SETTINGS = """
[tool.coord.metrics]
score = "auc"
oof = {{file = "{file}", id = "row", target = "label", prediction = "prob_*"}}
"""
NO_COLUMN = 'has no column "{}"{}; its columns are {}. {} in [tool.coord.metrics.oof] names it.'

CASES: list[tuple[str, bytes | None, str]] = [
    ("p.csv", None, "there is no p.csv with out-of-fold predictions in the output"),
    ("p.csv", b"", 'p.csv has no column "prob_*"; its columns are '),
    ("p.csv", b"row,label\na,1\n", "p.csv " + NO_COLUMN.format("prob_*", "", "row, label", "prediction")),
    ("p.csv", b"row,lable,prob_1\na,1,0\n", 'no column "label" (did you mean "lable"?); its columns are row, lable'),
    ("p.csv", b"id,label,prob_1\na,1,0\n", 'has no column "row"; its columns are id, label, prob_1'),
    ("p.csv", b"row,label,prob_1\na,1,0.5\na,0,0.5\n", 'p.csv has 2 rows for row "a"'),
    ("p.csv", b"row,label,prob_1\na,1,0.5\nb,0\n", "p.csv has 2 cells in row 2, and 3 in its header"),
    ("p.csv", b"row,label,prob_1\n\xff,1,0.5\n", "p.csv cannot be read as out-of-fold rows: 'utf-8' codec"),
    ("p.csv", b"row,label,prob_1\na\x00,1,0.5\nb,1,0.5\n", "auc has no value on these 2 rows"),
    ("p.csv", b"row,label,prob_1\na,1,0.5\nb,0,0.25\nc,1,\n", "1 of 3 rows in p.csv have no target or no prediction"),
    ("p.csv", b"row,label,prob_1\na,1,\nb,0,nan\n", "2 of 2 rows in p.csv have no target or no prediction"),
    ("p.csv", b"row,label,prob_1\n", "p.csv has no rows"),
    ("p.csv", b"row,label,prob_1\na,1,half\nb,0,0.5\n", 'auc cannot be computed: there are texts, such as "half"'),
    (
        "p.csv",
        b"row,label,prob_1\na,3,0.5\nb,2,0.5\nc,1,0.5\n",
        "auc with 2 classes, but the targets are 1.0, 2.0, 3.0",
    ),
    ("p.xlsx", b"PK", "p.xlsx is of no kind that is read: .csv .tsv .txt .parquet .pq .npy"),
    ("p.npy", b"", "p.npy cannot be read as out-of-fold rows: No data left in file"),
    ("p.npy", b"\x93NUMPY\x01\x00 ", "p.npy cannot be read as out-of-fold rows: "),
    ("p.npy", npy(np.array([Trap()], dtype=object)), "p.npy cannot be read as out-of-fold rows: "),
    ("p.npy", pickle.dumps(Trap()), "p.npy cannot be read as out-of-fold rows: "),
    ("p.npy", npy(np.ones((2, 2, 2))), "p.npy has the shape (2, 2, 2): a table has rows and columns"),
    ("p.npy", npy(np.ones((2, 2))), 'p.npy has no column "prob_*"; its columns are 0, 1'),
    ("p*.csv", b"row,label,prob_1,prob_2\na,1,0.5,0.5\n", "p_2.csv has 1 columns of predictions, others 2"),
]


@pytest.mark.parametrize(("name", "content", "message"), CASES)
def test_a_table_that_is_otherwise_is_a_warning(
    tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | None, message: str
) -> None:
    """The run keeps its metrics, and nothing in the file is run."""
    monkeypatch.chdir(tmp_path)
    text = tiny.pyproject.read_text(encoding="utf-8")
    settings = SETTINGS.format(file=name)
    tiny.pyproject.write_text(text.replace('[tool.coord.metrics]\nrows = "images"\n', settings), encoding="utf-8")
    project = find_project(tiny.root)
    run = finished(project, "a", 1, [0.5, 0.6])
    folder = project.results("a", "local", 1)
    if content is not None:
        (folder / name.replace("*", "_1")).write_bytes(content)
        if "*" in name:
            (folder / "p_2.csv").write_bytes(b"row,label,prob_1\nb,1,0.5\n")
    with Ledger(project.ledger) as ledger:
        found = reread(Workspace(project, ledger, MemoryTarget()), run)
        assert ledger.get(run.id).reported.primary_value == pytest.approx(0.55)
    assert [message in warning for warning in found.warnings] == [True], found.warnings
    assert str(tiny.root) not in found.warnings[0]
    assert "\n" not in found.warnings[0]
    assert not UNPICKLED.exists()


def test_a_dry_run_says_it_before_the_push(tiny: Project) -> None:
    """In the words of a fetch."""
    text = tiny.pyproject.read_text(encoding="utf-8")
    tiny.pyproject.write_text(text.replace('rows = "images"', 'score = "auc"'), encoding="utf-8")
    (tiny.root / "tiny_model" / "train.py").write_text("open('oof.csv', 'w').write('id,target\\n')\n")
    project = find_project(tiny.root)
    built = build_kernel(project, resolve(project, "base", []))
    dry = dry_run_kernel(project, built, on_record=lambda _: None, say=lambda _: None)
    assert [warning for warning in dry.warnings if warning.startswith("oof.csv has no column")]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('score = "roc"', '"roc" is none of auc, rmse, mae, logloss, accuracy, qwk'),
        ('score = "ruc"', '(did you mean "auc"?)'),
        ('oof = {file = "/tmp/oof.csv"}', 'oof.file: must be below the output, as "oof.csv" or "logs/*.csv"'),
        ('oof = {file = "../oof.csv"}', 'is "../oof.csv"'),
        ('oof = {predictions = "p"}', '(did you mean "prediction"?)'),
        ('read = "csv"\nfile = "/tmp/*.csv"', "metrics.file: must be below the output"),
        ('read = "json"\nfile = ["metrics.json", "../metrics.json"]', 'is "../metrics.json"'),
    ],
)
def test_settings_that_can_mean_nothing_are_refused(tiny: Project, settings: str, message: str) -> None:
    """When they are read, with the place."""
    text = tiny.pyproject.read_text(encoding="utf-8")
    tiny.pyproject.write_text(text.replace('rows = "images"', settings), encoding="utf-8")
    with pytest.raises(ProjectError) as raised:
        find_project(tiny.root)
    assert message in str(raised.value)
    assert "metrics" in str(raised.value)
