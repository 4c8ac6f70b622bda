"""Data sets for tests: files are sent, and data sets made, with Kaggle's own client."""

from collections.abc import Sequence
from typing import Any

import requests
from kagglesdk.blobs.services.blob_api_service import BlobApiClient
from kagglesdk.blobs.types.blob_api_service import ApiBlobType, ApiStartBlobUploadRequest
from kagglesdk.datasets.services.dataset_api_service import DatasetApiClient
from kagglesdk.datasets.types.dataset_api_service import (
    ApiCreateDatasetRequest,
    ApiCreateDatasetVersionRequest,
    ApiCreateDatasetVersionRequestBody,
    ApiDatasetNewFile,
    ApiGetDatasetRequest,
    ApiGetDatasetStatusRequest,
    ApiListDatasetFilesRequest,
    ApiUploadDirectoryInfo,
)

from tests.runner_test.local import Local, fill


def api(local: Local, user: str = "me") -> DatasetApiClient:
    """Kaggle's client for data sets."""
    return DatasetApiClient(local.http(user))


def announce(local: Local, name: str, size: int, *, user: str = "me", kind: ApiBlobType = ApiBlobType.DATASET) -> Any:
    """Announce a file; the answer has its token and its address."""
    request = fill(ApiStartBlobUploadRequest(), type=kind, name=name, content_length=size)
    return BlobApiClient(local.http(user)).start_blob_upload(request)


def put(url: str, data: bytes, **headers: str) -> requests.Response:
    """Send a piece of a file; `Content_Range` becomes the header's name."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.put(url, data=data, headers=named, timeout=10)


def send(local: Local, name: str, data: bytes = b"x", *, user: str = "me") -> Any:
    """Send a whole file; returns what names it in a request."""
    answer = announce(local, name, len(data), user=user)
    assert put(answer.create_url, data).status_code == 200
    return fill(ApiDatasetNewFile(), token=answer.token)


def create(local: Local, slug: str, /, *files: Any, user: str = "me", **fields: Any) -> Any:
    """Make a data set, a private one; returns the answer."""
    request = fill(ApiCreateDatasetRequest(), owner_slug=user, slug=slug, title=slug.replace("-", " "), is_private=True)
    return api(local, user).create_dataset(fill(request, **{"files": list(files)} | fields))


def add(local: Local, slug: str, *files: Any, user: str = "me", owner: str = "me", **fields: Any) -> Any:
    """Add a version to a data set; returns the answer."""
    body = fill(ApiCreateDatasetVersionRequestBody(), files=list(files), **fields)
    request = fill(ApiCreateDatasetVersionRequest(), owner_slug=owner, dataset_slug=slug, body=body)
    return api(local, user).create_dataset_version(request)


def folder(name: str, *files: Any, folders: Sequence[Any] = ()) -> Any:
    """A folder of files that were sent."""
    return fill(ApiUploadDirectoryInfo(), name=name, files=list(files), directories=list(folders))


def names(local: Local, slug: str, number: int | None = None) -> list[str]:
    """The names of a version's files, of the current one without a number."""
    request = fill(ApiListDatasetFilesRequest(), owner_slug="me", dataset_slug=slug, dataset_version_number=number)
    return [each.name for each in api(local).list_dataset_files(request).dataset_files]


def dataset(local: Local, slug: str, *, user: str = "me", owner: str = "me") -> Any:
    """What GetDataset says."""
    return api(local, user).get_dataset(fill(ApiGetDatasetRequest(), owner_slug=owner, dataset_slug=slug))


def status(local: Local, slug: str) -> str:
    """The name of the data set's status."""
    request = fill(ApiGetDatasetStatusRequest(), owner_slug="me", dataset_slug=slug)
    return str(api(local).get_dataset_status(request).status.name)
