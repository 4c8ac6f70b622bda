"""What kagglesdk lacks: a session's number in the answer about its state, and one request for all kinds of sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kagglesdk.kaggle_object import FieldMetadata, PredefinedSerializer
from kagglesdk.kernels.services.kernels_api_service import KernelsApiClient
from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelRequest, ApiGetKernelSessionStatusResponse


class StatusWithSession(ApiGetKernelSessionStatusResponse):  # type: ignore[misc]  # kagglesdk is not typed
    """A state with the number of its session, which the local Kaggle sends and Kaggle does not."""

    kernel_session_id = 0
    _fields = (
        *ApiGetKernelSessionStatusResponse._fields,
        FieldMetadata("kernelSessionId", "kernel_session_id", "kernel_session_id", int, 0, PredefinedSerializer()),
    )


def source_request(http: Any, kind: str, name: str) -> tuple[Any, Callable[[Any], Any]]:
    """The request that finds out whether a source exists, and the function that sends it.

    `kind` is a key of the kernel's metadata, such as `dataset_sources`.
    """
    # Imported here: they take time, and only `coord doctor` needs them.
    from kagglesdk.competitions.services.competition_api_service import CompetitionApiClient
    from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest
    from kagglesdk.datasets.services.dataset_api_service import DatasetApiClient
    from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetRequest
    from kagglesdk.models.services.model_api_service import ModelApiClient
    from kagglesdk.models.types.model_api_service import ApiGetModelInstanceRequest
    from kagglesdk.models.types.model_enums import ModelFramework

    parts = name.split("/")
    request: Any
    if kind == "competition_sources":
        request = ApiGetCompetitionRequest()
        request.competition_name = name
        return request, CompetitionApiClient(http).get_competition
    if kind == "dataset_sources":
        request = ApiGetDatasetRequest()
        request.owner_slug, request.dataset_slug = parts[:2]
        return request, DatasetApiClient(http).get_dataset
    if kind == "kernel_sources":
        request = ApiGetKernelRequest()
        request.user_name, request.kernel_slug = parts[:2]
        return request, KernelsApiClient(http).get_kernel
    request = ApiGetModelInstanceRequest()
    request.owner_slug, request.model_slug, framework, request.instance_slug = parts[:4]
    names = {_plain(each.name.removeprefix("MODEL_FRAMEWORK_")): each for each in ModelFramework}
    request.framework = names.get(_plain(framework), ModelFramework.MODEL_FRAMEWORK_OTHER)
    return request, ModelApiClient(http).get_model_instance


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
