"""Data sets are listed and read: their files, folders, versions and descriptions."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from kagglesdk.datasets.types.dataset_api_service import (
    ApiDownloadDatasetRequest,
    ApiListDatasetFilesRequest,
    ApiListDatasetsRequest,
    ApiListTreeDatasetFilesRequest,
)
from kagglesdk.datasets.types.dataset_enums import (
    DatasetFileTypeGroup,
    DatasetLicenseGroup,
    DatasetSelectionGroup,
    DatasetSortBy,
)

from runner_test.server import running_server
from runner_test.store import Store
from tests.runner_test.local import PLAIN, Local, fill, http_code
from tests.runner_test.sending import api, create, folder, send

NAMED = {"owner_slug": "me", "dataset_slug": "my-rows"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """A server with data sets of two users, which the tests only read."""
    store = Store(tmp_path_factory.mktemp("filled"), settings=PLAIN)
    with running_server(store.root, settings=store.settings) as server:
        local = Local(server.url, store)
        deep = folder("deep", send(local, "d.bin", b"d" * 50))
        below = [folder("x", send(local, "b.txt"), send(local, "ü c.txt", b"c"), folders=[deep]), folder("y")]
        create(local, "my-rows", send(local, "a.csv", b"a" * 10), directories=below, category_ids=["chest", "x-ray"])
        create(local, "her-rows", send(local, "a.json", user="anna"), user="anna", license_name="CC0-1.0")
        create(
            local, "all-rows", send(local, "a.json", b"{}", user="anna"), user="anna", license_name="CC0-1.0",
            is_private=False, subtitle="rows for everybody",
        )  # fmt: skip
        yield local


GROUP, LICENSE = DatasetSelectionGroup, DatasetLicenseGroup


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["anna/all-rows"]),
        ({"group": GROUP.DATASET_SELECTION_GROUP_MY}, ["me/my-rows"]),
        ({"group": GROUP.DATASET_SELECTION_GROUP_MY_PUBLIC}, []),
        ({"group": GROUP.DATASET_SELECTION_GROUP_MY_PRIVATE}, ["me/my-rows"]),
        ({"group": GROUP.DATASET_SELECTION_GROUP_UPVOTED}, []),
        ({"group": GROUP.DATASET_SELECTION_GROUP_USER, "user": "Anna"}, ["anna/all-rows"]),
        ({"group": GROUP.DATASET_SELECTION_GROUP_USER, "user": "me"}, ["me/my-rows"]),
        ({"search": "Everybody"}, ["anna/all-rows"]),
        ({"search": "my-rows"}, []),
        ({"license": LICENSE.DATASET_LICENSE_GROUP_CC}, ["anna/all-rows"]),
        ({"license": LICENSE.DATASET_LICENSE_GROUP_OTHER}, []),
        ({"user": "me", "license": LICENSE.DATASET_LICENSE_GROUP_OTHER}, ["me/my-rows"]),
        ({"file_type": DatasetFileTypeGroup.DATASET_FILE_TYPE_GROUP_JSON}, ["anna/all-rows"]),
        ({"file_type": DatasetFileTypeGroup.DATASET_FILE_TYPE_GROUP_CSV}, []),
        ({"file_type": DatasetFileTypeGroup.DATASET_FILE_TYPE_GROUP_BIG_QUERY}, []),
        ({"user": "me", "tag_ids": "X-ray,chest"}, ["me/my-rows"]),
        ({"user": "me", "tag_ids": "ct"}, []),
        ({"min_size": 3}, []),
        ({"max_size": 1}, []),
        ({"min_size": 2, "max_size": 2}, ["anna/all-rows"]),
    ],
)
def test_the_list(filled: Local, asked: Mapping[str, Any], found: list[str]) -> None:
    """Filters are combined; another user's private data sets are in no list."""
    answer = api(filled).list_datasets(fill(ApiListDatasetsRequest(), **asked))
    assert [each.ref for each in answer.datasets] == found


