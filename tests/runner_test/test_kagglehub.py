"""`kagglehub`, unmodified, in a process of its own, with the local Kaggle as its proxy."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from tests.runner_test.local import Local
from tests.runner_test.official import run

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("kagglehub") is None, reason="kagglehub is not installed: pip install kagglehub"
)

PROGRAM = """
import inspect, json, sys
from pathlib import Path
inspect.stack = list  # in which kagglehub looks for keras five times a request: a third of its time
import kagglehub

def files(folder):
    return {str(each.relative_to(folder)): each.read_text() for each in Path(folder).rglob("*") if each.is_file()}

source = Path(sys.argv[1])
told = {"whoami": kagglehub.whoami(verbose=False)["username"]}
kagglehub.dataset_upload("me/my-rows", str(source / "few"), version_notes="first")
(source / "few" / "a.txt").write_text("two")
kagglehub.dataset_upload("me/my-rows", str(source / "few"), version_notes="second")
told["newest"] = files(kagglehub.dataset_download("me/my-rows"))
told["older"] = Path(kagglehub.dataset_download("me/my-rows/versions/1", path="a.txt")).read_text()
kagglehub.dataset_upload("me/my-many", str(source / "many"))
told["many"] = files(kagglehub.dataset_download("me/my-many"))
told["model"] = files(kagglehub.model_download("google/gemma/pyTorch/2b"))
told["large model"] = len(files(kagglehub.model_download("google/gemma/pyTorch/7b/1")))
try:
    kagglehub.dataset_download("anna/her-rows")
except Exception as error:
    told["another user's"] = type(error).__name__
Path(sys.argv[2]).write_text(json.dumps(told))
"""


def test_data_sets_and_models(local: Local, tmp_path: Path) -> None:
    """whoami, uploads with sub-folders, versions, downloads of all and of a file; models; no access.

    More than 50 files are sent as one archive, and a model of more than 25 files is received as one.
    """
    few, many, model = tmp_path / "few", tmp_path / "many", tmp_path / "model"
    for folder in (few / "sub" / "deep", many / "x", model):
        folder.mkdir(parents=True)
    (few / "a.txt").write_text("one")
    (few / "empty.txt").touch()
    (few / "sub" / "deep" / "b.txt").write_text("b")
    for number in range(51):
        (many / "x" / f"{number}.txt").write_text(str(number))
    (model / "config.json").write_text("{}")
    local.store.add_model("google/gemma/pytorch/2b/1", tmp_path)
    local.store.add_model("google/gemma/pytorch/2b/3", model)
    local.store.add_model("google/gemma/pytorch/7b/1", many)
    run(local, tmp_path, sys.executable, "-c", PROGRAM, str(tmp_path), str(tmp_path / "told.json"))
    assert json.loads((tmp_path / "told.json").read_text()) == {
        "whoami": "me",
        "newest": {"a.txt": "two", "empty.txt": "", "sub/deep/b.txt": "b"},
        "older": "one",
        "many": {f"x/{number}.txt": str(number) for number in range(51)},
        "model": {"config.json": "{}"},
        "large model": 51,
        "another user's": "KaggleApiHTTPError",
    }
