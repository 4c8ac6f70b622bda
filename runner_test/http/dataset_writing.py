"""DatasetApiService, the methods that make data sets and versions of them."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from kagglesdk.datasets.types.dataset_api_service import (
    ApiCreateDatasetRequest,
    ApiCreateDatasetResponse,
    ApiCreateDatasetVersionByIdRequest,
    ApiCreateDatasetVersionRequest,
    ApiCreateDatasetVersionRequestBody,
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
    """Make a data set of uploaded files; it is private unless the request says otherwise."""
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
        is_private=request.is_private or "is_private" not in request,
        created=time.time(),
        license=request.license_name or "unknown",
        subtitle=request.subtitle,
        description=request.description,
        keywords=tuple(request.category_ids),
    )
    try:
        first = NewDatasetVersion(_files(caller, request), "Initial release")
        datasets.create(root, caller.store.settings, made, first)
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
    changed = replace(
        dataset,
        subtitle=body.subtitle or dataset.subtitle,
        description=body.description or dataset.description,
        keywords=tuple(body.category_ids) or dataset.keywords,
    )
    try:
        added = NewDatasetVersion(_files(caller, body), body.version_notes, body.delete_old_versions)
        datasets.add_version(caller.store.root, caller.store.settings, changed, added)
    except BadDataset as error:
        return _error(str(error))
    return _made(caller, dataset.reference)


def _files(caller: Caller, request: Any) -> Sequence[NewFile]:
    """The uploaded files that a request names, with their folders. Raises BadDataset."""
    found = list(_below(caller, request, PurePosixPath()))
    if not found:
        raise BadDataset("a data set needs a file at least")
    if len({each.upload.token for each in found}) < len(found):
        raise BadDataset("a file is named twice")
    return found


def _below(caller: Caller, parent: Any, folder: PurePosixPath) -> Iterator[NewFile]:
    for file in parent.files:
        upload = uploads.upload_of(caller.store.root, file.token)
        if upload is None or (upload.user, upload.purpose) != (caller.user, uploads.DATASET):
            raise BadDataset("there is no such upload: it has expired, was used already, or was never started")
        yield NewFile(upload, folder)
    if len(folder.parts) >= _DEPTH:
        raise BadDataset(f"there are more than {_DEPTH} folders in each other")
    for directory in parent.directories:
        if problem := file_name_problem(directory.name):
            raise BadDataset(f"a folder can't be called {directory.name!r}: {problem}")
        yield from _below(caller, directory, folder / directory.name)


def _made(caller: Caller, reference: Reference) -> Answer:
    url = access.dataset_url(caller, reference)
    return new(ApiCreateDatasetResponse, ref=f"/{reference}", url=url, status="ok")


def _error(message: str) -> Answer:
    return new(ApiCreateDatasetResponse, status="error", error=message)
