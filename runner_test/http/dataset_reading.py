"""DatasetApiService, the methods that show data sets and their files."""

from typing import Any

from kagglesdk.datasets.types.dataset_api_service import (
    ApiDataset,
    ApiDatasetVersion,
    ApiGetDatasetRequest,
    ApiGetDatasetStatusRequest,
    ApiGetDatasetStatusResponse,
)
from kagglesdk.datasets.types.dataset_enums import DatabundleVersionStatus

from runner_test.http import access
from runner_test.http.rpc import Answer, Caller, date, new
from runner_test.state import Dataset, DatasetVersion, datasets, tree


def get_dataset(caller: Caller, request: ApiGetDatasetRequest) -> Answer:
    """A data set with its versions, the newest first; the current one is the newest that is ready."""
    return _dataset(caller, access.dataset(caller, request.owner_slug, request.dataset_slug))


def get_dataset_status(caller: Caller, request: ApiGetDatasetStatusRequest) -> Answer:
    """How far the newest version is."""
    found = access.dataset(caller, request.owner_slug, request.dataset_slug)
    newest = datasets.versions(caller.store.root, found.reference)[-1:]
    return new(ApiGetDatasetStatusResponse, status=_status(newest[0]) if newest else None)


def _dataset(caller: Caller, dataset: Dataset) -> Any:
    versions = datasets.versions(caller.store.root, dataset.reference)
    current = next((each for each in reversed(versions) if each.is_ready), None)
    folder = current.files_folder if current else None
    return new(
        ApiDataset,
        id=dataset.id,
        ref=str(dataset.reference),
        url=access.dataset_url(caller, dataset.reference),
        title=dataset.title,
        subtitle=dataset.subtitle,
        description=dataset.description,
        owner_name=dataset.owner,
        owner_ref=dataset.owner,
        creator_name=dataset.owner,
        creator_url=dataset.owner,
        license_name=dataset.license,
        is_private=dataset.is_private,
        total_bytes=sum(status.st_size for _, status in tree.readable_files(folder)) if folder else None,
        last_updated=date(versions[-1].created if versions else dataset.created),
        current_version_number=current.number if current else None,
        versions=[_version(dataset, version) for version in reversed(versions)],
    )


def _version(dataset: Dataset, version: DatasetVersion) -> Any:
    return new(
        ApiDatasetVersion,
        version_number=version.number,
        creation_date=date(version.created),
        creator_name=dataset.owner,
        creator_ref=dataset.owner,
        version_notes=version.notes,
        status="Ready" if version.is_ready else "Pending",
    )


def _status(version: DatasetVersion) -> DatabundleVersionStatus:
    return DatabundleVersionStatus.READY if version.is_ready else DatabundleVersionStatus.BLOBS_RECEIVED
