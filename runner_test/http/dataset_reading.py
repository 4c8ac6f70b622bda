"""DatasetApiService, the methods that show data sets and their files."""

from pathlib import Path
from typing import Any

from kagglesdk.datasets.databundles.types.databundle_api_types import ApiDirectory, ApiDirectoryContent, ApiFile
from kagglesdk.datasets.types.dataset_api_service import (
    ApiDataset,
    ApiDatasetFile,
    ApiDatasetVersion,
    ApiDownloadDatasetRawRequest,
    ApiDownloadDatasetRequest,
    ApiGetDatasetMetadataRequest,
    ApiGetDatasetMetadataResponse,
    ApiGetDatasetRequest,
    ApiGetDatasetStatusRequest,
    ApiGetDatasetStatusResponse,
    ApiListDatasetFilesRequest,
    ApiListDatasetFilesResponse,
    ApiListTreeDatasetFilesRequest,
)
from kagglesdk.datasets.types.dataset_enums import DatabundleVersionStatus
from kagglesdk.datasets.types.dataset_types import DatasetInfo, DatasetSettingsFile, SettingsLicense

from runner_test.errors import BadName
from runner_test.http import access
from runner_test.http.rpc import Answer, Caller, Redirect, Refusal, date, new
from runner_test.state import Dataset, DatasetVersion, Reference, datasets, tree
from runner_test.store import Store

MAX_PAGE = 200


def get_dataset(caller: Caller, request: ApiGetDatasetRequest) -> Answer:
    """A data set with its versions, the newest first; the current one is the newest that is ready."""
    return describe(caller, access.dataset(caller, request.owner_slug, request.dataset_slug))


def get_dataset_status(caller: Caller, request: ApiGetDatasetStatusRequest) -> Answer:
    """How far the newest version is."""
    found = access.dataset(caller, request.owner_slug, request.dataset_slug)
    newest = datasets.versions(caller.store.root, found.reference)[-1:]
    return new(ApiGetDatasetStatusResponse, status=_status(newest[0]) if newest else None)


def get_dataset_metadata(caller: Caller, request: ApiGetDatasetMetadataRequest) -> Answer:
    """What describes a data set and its files, which `kaggle datasets metadata` writes to a file."""
    found = access.dataset(caller, request.owner_slug, request.dataset_slug)
    version = datasets.version(caller.store.root, found.reference)
    described = [
        new(DatasetSettingsFile, name=name, description=found.descriptions.get(name), total_bytes=size)
        for name, size, _ in _files(version)
    ]
    info = new(
        DatasetInfo,
        dataset_id=found.id,
        dataset_slug=found.slug,
        owner_user=found.owner,
        title=found.title,
        subtitle=found.subtitle,
        description=found.description,
        is_private=found.is_private,
        keywords=list(found.keywords),
        licenses=[new(SettingsLicense, name=found.license)],
        data=described,
    )
    return new(ApiGetDatasetMetadataResponse, info=info)


def list_dataset_files(caller: Caller, request: ApiListDatasetFilesRequest) -> Answer:
    """One page of the files of a version, by name."""
    found, version = _version(caller, request)
    files = _files(version)
    start = access.offset(request.page_token)
    size = access.page_size(request.page_size, MAX_PAGE)
    page = [
        new(
            ApiDatasetFile,
            ref=name,
            name=name,
            dataset_ref=str(found.reference),
            owner_ref=found.owner,
            description=found.descriptions.get(name),
            file_type=Path(name).suffix,
            total_bytes=total,
            creation_date=date(modified),
            url=_file_url(caller, found, version, name),
        )
        for name, total, modified in files[start : start + size]
    ]
    token = access.next_token(start + size, len(files))
    return new(ApiListDatasetFilesResponse, dataset_files=page, next_page_token=token)


