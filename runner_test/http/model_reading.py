"""ModelApiService, the methods that show models and their files; models are registered, they can't be made here."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kagglesdk.datasets.types.dataset_enums import DatabundleVersionStatus
from kagglesdk.models.types.model_api_service import (
    ApiDownloadModelInstanceVersionRequest,
    ApiGetModelInstanceRequest,
    ApiGetModelRequest,
    ApiListModelInstancesRequest,
    ApiListModelInstancesResponse,
    ApiListModelInstanceVersionFilesRequest,
    ApiListModelInstanceVersionFilesResponse,
    ApiListModelInstanceVersionsRequest,
    ApiListModelInstanceVersionsResponse,
    ApiListModelsRequest,
    ApiListModelsResponse,
    ApiModel,
    ApiModelFile,
    ApiModelInstance,
)
from kagglesdk.models.types.model_enums import ModelFramework
from kagglesdk.models.types.model_types import ModelInstance, ModelInstanceVersion, ModelInstanceVersionList

from runner_test.errors import BadName
from runner_test.http import access
from runner_test.http.rpc import Answer, Caller, Redirect, Refusal, date, new
from runner_test.state import ModelSource, models, tree
from runner_test.store import Store

MAX_PAGE = 200


def _framework(member: ModelFramework) -> str:
    return re.sub("[^a-z0-9]", "", member.name.removeprefix("MODEL_FRAMEWORK_").lower())


FRAMEWORKS = {_framework(member): member for member in ModelFramework}


def get_model(caller: Caller, request: ApiGetModelRequest) -> Answer:
    """A model with its variations."""
    return _model(caller, _of_model(caller, request.owner_slug, request.model_slug))


def list_models(caller: Caller, request: ApiListModelsRequest) -> Answer:
    """One page of the models, by name."""
    wanted, owner = request.search.lower(), request.owner.lower()
    names = dict.fromkeys((each.owner, each.model) for each in models.models(caller.store.root))
    found = [(own, name) for own, name in names if wanted in f"{own}/{name}" and owner in ("", own)]
    page, token = _page(found, request)
    described = [_model(caller, _of_model(caller, *each)) for each in page]
    return new(ApiListModelsResponse, models=described, next_page_token=token, total_results=len(found))


def get_model_instance(caller: Caller, request: ApiGetModelInstanceRequest) -> Answer:
    """A variation of a model, with its newest version."""
    return _instance(caller, _version(caller, request))


def list_model_instances(caller: Caller, request: ApiListModelInstancesRequest) -> Answer:
    """One page of a model's variations, each with its newest version."""
    page, token = _page(_newest(_of_model(caller, request.owner_slug, request.model_slug)), request)
    instances = [
        new(
            ModelInstance,
            id=each.any_version.id,
            owner_slug=each.owner,
            model_slug=each.model,
            slug=each.variation,
            framework=FRAMEWORKS[each.framework],
            version_id=each.id,
            version_number=each.number,
            total_uncompressed_bytes=_size(caller, each),
            status=DatabundleVersionStatus.READY,
        )
        for each in page
    ]
    return new(ApiListModelInstancesResponse, instances=instances, next_page_token=token)


def list_model_instance_versions(caller: Caller, request: ApiListModelInstanceVersionsRequest) -> Answer:
    """One page of a variation's versions, the newest first."""
    found = models.versions(caller.store.root, _version(caller, request))
    page, token = _page(found[::-1], request)
    versions = [
        new(
            ModelInstanceVersion,
            id=each.id,
            framework=FRAMEWORKS[each.framework],
            variation_slug=each.variation,
            version_number=each.number,
            model_title=each.model,
            owner_slug=each.owner,
            model_slug=each.model,
            model_instance_id=each.any_version.id,
        )
        for each in page
    ]
    listed = new(ModelInstanceVersionList, versions=versions)
    return new(ApiListModelInstanceVersionsResponse, version_list=listed, next_page_token=token)


