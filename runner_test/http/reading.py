"""The methods that only read: kernels, sessions, logs, outputs."""

from datetime import UTC, datetime
from pathlib import Path

from kagglesdk.kernels.types.kernels_api_service import (
    ApiDownloadKernelOutputRequest,
    ApiDownloadKernelOutputZipRequest,
    ApiGetKernelRequest,
    ApiGetKernelResponse,
    ApiGetKernelSessionLogsStreamRequest,
    ApiGetKernelSessionStatusRequest,
    ApiGetKernelSessionStatusResponse,
    ApiKernelBlob,
    ApiKernelMetadata,
    ApiKernelSessionOutputFile,
    ApiListKernelFilesItem,
    ApiListKernelFilesRequest,
    ApiListKernelFilesResponse,
    ApiListKernelSessionOutputRequest,
    ApiListKernelSessionOutputResponse,
)
from kagglesdk.kernels.types.kernels_enums import KernelWorkerStatus

from runner_test.http import access
from runner_test.http.rpc import Answer, Caller, LogOf, Redirect, Refusal, date, new
from runner_test.sessions import log
from runner_test.state import Kernel, Reference, Version, rules
from runner_test.store import Store

MAX_FILES_PAGE = 200
LOG_WAIT, MAX_LOG_WAIT = 60, 300  # seconds to wait for a session's start before a request for its log is refused


def get_kernel(caller: Caller, request: ApiGetKernelRequest) -> Answer:
    """The metadata and the source of a version."""
    kernel = access.kernel(caller, request.user_name, request.kernel_slug)
    version = access.version(caller, kernel, request.version_label)
    blob = new(
        ApiKernelBlob,
        source=caller.store.paths(version).source.read_bytes().decode("utf-8"),
        language="python",
        kernel_type=version.kernel_type,
        slug=kernel.slug,
    )
    return new(ApiGetKernelResponse, metadata=metadata(caller, kernel, version), blob=blob)


def metadata(caller: Caller, kernel: Kernel, version: Version) -> ApiKernelMetadata:
    """What is known of a kernel and one of its versions."""
    ran = caller.store.last_run(kernel.reference)
    return new(
        ApiKernelMetadata,
        id=kernel.id,
        ref=str(kernel.reference),
        title=kernel.title,
        author=kernel.owner,
        slug=kernel.slug,
        last_run_time=date(ran.created) if ran else None,
        language="python",
        kernel_type=version.kernel_type,
        is_private=kernel.is_private,
        enable_gpu=rules.is_gpu(version.machine_shape),
        enable_tpu=rules.is_tpu(version.machine_shape),
        enable_internet=version.enable_internet,
        category_ids=list(version.keywords),
        dataset_data_sources=list(version.dataset_sources),
        competition_data_sources=list(version.competition_sources),
        kernel_data_sources=list(version.kernel_sources),
        model_data_sources=list(version.model_sources),
        current_version_number=max(caller.store.numbers(kernel.reference), default=version.number),
        docker_image=version.docker_image,
        machine_shape=version.machine_shape,
    )


def get_kernel_session_status(caller: Caller, request: ApiGetKernelSessionStatusRequest) -> Answer:
    """The state of a version's session, and for its owner the session's id, which Kaggle does not return."""
    kernel = access.kernel(caller, request.user_name, request.kernel_slug)
    version = access.version(caller, kernel, request.version_label)
    progress = caller.store.progress(version)
    status = KernelWorkerStatus[progress.state]
    answer = new(ApiGetKernelSessionStatusResponse, status=status, failure_message=progress.failure).to_dict()
    if kernel.owner == caller.user:
        answer["kernelSessionId"] = access.session_id(kernel, version)
    return answer


