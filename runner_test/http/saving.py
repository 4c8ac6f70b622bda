"""SaveKernel with its rules, and the methods that cancel a session and delete a kernel."""

from collections.abc import Callable, Sequence

from kagglesdk.common.types.operations import Operation
from kagglesdk.kernels.types.kernels_api_service import (
    ApiCancelKernelSessionRequest,
    ApiCancelKernelSessionResponse,
    ApiCreateKernelSessionRequest,
    ApiDeleteKernelRequest,
    ApiDeleteKernelResponse,
    ApiSaveKernelRequest,
    ApiSaveKernelResponse,
)
from kagglesdk.kernels.types.kernels_enums import KernelExecutionType

from runner_test.errors import BadName, StopFailed, TooManySessions
from runner_test.http import access, quota
from runner_test.http.http_errors import no_room
from runner_test.http.rpc import Answer, Caller, Refusal, new
from runner_test.sessions import notebook
from runner_test.state import (
    DatasetSource,
    Kernel,
    ModelSource,
    NewVersion,
    Reference,
    check_name,
    datasets,
    models,
    rules,
    sources,
)

_INTERACTIVE = "The local Kaggle has no interactive sessions: save a version"


def save_kernel(caller: Caller, request: ApiSaveKernelRequest) -> Answer:
    """Save a version and start its session, unless it is only to be saved (QUICK_SAVE).

    A push that breaks a rule is answered with `error`. What a request leaves out is as the documentation says: the
    title of the existing kernel, private, without an accelerator and without the internet.
    """
    source = request.text.encode("utf-8", "surrogatepass")
    if len(source) > rules.MAX_SOURCE or source != request.text.encode("utf-8", "replace"):
        raise Refusal(400, "Bad Request")  # Kaggle says no more than that
    reference, existing = _target(caller, request)
    title = request.new_title or (existing.title if existing else "")
    shape = rules.given_shape(request.machine_shape, enable_gpu=request.enable_gpu, enable_tpu=request.enable_tpu)
    runs = request.kernel_execution_type is not KernelExecutionType.QUICK_SAVE
    error = (
        ("The kernel has no source." if not source else None)
        or rules.title_problem(title)
        or rules.kind_problem(request.language, request.kernel_type)
        or _type_problem(caller, existing, request)
        or (_INTERACTIVE if request.kernel_execution_type is KernelExecutionType.INTER_ACTIVE else None)
        or (quota.problem(caller, shape) if runs else None)
    )
    if error:
        return new(ApiSaveKernelResponse, error=error)
    if existing is None:
        # A new kernel's slug comes from its title. If another slug was requested, only the answer's `ref` shows it, and
        # every later call with the requested slug gets a 403.
        reference = Reference(reference.owner, check_name(rules.slug_of(title)))
        if caller.store.kernel(reference):
            return new(ApiSaveKernelResponse, error=f"The title {title!r} is already in use by {reference}.")

    attached, bad_datasets = _attach(caller, request.dataset_data_sources)
    competitions, bad_competitions = _split(
        request.competition_data_sources, lambda name: _has_competition(caller, name)
    )
    kernels, bad_kernels = _split(request.kernel_data_sources, lambda name: _has_output(caller, name))
    found_models, bad_models = _find_models(caller, request.model_data_sources)
    pushed = NewVersion(
        title=title,
        source=request.text,
        is_private=request.is_private or "is_private" not in request,
        machine_shape=shape,
        timeout=rules.session_limit(shape, request.session_timeout_seconds),
        enable_internet=request.enable_internet,
        keywords=tuple(request.category_ids),
        dataset_sources=tuple(str(source) for source in attached),
        dataset_versions=tuple(attached.values()),
        competition_sources=competitions,
        kernel_sources=kernels,
        docker_image=request.docker_image,
        kernel_type=request.kernel_type,
        model_sources=found_models,
        runs=runs,
    )
    before = caller.store.newest(reference)
    try:
        version = caller.store.save(reference, pushed)
    except TooManySessions as refused:
        return new(ApiSaveKernelResponse, error=str(refused))
    except OSError as failed:
        if not (told := no_room(failed)):
            raise
        was_made = caller.store.newest(reference) != before
        raise Refusal(500 if was_made else 507, told) from failed
    kernel = caller.store.kernel(reference)
    return new(
        ApiSaveKernelResponse,
        ref=str(reference),
        url=f"{caller.url}/code/{reference}",
        version_number=version.number,
        kernel_id=kernel.id if kernel else None,
        invalid_dataset_sources=bad_datasets,
        invalid_competition_sources=bad_competitions,
        invalid_kernel_sources=bad_kernels,
        invalid_model_sources=bad_models,
    )


def _target(caller: Caller, request: ApiSaveKernelRequest) -> tuple[Reference, Kernel | None]:
    """The kernel that a push names by id or by slug, and its record if it exists. Raises Refusal."""
    if request.id:
        mine = {kernel.id: kernel for kernel in caller.store.kernels() if kernel.owner == caller.user}
        if request.id not in mine:
            raise access.denied("kernels.update")
        return mine[request.id].reference, mine[request.id]
    name = request.slug if "/" in request.slug else f"{caller.user}/{request.slug}"
    try:
        reference = Reference.parse(name)
    except BadName as error:
        raise Refusal(400, str(error)) from error
    if reference.owner != caller.user:
        raise access.denied("kernels.update")
    return reference, caller.store.kernel(reference)


