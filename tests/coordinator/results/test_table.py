"""Tables of out-of-fold predictions: CSV, parquet and npy files, with the columns that the settings name."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from coordinator.errors import DependencyError, TargetError
from coordinator.project import OutOfFoldSettings
from coordinator.results import table
from coordinator.results.table import read_table

MINE = OutOfFoldSettings(file="p.csv", id="row", target="label", prediction="pred")


def test_the_table_of_coord_log(tmp_path: Path) -> None:
    """The settings' own defaults: id, fold, target, and prediction or prediction_0 and so on."""
    (tmp_path / "oof.csv").write_text("id,fold,target,prediction_0,prediction_1\na,0,1,0.25,0.75\nb,1,0,0.5,0.5\n")
    found = read_table(tmp_path, OutOfFoldSettings())
    assert found is not None
    assert (found.ids, found.folds, list(found.targets)) == (("a", "b"), ("0", "1"), [1.0, 0.0])
    assert [list(column) for column in found.predictions] == [[0.25, 0.5], [0.75, 0.5]]
    rows = found.as_out_of_fold()
    assert (rows.folds, rows.values, rows.table, rows.are_folds_known) == ({"a": "0", "b": "1"}, {}, found, True)


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        ("row,label,pred\n7,1,0.5\n8,0,0.25\n", MINE),
        ("\ufeffrow;label;pred\r\n7;1;0.5\r\n8;0;0.25\r\n", MINE),
        ('row\tlabel\tpred\n"7"\t1\t0.5\n\n8\t0\t0.25\n', MINE),
        ("row, label, pred\n7, True, 0.5\n8, False, 0.25\n", MINE),
        (",label,pred\n7,1,0.5\n8,0,0.25\n", OutOfFoldSettings("p.csv", "", None, "label", "pred")),
    ],
)
def test_one_table_as_it_is_written(tmp_path: Path, content: str, settings: OutOfFoldSettings) -> None:
    """Separators, a byte order mark, quotes, empty lines, booleans, the index of pandas without a name."""
    (tmp_path / "p.csv").write_bytes(content.encode())
    found = read_table(tmp_path, settings)
    assert found is not None
    assert (found.ids, found.folds) == (("7", "8"), None)
    assert (list(found.targets), [list(each) for each in found.predictions]) == ([1.0, 0.0], [[0.5, 0.25]])
    assert not found.as_out_of_fold().are_folds_known


def test_rows_without_ids_and_a_file_a_fold(tmp_path: Path) -> None:
    """Rows are counted on from file to file, fold 10 after fold 9, and the fold is in the file's name."""
    for fold in (0, 9, 10):
        (tmp_path / f"oof_fold{fold}.csv").write_text(f"y,p_1,p_0\n{fold},0.5,1\n")
    found = read_table(tmp_path, OutOfFoldSettings("oof_fold*.csv", "", None, "y", ("p_*",)))
    assert found is not None
    assert (found.ids, found.folds, list(found.targets)) == (("0", "1", "2"), ("0", "9", "10"), [0.0, 9.0, 10.0])
    assert [list(column) for column in found.predictions] == [[0.5] * 3, [1.0] * 3]  # in the file's order


def test_rows_that_lack_something_are_not_complete(tmp_path: Path) -> None:
    """The first rows of a time series have no prediction; infinity is none; texts are classes."""
    (tmp_path / "p.csv").write_text("row,label,pred\na,1,\nb,1,nan\nc,1,inf\nd,,0.5\ne,0,0.5\n")
    found = read_table(tmp_path, MINE)
    assert found is not None
    assert found.complete == (4,)
    assert math.isnan(float(found.predictions[0][0]))
    (tmp_path / "p.csv").write_text("row,label,pred\na,cat,\nb,cat,dog\nc,,dog\n")
    found = read_table(tmp_path, MINE)
    assert found is not None
    assert found.complete == (1,)
    assert list(found.targets) == ["cat", "cat", ""]


def test_numpy_arrays(tmp_path: Path) -> None:
    """Columns are counted, or have the names of a structured array; the targets may be in a file of their own."""
    np.save(tmp_path / "oof.npy", np.array([[0.25, 0.75], [0.5, 0.5]]))
    np.save(tmp_path / "y.npy", np.array([1, 0]))
    found = read_table(tmp_path, OutOfFoldSettings("oof.npy", "", None, "y.npy", ("*",)))
    assert found is not None
    assert (found.ids, list(found.targets)) == (("0", "1"), [1.0, 0.0])
    assert [list(column) for column in found.predictions] == [[0.25, 0.5], [0.75, 0.5]]
    rows = np.array([("a", 2, 1.0, 0.5)], dtype=[("id", "U5"), ("fold", "i4"), ("target", "f4"), ("prediction", "f4")])
    np.save(tmp_path / "oof.npy", rows)
    found = read_table(tmp_path, OutOfFoldSettings("oof.npy"))
    assert found is not None
    assert (found.ids, found.folds, list(found.predictions[0])) == (("a",), ("2",), [0.5])
    np.save(tmp_path / "one.npy", np.array([0.5, 0.25]))
    found = read_table(tmp_path, OutOfFoldSettings("one.npy", "", None, "y.npy", "0"))
    assert found is not None
    assert list(found.predictions[0]) == [0.5, 0.25]


def test_parquet(tmp_path: Path) -> None:
    """With pyarrow alone; an index of pandas without a name is the column without a name."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"label": [1, 0], "pred": [0.5, None], "__index_level_0__": [7, 8]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "p.parquet")
    found = read_table(tmp_path, OutOfFoldSettings("p.parquet", "", None, "label", "pred"))
    assert found is not None
    assert (found.ids, list(found.targets), found.complete) == (("7", "8"), [1.0, 0.0], (0,))


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One message, with the line that installs it."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (tmp_path / "p.parquet").write_bytes(b"PAR1")
    with pytest.raises(DependencyError, match="is read with pyarrow, which is not installed") as raised:
        read_table(tmp_path, OutOfFoldSettings("p.parquet"))
    assert raised.value.hint == "pip install pyarrow"


def test_no_file(tmp_path: Path) -> None:
    """None, not an error; a link is no file of the output."""
    outside = tmp_path / "outside.csv"
    outside.write_text("row,label,pred\na,1,0.5\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/p.csv").symlink_to(outside)
    assert read_table(tmp_path / "run", MINE) is None


@pytest.mark.parametrize("limit", ["ROWS_MAX", "_CELLS_MAX", "_PREDICTIONS_MAX", "OOF_MAX"])
@pytest.mark.parametrize("kind", ["csv", "npy"])
def test_what_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, kind: str) -> None:
    """By its size on disk, its rows and its columns, with the limit in the message."""
    rows = 3
    (tmp_path / "p.csv").write_text("0,1,2\n" + "1,0.5,0.5\n" * rows)
    np.save(tmp_path / "p.npy", np.ones((rows, 3)))
    settings = OutOfFoldSettings(f"p.{kind}", "", None, "0", ("1", "2"))
    assert read_table(tmp_path, settings) is not None
    monkeypatch.setattr(table, limit, 1)
    with pytest.raises(TargetError, match=r"out-of-fold rows are read up to"):
        read_table(tmp_path, settings)