def list_kernel_session_output(caller: Caller, request: ApiListKernelSessionOutputRequest) -> Answer:
    """One page of a session's files with their addresses, and its log; both are empty until it ends, as on Kaggle."""
    kernel = access.kernel(caller, request.user_name, request.kernel_slug)
    version = access.version(caller, kernel, request.version_label)
    ended = caller.store.progress(version).state.final
    start = access.offset(request.page_token)
    size = access.page_size(request.page_size, MAX_FILES_PAGE)
    outputs = caller.store.outputs(version)
    files = [
        new(ApiKernelSessionOutputFile, url=output_url(caller, version, output.name), file_name=output.name)
        for output in outputs[start : start + size]
    ]
    return new(
        ApiListKernelSessionOutputResponse,
        files=files,
        log=log.as_array(caller.store.paths(version).log) if ended else None,
        next_page_token=access.next_token(start + size, len(outputs)),
    )


def list_kernel_files(caller: Caller, request: ApiListKernelFilesRequest) -> Answer:
    """One page of a session's files with their sizes."""
    kernel = access.kernel(caller, request.user_name, request.kernel_slug)
    version = access.version(caller, kernel, request.version_label)
    start = access.offset(request.page_token)
    size = access.page_size(request.page_size, MAX_FILES_PAGE)
    outputs = caller.store.outputs(version)
    files = [
        new(
            ApiListKernelFilesItem,
            name=output.name,
            size=output.size,
            creation_date=datetime.fromtimestamp(output.modified, UTC).isoformat(timespec="seconds"),
        )
        for output in outputs[start : start + size]
    ]
    return new(ApiListKernelFilesResponse, files=files, next_page_token=access.next_token(start + size, len(outputs)))


def download_kernel_output(caller: Caller, request: ApiDownloadKernelOutputRequest) -> Answer:
    """A redirect to the address of one file, or of an archive of all files if none is named."""
    kernel = access.kernel(caller, request.owner_slug, request.kernel_slug)
    version = access.version(caller, kernel, f"v{request.version_number}" if request.version_number else "")
    if not request.file_path:
        return _archive(caller, version)
    if all(output.name != request.file_path for output in caller.store.outputs(version)):
        raise Refusal(404, f"{kernel.reference} version {version.number} has no output {request.file_path!r}")
    return Redirect(output_url(caller, version, request.file_path))


def get_kernel_session_logs_stream(caller: Caller, request: ApiGetKernelSessionLogsStreamRequest) -> Answer:
    """A version's log, by its name or by its session's id."""
    if request.kernel_session_id:
        version = access.session(caller, request.kernel_session_id)
    else:
        kernel = access.kernel(caller, request.user_name, request.kernel_slug)
        version = access.version(caller, kernel, request.version_label)
    return LogOf(version, min(request.wait_for_logs_url_seconds or LOG_WAIT, MAX_LOG_WAIT))


def download_kernel_output_zip(caller: Caller, request: ApiDownloadKernelOutputZipRequest) -> Answer:
    """A redirect to an archive of all files of a session."""
    return _archive(caller, access.session(caller, request.kernel_session_id))


def _archive(caller: Caller, version: Version) -> Redirect:
    place = f"archives/kernels/{version.reference}/{version.number}"
    return Redirect(access.signed_url(caller, place, f"{version.slug}.zip"))


def output_url(caller: Caller, version: Version, name: str) -> str:
    """An address of one output file that is valid for a limited time and needs no credentials."""
    return access.signed_url(caller, f"files/{version.reference}/{version.number}", name)


def output_file(store: Store, owner: str, slug: str, number: int, name: str) -> Path:
    """The path of the file at such an address. Raises Refusal."""
    version = store.version(Reference.parse(f"{owner}/{slug}"), number)
    path = store.output(version, name) if version else None
    if path is None:
        raise Refusal(404, f"There is no file {name!r} any more")
    return path


def output_files(store: Store, owner: str, slug: str, number: int) -> list[tuple[str, Path]]:
    """All files of a version's output, as (name, path). Raises Refusal."""
    version = store.version(Reference.parse(f"{owner}/{slug}"), number)
    if version is None:
        raise Refusal(404, f"There is no version {number} of {owner}/{slug} any more")
    found = ((output.name, store.output(version, output.name)) for output in store.outputs(version))
    return [(name, path) for name, path in found if path is not None]