def list_model_instance_version_files(caller: Caller, request: ApiListModelInstanceVersionFilesRequest) -> Answer:
    """One page of a version's files, of the newest without a number."""
    files = tree.readable_files(_folder(caller.store, _version(caller, request, request.version_number)))
    page, token = _page(files, request)
    described = [
        new(ApiModelFile, name=name, size=status.st_size, creation_date=date(status.st_mtime)) for name, status in page
    ]
    return new(ApiListModelInstanceVersionFilesResponse, files=described, next_page_token=token)


def download_model_instance_version(caller: Caller, request: ApiDownloadModelInstanceVersionRequest) -> Answer:
    """A redirect to the address of one file, or of an archive (.tar.gz) of all files if none is named."""
    source = _version(caller, request, request.version_number)
    if not request.path:
        return Redirect(access.signed_url(caller, f"archives/models/{source}", f"{source.model}.tar.gz"))
    if tree.file(_folder(caller.store, source), request.path) is None:
        raise Refusal(404, f"{source} has no file {request.path!r}")
    return Redirect(access.signed_url(caller, f"model-files/{source}", request.path))


def model_file(store: Store, source: str, name: str) -> Path:
    """The path of the file at such an address. Raises Refusal."""
    path = tree.file(_folder(store, _parse(source)), name)
    if path is None:
        raise Refusal(404, f"There is no file {name!r} any more")
    return path


def all_files(store: Store, source: str) -> list[tuple[str, Path]]:
    """All files of a version, as (name, path). Raises Refusal."""
    folder = _folder(store, _parse(source))
    found = ((name, tree.file(folder, name)) for name, _ in tree.readable_files(folder))
    return [(name, path) for name, path in found if path is not None]


def _of_model(caller: Caller, owner: str, model: str) -> list[ModelSource]:
    """The versions of all variations of a model. Raises Refusal."""
    wanted = (owner.lower(), model.lower())
    found = [each for each in models.models(caller.store.root) if (each.owner, each.model) == wanted]
    if not found:
        raise access.denied("models.get")
    return found


def _newest(versions: Sequence[ModelSource]) -> list[ModelSource]:
    """The newest version of each variation."""
    return sorted({each.any_version: each for each in sorted(versions)}.values())


def _version(caller: Caller, request: Any, number: int | None = None) -> ModelSource:
    """The version that a request names, the newest without a number. Raises Refusal."""
    parts = [request.owner_slug, request.model_slug, _framework(request.framework), request.instance_slug]
    source = _parse("/".join([*parts, *([str(number)] if number else [])]))
    found = models.newest(caller.store.root, source)
    if found is None:
        raise access.denied("models.get") if number is None else Refusal(404, f"There is no model {source}")
    return found


def _parse(text: str) -> ModelSource:
    try:
        return ModelSource.parse(text)
    except BadName as error:
        raise Refusal(404, str(error)) from error


def _folder(store: Store, source: ModelSource) -> Path:
    folder = models.folder(store.root, source)
    if folder is None:
        raise Refusal(404, f"There is no model {source} any more")
    return folder


def _page(found: Sequence[Any], request: Any) -> tuple[Sequence[Any], str | None]:
    start = access.offset(request.page_token)
    end = start + access.page_size(request.page_size, MAX_PAGE)
    return found[start:end], access.next_token(end, len(found))


def _model(caller: Caller, versions: Sequence[ModelSource]) -> Any:
    first = versions[0]
    return new(
        ApiModel,
        id=ModelSource(first.owner, first.model, "", "").id,
        ref=f"{first.owner}/{first.model}",
        title=first.model,
        slug=first.model,
        author=first.owner,
        instances=[_instance(caller, each) for each in _newest(versions)],
    )


def _instance(caller: Caller, version: ModelSource) -> Any:
    return new(
        ApiModelInstance,
        id=version.any_version.id,
        slug=version.variation,
        framework=FRAMEWORKS[version.framework],
        version_id=version.id,
        version_number=version.number,
        total_uncompressed_bytes=_size(caller, version),
    )


def _size(caller: Caller, version: ModelSource) -> int:
    return sum(status.st_size for _, status in tree.readable_files(_folder(caller.store, version)))
