"""Code competitions of the local Kaggle with hidden data: registered, submitted to and looked at with commands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from coordinator.errors import UsageError
from coordinator.project.project import find_project
from coordinator.target import local
from coordinator.target.competitions import SubmissionState
from tests.coordinator.command import Coord
from tests.paths import SAMPLES
from tests.runner_test.contest import SCORER
from tests.runner_test.local import eventually

# Is green on the visible data: the file that it reads is not among the hidden ones.
READS = """
    mount = Path(os.environ.get("COORD_KAGGLE_ROOT", "/kaggle")) / "input" / "competitions" / "parity"
    labels = (mount / "train.csv").read_text()
    print(len(labels) > 0, "of", mount)
    with (mount / "test.csv").open() as file:
        lines = file.read().split()[1:]
    Path("submission.csv").write_text("id,label\\n" + "".join(f"{line.split(',')[0]},1\\n" for line in lines))
"""


@pytest.fixture
def contest(coord: Coord, tmp_path: Path) -> Coord:
    """The tiny project with a scorer and a kernel that reads the competition; the data are beside it."""
    shutil.copytree(SAMPLES / "gateway", tmp_path, dirs_exist_ok=True)
    settings = coord.root / "pyproject.toml"
    text = settings.read_text().replace("[tool.coord]\n", '[tool.coord]\nscorer = "metric:accuracy"\n', 1)
    source = '[tool.coord.kernel]\ncompetition_sources = ["parity"]\n'
    settings.write_text(text.replace("[tool.coord.kernel]\n", source))
    (coord.root / "metric.py").write_text(SCORER)
    train = coord.root / "tiny_model" / "train.py"
    line = '    Path("submission.csv").write_text("ImageId,EncodedPixels\\n", encoding="utf-8")\n'
    assert line in train.read_text()
    train.write_text(train.read_text().replace(line, READS))
    return coord


def _add(coord: Coord, folder: Path, *options: str, code: int = 0) -> str:
    named = ("local", "add-competition", "parity", str(folder / "visible"), "--solution", str(folder / "solution.csv"))
    return coord.here(*named, *options, code=code).stderr


def test_a_kernel_that_is_green_only_here(contest: Coord, tmp_path: Path) -> None:
    """Its rerun fails: `scores` shows Kaggle's name for that, and the log that the host sees shows why."""
    hidden = ("--hidden", str(tmp_path / "hidden"), "--code-only", "--time-limit", "0.1")
    assert f"runs its kernel again with {tmp_path / 'hidden'}" in _add(contest, tmp_path, *hidden)
    contest.here("push", "--exp", "base", "--wait")
    assert "submission 1 to parity is pending" in contest.here("submit", "--exp", "base").stderr
    project = find_project(contest.root)
    eventually(lambda: local.rerun(project, "1").state is not SubmissionState.PENDING, "it has run again")
    assert "ERROR: Notebook" in contest.here("scores").stdout
    log = contest.here("local", "rerun-log", "parity")
    assert "submission 1 to parity, ada/tiny-base/1: error after" in log.stderr
    assert "The script ended with exit code 1." in log.stderr
    assert "train.csv is in the visible data, and not in the hidden ones" in log.stderr
    assert "FileNotFoundError" in log.stdout
    assert "FileNotFoundError" not in contest.here("logs", "--exp", "base").stdout

    found = local.rerun(project, "1")
    assert (found.competition, found.state, found.only_visible) == ("parity", SubmissionState.ERROR, ("train.csv",))
    for which in ("2", "titanic"):
        with pytest.raises(UsageError, match="is neither a submission that the local Kaggle has run again"):
            local.rerun(project, which)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--hidden", "hidden"), "--hidden is for a code competition"),
        (("--gateway", "gateway.py", "--code-only"), "--gateway is for reruns with hidden data"),
        (("--time-limit", "9", "--code-only"), "--time-limit is for reruns with hidden data"),
        (("--time-limit", "nan", "--code-only", "--hidden", "hidden"), "must be more than 0 hours, is nan"),
        (("--code-only", "--hidden", "visible"), "must be two folders"),
        (("--code-only", "--hidden", "."), "must be two folders"),
    ],
)
def test_options_that_do_not_fit(contest: Coord, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    """A message that says what is missing, exit code 2, and no competition."""
    given = [str(tmp_path / each) if each in ("hidden", "visible", ".") else each for each in options]
    assert message in _add(contest, tmp_path, *given, code=2)
    assert not (contest.root / ".coord" / "local-kaggle" / "competitions").exists()
