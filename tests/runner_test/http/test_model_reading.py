"""Models are registered folders, which clients read and kernels mount."""

from pathlib import Path
from typing import Any

import pytest
import requests
from kagglesdk.models.services.model_api_service import ModelApiClient
from kagglesdk.models.types.model_api_service import (
    ApiDownloadModelInstanceVersionRequest,
    ApiGetModelInstanceRequest,
    ApiGetModelRequest,
    ApiListModelInstanceVersionFilesRequest,
    ApiListModelsRequest,
)
from kagglesdk.models.types.model_enums import ModelFramework

from runner_test.errors import BadName, MissingFolder
from runner_test.http import model_reading
from runner_test.state import ModelSource, models, sources
from runner_test.store import Store
from tests.runner_test.local import Local, fill, http_code
from tests.runner_test.serving import Serve

READS = "import glob\nfor f in glob.glob('../input/**/*.json', recursive=True): print(f)"
NAMED = {
    "owner_slug": "Google",
    "model_slug": "gemma",
    "framework": ModelFramework.MODEL_FRAMEWORK_PY_TORCH,
    "instance_slug": "2b",
}


def add(store: Store, tmp_path: Path, *references: str) -> None:
    """Register models with one file, which has the reference."""
    for reference in references:
        folder = tmp_path / reference.replace("/", "-")
        folder.mkdir()
        (folder / "config.json").write_text(reference)
        store.add_model(reference, folder)


def client(local: Local) -> ModelApiClient:
    """Kaggle's client for models."""
    return ModelApiClient(local.http())


def test_frameworks_are_those_of_the_sdk() -> None:
    """Every framework of Kaggle's has a name, and each name one framework."""
    assert set(models.FRAMEWORKS) == model_reading.FRAMEWORKS.keys() - {"unspecified"}


@pytest.mark.parametrize(("layout", "mount"), [("2026", "models/google/gemma"), ("2025", "gemma")])
def test_mounts(serve: Serve, tmp_path: Path, layout: str, mount: str) -> None:
    """A push gets the version that it names, or the newest at that time; what does not exist is refused."""
    local = serve(layout=layout)
    add(local.store, tmp_path, "google/gemma/pyTorch/2b/9", "google/gemma/pytorch/2b/10")
    asked = ["google/gemma/PyTorch/2b", "google/gemma/pytorch/2b/9"]
    refused = ["google/gemma/pytorch/7b", "google/gemma/jax/2b", "google/gemma", "google/gemma/pytorch/2b/x"]
    answer = local.push("reads", READS, model_data_sources=[*asked, *refused])
    assert answer.invalid_model_sources == refused
    add(local.store, tmp_path, "google/gemma/pytorch/2b/11")
    local.reach("reads", "COMPLETE")
    where = f"../input/{mount}/pytorch/2b"
    assert sorted(local.log_text("reads").split()) == [f"{where}/10/config.json", f"{where}/9/config.json"]
    version = local.version("reads")
    assert version.model_sources == ("google/gemma/pytorch/2b/10", "google/gemma/pytorch/2b/9")
    (tmp_path / "google-gemma-pyTorch-2b-9" / "config.json").unlink()
    (tmp_path / "google-gemma-pyTorch-2b-9").rmdir()
    with pytest.raises(MissingFolder, match="pytorch/2b/9"):
        sources.mounts(local.store.root, version)


@pytest.mark.parametrize(
    "reference",
    ["a/b/pytorch/c", "a/b/pytorch/c/0", "a/b/pytorch/c/1/2", "a/b/torch/c/1", "../b/pytorch/c/1", "a/../pytorch/c/1",
     "a/b/pytorch/.c/1", "a/b/pytorch/c/-1"],
)  # fmt: skip
def test_registrations_that_are_refused(store: Store, tmp_path: Path, reference: str) -> None:
    """A name without a version, of an unknown framework, or that would lead elsewhere."""
    with pytest.raises(BadName):
        store.add_model(reference, tmp_path)
    with pytest.raises(MissingFolder, match="no folder"):
        store.add_model("a/b/pytorch/c/1", tmp_path / "none")
    assert models.models(store.root) == []


def test_reading(local: Local, tmp_path: Path) -> None:
    """Models, variations and files are found in any case, in pages; an address needs no credentials."""
    add(local.store, tmp_path, "google/gemma/pytorch/2b/2", "google/gemma/pytorch/2b/10", "meta/llama3.1/jax/8b/1")
    (local.store.root / "models/google/gemma/pytorch/2b/.2.ab12").symlink_to(tmp_path)  # left by a killed process
    found = client(local).list_models(fill(ApiListModelsRequest(), page_size=1))
    assert ([each.ref for each in found.models], found.total_results) == (["google/gemma"], 2)
    found = client(local).list_models(fill(ApiListModelsRequest(), page_token=found.next_page_token))
    assert [each.ref for each in found.models] == ["meta/llama3.1"]
    assert [each.ref for each in client(local).list_models(fill(ApiListModelsRequest(), owner="meta")).models] == [
        "meta/llama3.1"
    ]
    assert client(local).get_model_instance(fill(ApiGetModelInstanceRequest(), **NAMED)).version_number == 10
    files = client(local).list_model_instance_version_files(fill(ApiListModelInstanceVersionFilesRequest(), **NAMED))
    assert [(each.name, each.size) for each in files.files] == [("config.json", 26)]
    request = fill(ApiDownloadModelInstanceVersionRequest(), version_number=2, path="config.json", **NAMED)
    assert client(local).download_model_instance_version(request).text == "google/gemma/pytorch/2b/2"
    source = models.newest(local.store.root, ModelSource.parse("google/gemma/pyTorch/2b"))
    assert str(source) == "google/gemma/pytorch/2b/10"


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda api: api.get_model(fill(ApiGetModelRequest(), owner_slug="me", model_slug="no")), 403),
        (lambda api: api.get_model_instance(fill(ApiGetModelInstanceRequest(), **NAMED)), 403),
        (lambda api: api.get_model_instance(fill(ApiGetModelInstanceRequest(), **NAMED | {"owner_slug": ".."})), 404),
        (
            lambda api: api.download_model_instance_version(
                fill(ApiDownloadModelInstanceVersionRequest(), version_number=1, **NAMED)
            ),
            404,
        ),
    ],
)
def test_what_is_not_there(refusing: Local, ask: Any, code: int) -> None:
    """A missing model is not for the caller, as on Kaggle; a missing version is not there."""
    with pytest.raises(requests.HTTPError) as error:
        ask(client(refusing))
    assert http_code(error) == code