def list_tree_dataset_files(caller: Caller, request: ApiListTreeDatasetFilesRequest) -> Answer:
    """One page of a folder of a version: its folders, and then its files. Raises Refusal for a folder without any."""
    _, version = _version(caller, request)
    top = request.path.strip("/")
    prefix = f"{top}/" if top else ""
    below = [entry for entry in _files(version) if entry[0].startswith(prefix)]
    if not below and top:
        raise Refusal(404, f"The version has no folder {top!r}")
    folders: dict[str, int] = {}
    files = []
    for name, size, modified in below:
        first, slash, _ = name.removeprefix(prefix).partition("/")
        if slash:
            folders[first] = folders.get(first, 0) + 1
        else:
            files.append(new(ApiFile, name=first, relative_url=name, total_bytes=size, creation_date=date(modified)))
    directories = [
        new(ApiDirectory, name=name, relative_url=f"{prefix}{name}", total_files=count, total_children=count)
        for name, count in sorted(folders.items())
    ]
    start = access.offset(request.page_token)
    end = start + access.page_size(request.page_size, MAX_PAGE)
    return new(
        ApiDirectoryContent,
        directories=directories[start:end],
        files=files[max(start - len(directories), 0) : max(end - len(directories), 0)],
        total_directories=len(directories),
        total_files=len(files),
        total_children=len(directories) + len(files),
        next_page_token=access.next_token(end, len(directories) + len(files)),
    )


def download_dataset(caller: Caller, request: ApiDownloadDatasetRequest | ApiDownloadDatasetRawRequest) -> Answer:
    """A redirect to the address of one file, or of an archive of all files of a version if none is named."""
    found, version = _version(caller, request)
    if not request.file_name:
        place = f"archives/datasets/{found.reference}/{version.number}"
        return Redirect(access.signed_url(caller, place, f"{found.slug}.zip"))
    folder = version.files_folder
    if folder is None or tree.file(folder, request.file_name) is None:
        raise Refusal(404, f"{found.reference} version {version.number} has no file {request.file_name!r}")
    return Redirect(_file_url(caller, found, version, request.file_name))


def dataset_file(store: Store, owner: str, slug: str, number: int, name: str) -> Path:
    """The path of the file at such an address. Raises Refusal."""
    folder = _folder(store, owner, slug, number)
    path = tree.file(folder, name)
    if path is None:
        raise Refusal(404, f"There is no file {name!r} any more")
    return path


def all_files(store: Store, owner: str, slug: str, number: int) -> list[tuple[str, Path]]:
    """All files of a version, as (name, path). Raises Refusal."""
    folder = _folder(store, owner, slug, number)
    found = ((name, tree.file(folder, name)) for name, _ in tree.readable_files(folder))
    return [(name, path) for name, path in found if path is not None]


def describe(caller: Caller, dataset: Dataset) -> Any:
    """The message that says what a data set is."""
    versions = datasets.versions(caller.store.root, dataset.reference)
    current = next((each for each in reversed(versions) if each.is_ready), None)
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
        total_bytes=sum(size for _, size, _ in _files(current)),
        last_updated=date(versions[-1].created if versions else dataset.created),
        current_version_number=current.number if current else None,
        versions=[_describe_version(dataset, version) for version in reversed(versions)],
    )


def _describe_version(dataset: Dataset, version: DatasetVersion) -> Any:
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


def _version(caller: Caller, request: Any) -> tuple[Dataset, DatasetVersion]:
    """The data set and the version that a request names, the current one without a number. Raises Refusal."""
    found = access.dataset(caller, request.owner_slug, request.dataset_slug)
    version = datasets.version(caller.store.root, found.reference, request.dataset_version_number or None)
    if version is None or not version.is_ready:
        raise Refusal(404, f"{found.reference} has no version {request.dataset_version_number or 'that is ready'}")
    return found, version


def _files(version: DatasetVersion | None) -> list[tuple[str, int, float]]:
    """The files of a version, by name: name, size in bytes, seconds since 1970."""
    folder = version.files_folder if version is not None else None
    found = tree.readable_files(folder) if folder is not None else []
    return [(name, status.st_size, status.st_mtime) for name, status in found]


def _file_url(caller: Caller, dataset: Dataset, version: DatasetVersion, name: str) -> str:
    return access.signed_url(caller, f"dataset-files/{dataset.reference}/{version.number}", name)


def _folder(store: Store, owner: str, slug: str, number: int) -> Path:
    """The folder of a version's files. Raises Refusal."""
    try:
        version = datasets.version(store.root, Reference.parse(f"{owner}/{slug}"), number)
    except BadName:
        version = None
    folder = version.files_folder if version is not None else None
    if folder is None:
        raise Refusal(404, f"There is no version {number} of {owner}/{slug} any more")
    return folder
