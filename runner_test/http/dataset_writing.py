"""DatasetApiService, the methods that make data sets and versions of them, describe them, and delete them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from kagglesdk.datasets.types.dataset_api_service import (
    ApiCreateDatasetRequest,
    ApiCreateDatasetResponse,
    ApiCreateDatasetVersionByIdRequest,
    ApiCreateDatasetVersionRequest,
    ApiCreateDatasetVersionRequestBody,
    ApiDeleteDatasetRequest,
    ApiDeleteDatasetResponse,
    ApiUpdateDatasetMetadataRequest,
    ApiUpdateDatasetMetadataResponse,
)

from runner_test.errors import BadDataset, BadName
from runner_test.http import access
from runner_test.http.rpc import Answer, Caller, Refusal, new
from runner_test.state import (
    Dataset,
    NewDatasetVersion,
    NewFile,
    Reference,
    datasets,
    file_name_problem,
    rules,
    uploads,
)

_DEPTH = 100  # folders in each other


def create_dataset(caller: Caller, request: ApiCreateDatasetRequest) -> Answer:
    """Make a data set of uploaded files; it is private if the request says so, as those of Kaggle's clients do.

    (They don't send a value that is False, so a public data set's request says nothing.)
    """
    title = request.title
    try:
        reference = Reference.parse(f"{request.owner_slug or caller.user}/{request.slug or rules.slug_of(title)}")
    except BadName as error:
        return _error(str(error))
    if reference.owner != caller.user:
        raise access.denied("datasets.create")
    if problem := rules.dataset_title_problem(title) or rules.dataset_slug_problem(reference.slug):
        return _error(problem)
    root = caller.store.root
    if datasets.dataset(root, reference) is not None:
        return _error(f'The requested title "{title}" is already in use by a dataset. Please choose another title.')
    made = Dataset(
        id=0,  # it gets one when it is made
        owner=reference.owner,
        slug=reference.slug,
        title=title,
        is_private=request.is_private,
        created=time.time(),
        license=request.license_name or "unknown",
        subtitle=request.subtitle,
        description=request.description,
        keywords=tuple(request.category_ids),
    )
    try:
        files, descriptions = _files(caller, request)
        made = replace(made, descriptions=descriptions)
        datasets.create(root, caller.store.settings, made, NewDatasetVersion(files, "Initial release"))
    except BadDataset as error:
        return _error(str(error))
    return _made(caller, reference)


def create_dataset_version(caller: Caller, request: ApiCreateDatasetVersionRequest) -> Answer:
    """Add a version of uploaded files to a data set of the caller."""
    return _add(caller, access.own_dataset(caller, request.owner_slug, request.dataset_slug), request.body)


def create_dataset_version_by_id(caller: Caller, request: ApiCreateDatasetVersionByIdRequest) -> Answer:
    """Add a version of uploaded files to the caller's data set with that id."""
    mine = [each for each in datasets.datasets(caller.store.root) if each.owner == caller.user]
    for dataset in mine:
        if dataset.id == request.id:
            return _add(caller, dataset, request.body)
    raise access.denied("datasets.update")


def _add(caller: Caller, dataset: Dataset, body: ApiCreateDatasetVersionRequestBody | None) -> Answer:
    if body is None:
        raise Refusal(400, "The request has no body")
    try:
        files, descriptions = _files(caller, body)
        changed = replace(
            dataset,
            subtitle=body.subtitle or dataset.subtitle,
            description=body.description or dataset.description,
            keywords=tuple(body.category_ids) or dataset.keywords,
            descriptions={**dataset.descriptions, **descriptions},
        )
        added = NewDatasetVersion(files, body.version_notes, body.delete_old_versions)
        datasets.add_version(caller.store.root, caller.store.settings, changed, added)
    except BadDataset as error:
        return _error(str(error))
    return _made(caller, dataset.reference)


def _files(caller: Caller, request: Any) -> tuple[Sequence[NewFile], Mapping[str, str]]:
    """The uploaded files that a request names, with their folders, and their descriptions. Raises BadDataset."""
    found = list(_below(caller, request, PurePosixPath()))
    files = [file for file, _ in found]
    if not files:
        raise BadDataset("a data set needs a file at least")
    if len({each.upload.token for each in files}) < len(files):
        raise BadDataset("a file is named twice")
    return files, {str(file.folder / file.upload.file_name): text for file, text in found if text}


def _below(caller: Caller, parent: Any, folder: PurePosixPath) -> Iterator[tuple[NewFile, str]]:
    for file in parent.files:
        upload = uploads.upload_of(caller.store.root, file.token)
        if upload is None or (upload.user, upload.purpose) != (caller.user, uploads.DATASET):
            raise BadDataset("there is no such upload: it has expired, was used already, or was never started")
        yield NewFile(upload, folder), file.description
    if len(folder.parts) >= _DEPTH:
        raise BadDataset(f"there are more than {_DEPTH} folders in each other")
    for directory in parent.directories:
        if problem := file_name_problem(directory.name):
            raise BadDataset(f"a folder can't be called {directory.name!r}: {problem}")
        yield from _below(caller, directory, folder / directory.name)


def update_dataset_metadata(caller: Caller, request: ApiUpdateDatasetMetadataRequest) -> Answer:
    """Change what describes a data set of the caller; its versions stay. What is wrong is in the answer."""
    found = access.own_dataset(caller, request.owner_slug, request.dataset_slug)
    settings = request.settings
    if settings is None:
        raise Refusal(400, "The request has no settings")
    title = settings.title or found.title
    if problem := rules.dataset_title_problem(title):
        return new(ApiUpdateDatasetMetadataResponse, errors=[problem])
    changed = replace(
        found,
        title=title,
        subtitle=settings.subtitle,
        description=settings.description,
        is_private=settings.is_private,
        keywords=tuple(settings.keywords or ()),
        license=next((each.name for each in settings.licenses or () if each.name), found.license),
        descriptions={each.name: each.description for each in settings.data or () if each.description},
    )
    datasets.change(caller.store.root, changed)
    return new(ApiUpdateDatasetMetadataResponse)


def delete_dataset(caller: Caller, request: ApiDeleteDatasetRequest) -> Answer:
    """Delete a data set of the caller with all its versions."""
    datasets.delete(caller.store.root, access.own_dataset(caller, request.owner_slug, request.dataset_slug).reference)
    return new(ApiDeleteDatasetResponse)


def _made(caller: Caller, reference: Reference) -> Answer:
    url = access.dataset_url(caller, reference)
    return new(ApiCreateDatasetResponse, ref=f"/{reference}", url=url, status="ok")


def _error(message: str) -> Answer:
    return new(ApiCreateDatasetResponse, status="error", error=message)
