"""The target `kaggle`: each method of `target.Target` as calls of Kaggle's API, with the message types of kagglesdk.

The same class serves the local Kaggle, which has the same API at another address.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

import requests
from kagglesdk.kernels.services.kernels_api_service import KernelsApiClient
from kagglesdk.kernels.types.kernels_api_service import (
    ApiCancelKernelSessionRequest,
    ApiDeleteKernelRequest,
    ApiGetAcceleratorQuotaStatisticsRequest,
    ApiGetKernelRequest,
    ApiGetKernelSessionLogsStreamRequest,
    ApiGetKernelSessionStatusRequest,
    ApiListKernelSessionOutputRequest,
    ApiSaveKernelRequest,
)
from kagglesdk.security.services.oauth_service import OAuthClient
from kagglesdk.security.types.oauth_service import IntrospectTokenRequest, IntrospectTokenResponse

from coordinator.clock import SYSTEM_CLOCK, Clock
from coordinator.errors import CredentialsError, NoAccess, NoAnswer, NotSent, TargetError
from coordinator.kaggle_rules import NEVER_RUN_STATUS, WORKER_STATUS, normal_name
from coordinator.kernel import KernelMetadata
from coordinator.project import STANDARD_TARGETS, TargetName
from coordinator.target.abilities import ABILITIES
from coordinator.target.addresses import is_safe
from coordinator.target.credentials import Credentials
from coordinator.target.datasets import Datasets
from coordinator.target.kaggle import parsing
from coordinator.target.kaggle.competitions import KaggleCompetitions
from coordinator.target.kaggle.downloads import open_download
from coordinator.target.kaggle.extensions import StatusWithSession, source_request
from coordinator.target.kaggle.policy import Failed, Failure, limits
from coordinator.target.kaggle.session import ApiSession
from coordinator.target.kaggle.transport import PRODUCTION, Transport
from coordinator.target.protocol import (
    AcceleratorQuota,
    Download,
    KernelRef,
    LogRecord,
    OutputFile,
    Pushed,
    Quota,
    RunState,
    SessionState,
)
from coordinator.target.wire import Wire

WEBSITE = "https://www.kaggle.com"


class Kaggle:
    """The target `kaggle`, or the same protocol at another address. See `target.Target` for the methods."""

    def __init__(
        self,
        *,
        name: TargetName,
        endpoint: str,
        credentials: Credentials,
        owner: str,
        website: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """`website` replaces the address of the pages that the target names in its answers; empty: it has none.

        Its methods may be called from several threads at once. Raises CredentialsError if the endpoint would get the
        credentials without TLS.
        """
        if not is_safe(endpoint):
            raise CredentialsError(f"{endpoint}: credentials are sent over https only, except to this machine")
        self.name = name
        self.owner = owner
        self.abilities = ABILITIES[STANDARD_TARGETS[name]]
        self._website = website
        self._endpoint = endpoint.rstrip("/")
        self._credentials = credentials
        self._http = Transport(self._endpoint, credentials, clock)
        self._downloads = self._http
        self._kernels = KernelsApiClient(self._http)
        self._session = ApiSession(
            self._http,
            target=name,
            endpoint=self._endpoint,
            website=(WEBSITE if self._endpoint == PRODUCTION else self._endpoint) if website is None else website,
            credentials=credentials,
            owner=owner,
        )
        self.competitions = KaggleCompetitions(self._http, self._session)

    @functools.cached_property
    def datasets(self) -> Datasets:
        # Imported here: it takes time, and few commands need it.
        from coordinator.target.kaggle.datasets import KaggleDatasets

        return KaggleDatasets(self._http, self._session, self.owner)

    @functools.cached_property
    def wire(self) -> Wire:
        """See `wire.wire_of`."""
        from coordinator.target.kaggle.wire import KaggleWire

        return KaggleWire(self._http, self._session)

    def close(self) -> None:
        self._http.close()

    def url(self, owner: str, slug: str) -> str:
        return self._session.page(f"code/{owner}/{slug}")

    def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
        data = metadata.data
        request = ApiSaveKernelRequest()
        if number := data.get("id_no"):
            self._check_number(data["id"], number)
            request.id = number
        request.slug = data["id"]
        request.new_title = data["title"]
        request.text = source
        request.language = data["language"]
        request.kernel_type = data["kernel_type"]
        request.is_private = data["is_private"]
        request.enable_gpu = data.get("enable_gpu", False)
        request.enable_tpu = data.get("enable_tpu", False)
        request.enable_internet = data["enable_internet"]
        request.dataset_data_sources = data.get("dataset_sources", [])
        request.competition_data_sources = data.get("competition_sources", [])
        request.kernel_data_sources = data.get("kernel_sources", [])
        request.model_data_sources = data.get("model_sources", [])
        request.category_ids = data.get("keywords", [])
        # None leaves these unset on the wire.
        request.machine_shape = data.get("machine_shape")
        request.docker_image = data.get("docker_image")
        request.docker_image_pinning_type = data.get("docker_image_pinning_type")
        request.session_timeout_seconds = timeout_seconds
        doing = f"pushing {data['id']}"
        with self._session.explaining(doing, kernel=data["id"]):
            answer = self._kernels.save_kernel(request)
            if answer.error:
                raise Failed(Failure.REFUSED, parsing.shown(answer.error), status=200)
            if answer.version_number < 1:
                raise Failed(Failure.UNUSABLE, "it names no version")
        refused = [
            *(answer.invalid_dataset_sources or []),
            *(answer.invalid_competition_sources or []),
            *(answer.invalid_kernel_sources or []),
            *(answer.invalid_model_sources or []),
        ]
        owner, _, slug = str(data["id"]).partition("/")
        ref = KernelRef(owner, slug, answer.version_number)
        url = (
            self.url(ref.owner, ref.slug) if self._website is not None or not answer.url else parsing.shown(answer.url)
        )
        return Pushed(ref=ref, url=url, refused_sources=tuple(map(parsing.shown, refused)))

    def _check_number(self, address: str, number: int) -> None:
        """Raises TargetError unless that is the kernel's number: Kaggle would save a version of another kernel."""
        request = ApiGetKernelRequest()
        request.user_name, _, request.kernel_slug = address.partition("/")
        remedy = "Correct id_no in your kernel-metadata.json.j2, or leave it out."
        try:
            with self._session.explaining(f"asking for the number of {address}"):
                metadata = self._kernels.get_kernel(request).metadata
        except NoAccess:
            self._session.check_access()
            raise TargetError(
                f"id_no {number} is another kernel's: {address} does not exist yet", hint=remedy
            ) from None
        except NoAnswer as error:  # nothing has been sent yet
            raise NotSent(error.what, hint=error.hint) from error
        if metadata is None or metadata.id != number:
            known = f": its number is {metadata.id}" if metadata else ""
            raise TargetError(f"id_no {number} is another kernel's than {address}{known}", hint=remedy)

    def source(self, owner: str, slug: str, version: int | None = None) -> tuple[int, str] | None:
        request = ApiGetKernelRequest()
        request.user_name, request.kernel_slug = owner, slug
        if version is not None:
            request.version_label = f"v{version}"
        try:
            with self._session.explaining(f"reading {owner}/{slug}"):
                answer = self._kernels.get_kernel(request)
        except NoAccess:
            self._session.check_access()
            return None
        # If this counted as a kernel without versions, a push that did arrive would be recorded as one that did not.
        if answer.metadata is None or answer.blob is None or answer.metadata.current_version_number < 1:
            raise NoAnswer(f"reading {owner}/{slug}: {self.name} answered without the kernel")
        return answer.metadata.current_version_number, answer.blob.source

    def state(self, ref: KernelRef) -> SessionState:
        request = ApiGetKernelSessionStatusRequest()
        request.user_name, request.kernel_slug, request.version_label = ref.owner, ref.slug, ref.label
        with self._session.explaining(f"asking for the state of {ref}", kernel=ref.address):
            answer = self._kernels.get_kernel_session_status(request)
        known = WORKER_STATUS.get(answer.status.name)
        if known is None:
            raise TargetError(f"{self.name} reports {ref} as {answer.status.name}, which coord does not know")
        is_only_saved = answer.status.name == NEVER_RUN_STATUS
        return SessionState(RunState(known), parsing.shown(answer.failure_message), is_only_saved)

    def log(self, ref: KernelRef) -> list[LogRecord]:
        page = next(self._output_pages(ref, f"the log of {ref}"))
        with self._session.explaining(f"reading the log of {ref}"):
            return parsing.records(parsing.parse(page.log or "[]"))

    def follow(self, ref: KernelRef, *, idle_seconds: float) -> Iterator[LogRecord]:
        request = ApiGetKernelSessionLogsStreamRequest()
        request.user_name, request.kernel_slug, request.version_label = ref.owner, ref.slug, ref.label
        most = limits("GetKernelSessionLogsStream").answer
        with self._session.explaining(f"reading the live log of {ref}", kernel=ref.address):
            response = self._kernels.get_kernel_session_logs_stream(request)
        with contextlib.closing(response), self._session.explaining(f"reading the live log of {ref}"):
            if response.headers.get("Content-Type", "").lower().startswith("text/event-stream"):
                yield from parsing.events(response, most=most, idle_seconds=idle_seconds)
            else:  # the session has ended: this is its stored log
                body = parsing.read(response, most=most, left=lambda: math.inf)
                yield from parsing.records(parsing.parse(body))

    def outputs(self, ref: KernelRef) -> Iterator[OutputFile]:
        for page in self._output_pages(ref, f"the list of {ref}'s output"):
            yield from (OutputFile(name=file.file_name, url=file.url) for file in page.files or [])

    def open_output(self, file: OutputFile, *, offset: int = 0) -> Download:
        def ask(headers: Mapping[str, str]) -> requests.Response:
            return self._downloads.get(file.url, headers=headers)

        return open_download(self._session, f"downloading {file.name}", ask, offset)

    def kernels(self) -> Iterator[str]:
        for page in self._session.kernels():
            yield from (normal_name(kernel.ref.rpartition("/")[2]) for kernel in page.kernels or [])

    def _output_pages(self, ref: KernelRef, what: str) -> Iterator[Any]:
        return self._session.pages(
            what,
            ApiListKernelSessionOutputRequest,
            self._kernels.list_kernel_session_output,
            user_name=ref.owner,
            kernel_slug=ref.slug,
            version_label=ref.label,
            page_size=100,
        )

    # Sessions, the quota and attached sources

    def cancel(self, ref: KernelRef) -> bool:
        request = ApiGetKernelSessionStatusRequest()
        request.user_name, request.kernel_slug, request.version_label = ref.owner, ref.slug, ref.label
        with self._session.explaining(f"asking for the session of {ref}", kernel=ref.address):
            answer = self._http.call("kernels.KernelsApiService", "GetKernelSessionStatus", request, StatusWithSession)
        if not answer.kernel_session_id:
            return False
        order = ApiCancelKernelSessionRequest()
        order.kernel_session_id = answer.kernel_session_id
        with self._session.explaining(f"cancelling {ref}"):
            refused = self._kernels.cancel_kernel_session(order).error_message
        if refused:
            raise TargetError(f"cancelling {ref}: {self.name} refused: {parsing.shown(refused)}")
        return True

    def delete(self, owner: str, slug: str) -> None:
        request = ApiDeleteKernelRequest()
        request.user_name, request.kernel_slug = owner, slug
        with self._session.explaining(f"deleting {owner}/{slug}", kernel=f"{owner}/{slug}"):
            refused = self._kernels.delete_kernel(request).error_message
        if refused:
            raise TargetError(f"deleting {owner}/{slug}: {self.name} refused: {parsing.shown(refused)}")

    def quota(self) -> Quota:
        with self._session.explaining("asking for the quota"):
            answer = self._kernels.get_accelerator_quota_statistics(ApiGetAcceleratorQuotaStatisticsRequest())
            refreshes_at = answer.quota_refresh_time
            return Quota(
                accelerators=tuple(
                    AcceleratorQuota(
                        kind=kind,
                        used=each.time_used.total_seconds(),
                        reserved=each.time_reserved.total_seconds(),
                        total=each.total_time_allowed.total_seconds(),
                    )
                    for kind, each in (("gpu", answer.gpu_quota), ("tpu", answer.tpu_quota))
                    if each is not None
                ),
                refreshes_at=refreshes_at.replace(tzinfo=UTC) if refreshes_at else None,
            )

    def user(self) -> str | None:
        if not self._credentials.token:
            self._session.check_access()
            return self._credentials.username
        request = IntrospectTokenRequest()
        request.token = self._credentials.token
        try:
            with self._session.explaining("asking whose the token is"):
                answer = OAuthClient(self._http).introspect_token(request)
        except NoAccess:
            answer = IntrospectTokenResponse()
        if not answer.active:
            raise CredentialsError(
                f"{self.name} reports that the token from {self._credentials.source} is not, or no longer, valid",
                hint="Make a new token at https://www.kaggle.com/settings.",
            )
        return parsing.shown(answer.username) or None

    def has_source(self, kind: str, name: str) -> bool:
        request, ask = source_request(self._http, kind, name)
        try:
            with self._session.explaining(f"asking for {name}"):
                ask(request)
        except NoAccess:
            return False
        return True