def _type_problem(caller: Caller, existing: Kernel | None, request: ApiSaveKernelRequest) -> str | None:
    """Why a notebook, or a change of a kernel's type, is refused, or None."""
    newest = caller.store.newest(existing.reference) if existing else None
    if newest and newest.kernel_type != request.kernel_type:
        return f"The kernel is a {newest.kernel_type}: its type can't be changed to {request.kernel_type}."
    if request.kernel_type == "notebook":
        return notebook.problem(request.text) or notebook.missing()
    return None


def _split(names: Sequence[str], known: Callable[[str], bool]) -> tuple[tuple[str, ...], list[str]]:
    """The sources that can be mounted, in lower case and once each, and those that are refused."""
    good: list[str] = []
    bad: list[str] = []
    for name in names:
        try:
            is_known = known(name)
        except BadName:
            is_known = False
        if is_known:
            good += [name.lower()] if name.lower() not in good else []
        else:
            bad.append(name)
    return tuple(good), bad


def _attach(caller: Caller, names: Sequence[str]) -> tuple[dict[DatasetSource, int], list[str]]:
    """The data sets that can be mounted, with the numbers of their versions, and the names that are refused.

    Raises Refusal (409) for a data set whose newest version is still processed, unless the settings say that the
    version before is mounted.
    """
    good: dict[DatasetSource, int] = {}
    bad: list[str] = []
    for name in names:
        try:
            source = DatasetSource.parse(name)
        except BadName:
            bad.append(name)
            continue
        number = _version_to_mount(caller, source)
        others = [each for each in good if each.reference == source.reference and good[each] != number]
        if number is None or others:  # two versions would have one mount
            bad.append(name)
        elif all(each.reference != source.reference for each in good):
            good[source] = number
    return good, bad


def _version_to_mount(caller: Caller, source: DatasetSource) -> int | None:
    """The number of the version that a source means now, or None if there is none. Raises Refusal."""
    root = caller.store.root
    dataset = datasets.dataset(root, source.reference)
    if dataset is None or not access.may_read(caller, dataset):
        return None
    there = datasets.versions(root, source.reference)
    wanted = [each for each in there if each.number == source.number] if source.number is not None else there
    if wanted and not wanted[-1].is_ready and caller.store.settings.dataset_early == "refuse":
        raise Refusal(409, f"Version {wanted[-1].number} of dataset {source.reference} is still being processed")
    ready = [each for each in wanted if each.is_ready and each.files_folder is not None]
    return ready[-1].number if ready else None


def _find_models(caller: Caller, names: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """The models that can be mounted, each with its version, and the names that are refused."""
    good: dict[str, None] = {}
    bad: list[str] = []
    for name in names:
        try:
            found = models.newest(caller.store.root, ModelSource.parse(name))
        except BadName:
            found = None
        if found is None:
            bad.append(name)
        else:
            good[str(found)] = None
    return tuple(good), bad


def _has_competition(caller: Caller, name: str) -> bool:
    return sources.competition(caller.store.root, check_name(name)) is not None


def _has_output(caller: Caller, name: str) -> bool:
    reference = Reference.parse(name)
    kernel = caller.store.kernel(reference)
    visible = kernel is not None and access.may_see(caller, kernel)
    return visible and sources.kernel_output(caller.store.root, reference) is not None


def delete_kernel(caller: Caller, request: ApiDeleteKernelRequest) -> Answer:
    """Delete a kernel of the caller, and end its sessions first."""
    kernel = access.kernel(caller, request.user_name, request.kernel_slug)
    if kernel.owner != caller.user:
        raise access.denied("kernels.delete")
    try:
        caller.store.delete(kernel.reference)
    except StopFailed as error:
        return new(ApiDeleteKernelResponse, error_message=str(error))
    return new(ApiDeleteKernelResponse)


def create_kernel_session(caller: Caller, request: ApiCreateKernelSessionRequest) -> Answer:
    """Refuse: on Kaggle it opens a notebook in the editor, which does not exist here."""
    access.kernel(caller, *_split_slug(request.slug))
    error = new(Operation.Status, code=501, message=_INTERACTIVE)
    return new(Operation, name="operations/none", done=True, error=error)


def _split_slug(slug: str) -> tuple[str, str]:
    owner, _, name = slug.partition("/")
    return owner, name


def cancel_kernel_session(caller: Caller, request: ApiCancelKernelSessionRequest) -> Answer:
    """End the session with that id, which the local Kaggle returns with the session's state (Kaggle does not)."""
    try:
        version = access.session(caller, request.kernel_session_id)
    except Refusal as refusal:
        return new(ApiCancelKernelSessionResponse, error_message=refusal.message)
    if not caller.store.progress(version).state.final:
        caller.store.cancel(version)
    return new(ApiCancelKernelSessionResponse)
