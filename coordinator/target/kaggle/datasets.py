"""The calls about data sets: their versions and states, uploads in pieces, lists and downloads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import requests
from kagglesdk.blobs.services.blob_api_service import BlobApiClient
from kagglesdk.blobs.types.blob_api_service import ApiBlobType, ApiStartBlobUploadRequest
from kagglesdk.datasets.services.dataset_api_service import DatasetApiClient
from kagglesdk.datasets.types.dataset_api_service import (
    ApiCreateDatasetRequest,
    ApiCreateDatasetVersionRequest,
    ApiCreateDatasetVersionRequestBody,
    ApiDataset,
    ApiDatasetNewFile,
    ApiDownloadDatasetRequest,
    ApiGetDatasetRequest,
    ApiGetDatasetStatusRequest,
    ApiListDatasetFilesRequest,
    ApiListDatasetsRequest,
    ApiUploadDirectoryInfo,
)
from kagglesdk.datasets.types.dataset_enums import DatabundleVersionStatus, DatasetSelectionGroup

from coordinator.errors import NoAccess
from coordinator.kaggle_rules import DATASET_LICENCE, normal_name
from coordinator.target.datasets import Dataset, DatasetFile, DatasetState, Published, Tokens, UploadPlace
from coordinator.target.download import Download
from coordinator.target.kaggle import parsing
from coordinator.target.kaggle.downloads import open_download
from coordinator.target.kaggle.policy import Failed, Failure
from coordinator.target.kaggle.session import ApiSession
from coordinator.target.kaggle.transport import Transport

_PAGE = 200  # entries
_STATES = {
    DatabundleVersionStatus.READY: DatasetState.READY,
    DatabundleVersionStatus.FAILED: DatasetState.FAILED,
    DatabundleVersionStatus.DELETED: DatasetState.FAILED,
}
"""Every other status is one on the way to READY."""


class KaggleDatasets:
    """See `datasets.Datasets` for the methods."""

    def __init__(self, http: Transport, session: ApiSession, owner: str) -> None:
        """`owner` is the user of the credentials."""
        self._http = http
        self._session = session
        self._owner = owner
        self._api = DatasetApiClient(http)
        self._blobs = BlobApiClient(http)

    def dataset(self, reference: str) -> Dataset | None:
        request = ApiGetDatasetRequest()
        request.owner_slug, request.dataset_slug = _parts(reference)
        try:
            with self._session.explaining(f"looking for the data set {reference}"):
                answer = self._api.get_dataset(request)
                # Of an answer without its fields one would learn that there are no versions.
                if normal_name(answer.ref) != normal_name(reference):
                    raise Failed(Failure.UNUSABLE, "it is without the data set")
        except NoAccess:
            self._session.check_access()
            return None
        return self._described(answer)

    def state(self, reference: str) -> DatasetState:
        request = ApiGetDatasetStatusRequest()
        request.owner_slug, request.dataset_slug = _parts(reference)
        with self._about(reference, f"asking for the state of {reference}"):
            return _STATES.get(self._api.get_dataset_status(request).status, DatasetState.PROCESSING)

    def place(self, name: str, size: int, modified: float) -> UploadPlace:
        request = ApiStartBlobUploadRequest()
        request.type = ApiBlobType.DATASET
        request.name = name
        request.content_length = size
        request.last_modified_epoch_seconds = int(modified)
        with self._session.explaining(f"uploading {name}"):
            answer = self._blobs.start_blob_upload(request)
            if not answer.token or not answer.create_url:
                raise Failed(Failure.UNUSABLE, "it has no address for the file")
        return UploadPlace(token=answer.token, address=answer.create_url)

    def received(self, place: UploadPlace, name: str, size: int) -> int:
        with self._session.explaining(f"uploading {name}"):
            return self._http.received(place.address, size)

    def send(self, place: UploadPlace, name: str, piece: bytes, extent: tuple[int, int]) -> int:
        with self._session.explaining(f"uploading {name}"):
            return self._http.put_piece(place.address, piece, extent)

    def create(self, reference: str, title: str, description: str, tokens: Tokens) -> None:
        request = ApiCreateDatasetRequest()
        request.owner_slug, request.slug = _parts(reference)
        request.title = title
        request.license_name = DATASET_LICENCE
        request.description = description
        request.is_private = True
        request.files, request.directories = _tree(tokens)
        with self._about(reference, f"creating the data set {reference}"):
            _check(self._api.create_dataset(request))

    def add_version(self, reference: str, notes: str, tokens: Tokens) -> None:
        request = ApiCreateDatasetVersionRequest()
        request.owner_slug, request.dataset_slug = _parts(reference)
        request.body = ApiCreateDatasetVersionRequestBody()
        request.body.version_notes = notes
        request.body.files, request.body.directories = _tree(tokens)
        with self._about(reference, f"adding a version to the data set {reference}"):
            _check(self._api.create_dataset_version(request))

    def files(self, reference: str, version: int) -> Iterator[DatasetFile]:
        owner, slug = _parts(reference)
        pages = self._session.pages(
            f"the list of {reference}'s files",
            ApiListDatasetFilesRequest,
            self._api.list_dataset_files,
            owner_slug=owner,
            dataset_slug=slug,
            dataset_version_number=version,
            page_size=_PAGE,
        )
        for page in pages:
            yield from (DatasetFile(file.name, file.total_bytes) for file in page.dataset_files or [])

    def open_file(self, reference: str, version: int, name: str, *, offset: int = 0) -> Download:
        request = ApiDownloadDatasetRequest()
        request.owner_slug, request.dataset_slug = _parts(reference)
        request.dataset_version_number = version
        request.file_name = name
        request.raw = True  # else Kaggle packs some files

        def ask(headers: Mapping[str, str]) -> requests.Response:
            answer: Any = self._api.download_dataset(request)
            return self._http.get(answer, headers=headers) if isinstance(answer, str) else answer

        return open_download(self._session, f"downloading {name} of {reference}", ask, offset)

    def mine(self) -> Iterator[Dataset]:
        pages = self._session.pages(
            "the list of your data sets",
            ApiListDatasetsRequest,
            self._api.list_datasets,
            group=DatasetSelectionGroup.DATASET_SELECTION_GROUP_MY,
            page_size=_PAGE,
        )
        for page in pages:
            yield from map(self._described, page.datasets or [])

    def _described(self, answer: ApiDataset) -> Dataset:
        versions = [Published(each.version_number, each.version_notes or "") for each in answer.versions or []]
        return Dataset(
            reference=normal_name(parsing.shown(answer.ref)),
            url=self._session.page(f"datasets/{normal_name(parsing.shown(answer.ref))}"),
            newest=max([answer.current_version_number, *(each.number for each in versions)]),
            current=answer.current_version_number,
            description=answer.description or "",
            versions=tuple(sorted(versions, key=lambda each: -each.number)),
            is_private=answer.is_private,
            size=answer.total_bytes,
        )

    @contextlib.contextmanager
    def _about(self, reference: str, doing: str) -> Iterator[None]:
        """A 403 or 404 about a data set, as far as the reasons can be told apart here."""
        owner, slug = _parts(reference)
        try:
            with self._session.explaining(doing):
                yield
        except NoAccess as error:
            self._session.check_access()
            mine = normal_name(owner) == normal_name(self._owner)
            hint = (
                f'Your token is valid. Was "{slug}" deleted or renamed?'
                if mine
                else f'{owner} is not you ("{self._owner}"): name one of yours, OWNER/SLUG.'
            )
            raise NoAccess(error.what, hint=hint) from error


def _parts(reference: str) -> tuple[str, str]:
    owner, _, slug = reference.partition("/")
    return owner, slug


def _check(answer: Any) -> None:
    """Kaggle refuses with status 200, and words in the answer."""
    if answer.error or answer.status.lower() not in ("", "ok"):
        raise Failed(Failure.REFUSED, parsing.shown(answer.error or answer.status), status=200)


def _tree(tokens: Tokens) -> tuple[list[ApiDatasetNewFile], list[ApiUploadDirectoryInfo]]:
    """The files at the top, and the folders with theirs."""
    here: list[ApiDatasetNewFile] = []
    folders: dict[str, dict[PurePosixPath, str]] = {}
    for path, token in sorted(tokens.items()):
        if len(path.parts) == 1:
            file = ApiDatasetNewFile()
            file.token = token
            here.append(file)
        else:
            folders.setdefault(path.parts[0], {})[PurePosixPath(*path.parts[1:])] = token
    return here, [_folder(name, inner) for name, inner in folders.items()]


def _folder(name: str, tokens: Tokens) -> ApiUploadDirectoryInfo:
    folder = ApiUploadDirectoryInfo()
    folder.name = name
    folder.files, folder.directories = _tree(tokens)
    return folder