def test_pages_of_the_list(filled: Local) -> None:
    """The newest is first; a page is named by its number or its token."""
    asked = {"group": GROUP.DATASET_SELECTION_GROUP_USER, "user": "anna", "page_size": 1}
    client = api(filled, "anna")
    for sort_by in (DatasetSortBy.DATASET_SORT_BY_HOTTEST, DatasetSortBy.DATASET_SORT_BY_PUBLISHED):
        first = client.list_datasets(fill(ApiListDatasetsRequest(), sort_by=sort_by, **asked))
        assert [each.ref for each in first.datasets] == ["anna/all-rows"]
        for way in ({"page_token": first.next_page_token}, {"page": 2}):
            second = client.list_datasets(fill(ApiListDatasetsRequest(), sort_by=sort_by, **asked | way))
            assert [each.ref for each in second.datasets] == ["anna/her-rows"]
            assert second.next_page_token == ""


def test_pages_of_files(filled: Local) -> None:
    """The files of a version with their sizes, in pages; each has an address that needs no credentials."""
    found, token = {}, None
    while token != "":
        request = fill(ApiListDatasetFilesRequest(), page_size=3, page_token=token, **NAMED)
        answer = api(filled).list_dataset_files(request)
        found.update({each.name: (each.total_bytes, requests.get(each.url, timeout=10).text) for each in answer.files})
        token = answer.next_page_token
    assert found == {
        "a.csv": (10, "a" * 10),
        "x/b.txt": (1, "x"),
        "x/deep/d.bin": (50, "d" * 50),
        "x/ü c.txt": (1, "c"),
    }


def test_folders(filled: Local) -> None:
    """A folder's own folders and files, in pages that have folders first; an empty folder is not kept, as on Kaggle."""

    def listed(path: str, **paging: Any) -> tuple[list[str], list[str], str]:
        request = fill(ApiListTreeDatasetFilesRequest(), path=path, **NAMED, **paging)
        answer = api(filled).list_tree_dataset_files(request)
        directories = [each.relative_url for each in answer.directories]
        return directories, [each.relative_url for each in answer.files], answer.next_page_token

    assert listed("") == (["x"], ["a.csv"], "")
    assert listed("x") == (["x/deep"], ["x/b.txt", "x/ü c.txt"], "")
    assert listed("x/", page_size=2) == (["x/deep"], ["x/b.txt"], "2")
    assert listed("x", page_size=2, page_token="2") == ([], ["x/ü c.txt"], "")
    for path in ("y", "x/b", "../her-rows"):
        with pytest.raises(requests.HTTPError) as error:
            listed(path)
        assert http_code(error) == 404


@pytest.mark.parametrize("name", ["../dataset.json", "/etc/passwd", "x", "no.csv", "x/../../version.json"])
def test_files_that_are_not_there(filled: Local, name: str) -> None:
    """A name that leads out of the version, a folder, and a missing file are 404."""
    with pytest.raises(requests.HTTPError) as error:
        api(filled).download_dataset(fill(ApiDownloadDatasetRequest(), file_name=name, **NAMED))
    assert http_code(error) == 404


def test_versions_that_are_not_there(filled: Local) -> None:
    """A missing version is 404; an address that was changed is 403."""
    with pytest.raises(requests.HTTPError) as error:
        api(filled).download_dataset(fill(ApiDownloadDatasetRequest(), dataset_version_number=9, **NAMED))
    assert http_code(error) == 404
    url = f"{filled.url}/dataset-files/me/my-rows/1/a.csv?expires=99999999999&signature=0"
    assert requests.get(url, timeout=10).status_code == 403


def test_files_are_read_only(filled: Local) -> None:
    """A session that is not isolated can't change the files of a version."""
    data = Path(filled.store.root, "datasets", "me", "my-rows", "versions", "1", "data")
    modes = {path.stat().st_mode & 0o222 for path in [data, *data.rglob("*")]}
    assert modes == {0}
