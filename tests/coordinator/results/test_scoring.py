"""The project's scorer: coord's own scores and a function of the project, on all rows and on resampled ones."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from coordinator.errors import TargetError
from coordinator.results import own_scorer
from coordinator.results.scoring import Scorer

TARGETS = [0.0, 1.0, 0.0, 1.0, 1.0, 0.0]
GOOD, BAD = [0.1, 0.9, 0.2, 0.8, 0.3, 0.4], [0.5, 0.4, 0.6, 0.3, 0.7, 0.2]
METRIC = """\
import sys
print("this must not reach coord's own output")
def share(targets, predictions):
    assert predictions.ndim == 1
    if targets.sum() == 0:
        raise ValueError("one class only")
    return ((predictions > 0.5) == targets).mean()
def columns(targets, predictions):
    return float(predictions.shape[1])
def words(targets, predictions):
    return float((targets == predictions).mean())
def broken(targets, predictions):
    return 1 / 0
def ends(targets, predictions):
    sys.exit(0)
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "my_metric.py").write_text(METRIC)
    return tmp_path


def test_all_tables_share_the_drawn_rows() -> None:
    """Twice the same table has the same scores; a seed gives the same draws again."""
    scorer = Scorer("auc", Path(), sys.executable)
    found = scorer.scores(TARGETS, [[GOOD], [GOOD], [BAD]], resamples=500)
    assert found.shape == (501, 3)
    assert found[0] == pytest.approx([8 / 9, 8 / 9, 5 / 9])
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    np.testing.assert_array_equal(found, scorer.scores(TARGETS, [[GOOD], [GOOD], [BAD]], resamples=500))
    assert (found != scorer.scores(TARGETS, [[GOOD], [GOOD], [BAD]], resamples=500, seed=1)).any()


def test_a_function_of_the_project(own: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It runs in a process of its own, what it prints goes nowhere, and where it raises there is no value."""
    found = Scorer("my_metric:share", own, sys.executable).scores(TARGETS, [[GOOD], [BAD]], resamples=300)
    assert found[0] == pytest.approx([5 / 6, 3 / 6])
    assert found.shape == (301, 2)
    assert 0 < np.isnan(found).all(axis=1).sum() < 20
    assert capfd.readouterr() == ("", "")
    assert not (own / "__pycache__").exists()
    two = Scorer("my_metric:columns", own, sys.executable).scores(TARGETS, [[GOOD, BAD]])
    assert two.tolist() == [[2.0]]
    texts = Scorer("my_metric:words", own, sys.executable).scores(["a", "b"], [[["a", "c"]]])
    assert texts.tolist() == [[0.5]]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_metric:broken", "failed: ZeroDivisionError: division by zero"),
        ("my_metric:ends", "failed: it ended without a score"),
        ("my_metric:nothing", "failed: AttributeError: module 'my_metric' has no attribute 'nothing'"),
        ("no_such_module:f", "failed: ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
def test_a_function_that_fails(own: Path, name: str, message: str) -> None:
    """Its last line is the message, and the way out is named."""
    with pytest.raises(TargetError, match=message) as raised:
        Scorer(name, own, sys.executable).scores(TARGETS, [[GOOD]])
    assert "config_python" in (raised.value.hint or "")


def test_no_python(own: Path) -> None:
    """The setting config_python names none."""
    with pytest.raises(TargetError, match="cannot be started"):
        Scorer("my_metric:share", own, str(own / "python")).scores(TARGETS, [[GOOD]])


def test_one_class_only() -> None:
    """The whole table has no value."""
    with pytest.raises(TargetError, match="auc has no value on these 2 rows: do they have one class only"):
        Scorer("auc", Path(), sys.executable).scores([0.0, 0.0], [[[0.1, 0.2]]])


def test_a_slow_function_ends(own: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No resample is begun after its time; what was scored until then counts."""
    monkeypatch.setattr(own_scorer, "SECONDS", -1)
    monkeypatch.syspath_prepend(own)
    np.savez(tmp_path / "tables.npz", targets=np.array(TARGETS), table_0=np.array(GOOD))
    output = tmp_path / "scores.npy"
    own_scorer.main("my_metric:share", str(tmp_path / "tables.npz"), str(output), 1000, 0)
    assert np.load(output).shape == (1, 1)
