"""Fixtures of the model source's tests: sample data, real labels, a narrow network."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from model_src.data.labels import read_labels
from runner_test.samples import SampleData, write_sample_data
from tests.model_src.session_root import PROJECT, TINY, attach, changed, train


@pytest.fixture(scope="module")
def narrow_here() -> Iterator[None]:
    """This process uses the same narrow network as the processes that `command` and `train` start."""
    # Imported here, because processes without torch import this module, too.
    from torchvision.models.resnet import ResNet

    from tests.model_src.narrow.sitecustomize import narrow

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(ResNet, "_make_layer", narrow(ResNet._make_layer))
        yield


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen labelled images, half of them positive, and three to predict; 64 pixels."""
    directory = tmp_path_factory.mktemp("sample") / "data"
    write_sample_data(directory, SampleData(images=16, test_images=3, size=64, positive=0.5, seed=1))
    return directory


@pytest.fixture(scope="session")
def finished_run(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The session root of a finished tiny run of two folds, and its standard output."""
    root = tmp_path_factory.mktemp("finished")
    attach(root, sample_data)
    done = train(root, changed(TINY, predict={"choose_presence": True}))
    assert done.returncode == 0, done.stderr
    return root, done.stdout


@pytest.fixture(scope="session")
def single_fold_runs(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The session roots of two runs, each of one fold of `finished_run`."""
    roots = []
    for fold in (0, 1):
        roots.append(tmp_path_factory.mktemp(f"fold{fold}"))
        attach(roots[-1], sample_data)
        done = train(roots[-1], changed(TINY, predict={"choose_presence": True}, folds={"n": 2, "run": [fold]}))
        assert done.returncode == 0, done.stderr
    return roots


@pytest.fixture(scope="session")
def real_labels() -> Path:
    """The competition's own label file: 12 954 rows, 12 047 images, 3 576 masks."""
    # The package is not imported, because its dependencies are not installed.
    package = importlib.util.find_spec("torchxrayvision")
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs the label file in torchxrayvision: pip install --no-deps torchxrayvision")
    return Path(package.submodule_search_locations[0]) / "data" / "siim-pneumothorax-train-rle.csv.gz"


@pytest.fixture(scope="session")
def real_codes(real_labels: Path) -> Mapping[str, tuple[str, ...]]:
    """The codes of each image in that file, which takes a third of a second to read."""
    return MappingProxyType(read_labels(real_labels))


@pytest.fixture(scope="session")
def competition_files() -> Path:
    """The competition's first sample submission and a real submission; their licence does not allow to include them."""
    folder = PROJECT.parent / "shared" / "data" / "siim"
    if not (folder / "stage1_sample_submission.csv").is_file():
        pytest.skip("needs the competition's files of the first stage in ../shared/data/siim")
    return folder
