"""The only module that talks to Kaggle: kagglesdk's calls, time-outs, retries, and what each failure means.

kagglesdk sets no time-out and takes credentials from wherever it finds some, so its HTTP client is told both here. The
same class serves the local Kaggle: it speaks the same protocol at another address.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from kagglesdk.kaggle_creds import KaggleCredentials
from kagglesdk.kaggle_env import KaggleEnv
from kagglesdk.kaggle_http_client import KaggleHttpClient
from kagglesdk.kernels.services.kernels_api_service import KernelsApiClient
from kagglesdk.kernels.types.kernels_api_service import (
    ApiGetKernelRequest,
    ApiGetKernelSessionLogsStreamRequest,
    ApiGetKernelSessionStatusRequest,
    ApiListKernelSessionOutputRequest,
    ApiListKernelsRequest,
    ApiSaveKernelRequest,
)
from kagglesdk.kernels.types.kernels_enums import KernelsListViewType
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError
from urllib3.util import Retry

from coordinator import __version__
from coordinator.credentials import Credentials
from coordinator.errors import CredentialsError, Later, NoAccess, NoAnswer, NoSlot, NotSent, TargetError
from coordinator.kaggle_rules import LOG_STREAM_END, WORKER_STATUS
from coordinator.metadata import KernelMetadata
from coordinator.target import KernelRef, LogRecord, OutputFile, Pushed, RunState, SessionState

PRODUCTION = "https://api.kaggle.com"
WEBSITE = "https://www.kaggle.com"

_SERVICE = "kernels.KernelsApiService"
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 60.0
_PAGES_AT_MOST = 10_000

# Reads are repeated; whatever changes something is not, because its first try may have taken effect.
_READS = Retry(
    total=4,
    backoff_factor=0.5,
    backoff_jitter=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,  # every call of this API is a POST, reads too
    respect_retry_after_header=True,
    raise_on_status=False,
)
_ONCE = Retry(total=0, read=False, raise_on_status=False)
_WRITES = ("SaveKernel", "DeleteKernel", "CancelKernelSession", "CreateKernelSession")


class _TimedAdapter(HTTPAdapter):
    """An adapter that knows how long to wait."""

    def __init__(self, retries: Retry, read_seconds: float) -> None:
        super().__init__(max_retries=retries)
        self.time_out = (_CONNECT_SECONDS, read_seconds)

    def send(self, request: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # all by name
        kwargs["timeout"] = kwargs.get("timeout") or self.time_out
        return super().send(request, **kwargs)


class _Http(KaggleHttpClient):  # type: ignore[misc]  # kagglesdk is not typed
    """kagglesdk's HTTP client with an address, credentials and time-outs that are ours to say."""

    def __init__(self, endpoint: str, credentials: Credentials, *, read_seconds: float = _READ_SECONDS) -> None:
        env = KaggleEnv.PROD if endpoint == PRODUCTION else KaggleEnv.LOCAL
        super().__init__(env=env, user_agent=f"coord/{__version__}")
        self._endpoint = endpoint
        self._credentials = credentials
        self._read_seconds = read_seconds

    def _init_session(self) -> None:
        if self._session is not None:
            return
        super()._init_session()
        session: Any = self._session  # made by the call above
        # A proxy that is set for the internet must not see, or break, what stays on this machine.
        session.trust_env = not _is_loopback(self._endpoint)
        prefix = self._get_request_url(_SERVICE, "")
        session.mount(self._endpoint, _TimedAdapter(_READS, self._read_seconds))
        for method in _WRITES:
            session.mount(prefix + method, _TimedAdapter(_ONCE, self._read_seconds))

    def _try_fill_auth(self) -> None:
        if self._credentials.token:
            self._session.auth = KaggleHttpClient.BearerAuth(self._credentials.token)
        else:
            self._session.auth = (self._credentials.username, self._credentials.key)


class Kaggle:
    """The target `kaggle`, or the same protocol at another address. See `target.Target` for the methods."""

    def __init__(
        self, *, name: str, endpoint: str, credentials: Credentials, owner: str, website: str | None = None
    ) -> None:
        """`website` overrides the address of the pages that the target names in its answers."""
        self.name = name
        self.owner = owner
        self._website = website
        self._endpoint = endpoint.rstrip("/")
        self._credentials = credentials
        self._http = _Http(self._endpoint, credentials)
        self._kernels = KernelsApiClient(self._http)
        self._downloads = requests.Session()
        self._downloads.trust_env = not _is_loopback(self._endpoint)
        for scheme in ("http://", "https://"):
            self._downloads.mount(scheme, _TimedAdapter(_READS, _READ_SECONDS))

    def close(self) -> None:
        self._http.__exit__(None, None, None)
        self._downloads.close()

    def url(self, owner: str, slug: str) -> str:
        website = self._website or (WEBSITE if self._endpoint == PRODUCTION else self._endpoint)
        return f"{website}/code/{owner}/{slug}"

    def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
        data = metadata.data
        request = ApiSaveKernelRequest()
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
        with self._answering(f"pushing {data['id']}"):
            answer = self._kernels.save_kernel(request)
        if answer.error:
            raise _refusal(f"{self.name} refused {data['id']}", str(answer.error))
        if not answer.version_number:
            raise NoAnswer(f"{self.name} answered the push of {data['id']} without a version: {answer.to_json()}")
        refused = [
            *(answer.invalid_dataset_sources or []),
            *(answer.invalid_competition_sources or []),
            *(answer.invalid_kernel_sources or []),
            *(answer.invalid_model_sources or []),
        ]
        owner, _, slug = str(data["id"]).partition("/")
        ref = KernelRef(owner, slug, int(answer.version_number))
        url = self.url(ref.owner, ref.slug) if self._website or not answer.url else str(answer.url)
        return Pushed(ref=ref, url=url, refused_sources=tuple(refused))

    def source(self, owner: str, slug: str, version: int | None = None) -> tuple[int, str] | None:
        request = ApiGetKernelRequest()
        request.user_name, request.kernel_slug = owner, slug
        if version is not None:
            request.version_label = f"v{version}"
        try:
            with self._answering(f"reading {owner}/{slug}"):
                answer = self._kernels.get_kernel(request)
        except NoAccess:
            self._check_access()
            return None
        return int(answer.metadata.current_version_number), str(answer.blob.source)

    def _check_access(self) -> None:
        """Raises NoAccess if it is the credentials that are refused; Kaggle says 403 for a missing kernel, too."""
        request = ApiListKernelsRequest()
        request.group = KernelsListViewType.PROFILE
        request.page_size = 1
        with self._answering("listing your kernels"):
            self._kernels.list_kernels(request)

    def state(self, ref: KernelRef) -> SessionState:
        request = ApiGetKernelSessionStatusRequest()
        request.user_name, request.kernel_slug, request.version_label = ref.owner, ref.slug, ref.label
        with self._answering(f"asking for the state of {ref}"):
            answer = self._kernels.get_kernel_session_status(request)
        known = WORKER_STATUS.get(answer.status.name)
        if known is None:
            raise TargetError(f"{self.name} reports {ref} as {answer.status.name}, which coord does not know")
        return SessionState(RunState(known), str(answer.failure_message or ""))

    def log(self, ref: KernelRef) -> list[LogRecord]:
        with self._answering(f"reading the log of {ref}"):
            text = self._outputs_page(ref, "").log or "[]"
            return [_record(item) for item in json.loads(text)]

    def follow(self, ref: KernelRef, *, idle_seconds: float) -> Iterator[LogRecord]:
        request = ApiGetKernelSessionLogsStreamRequest()
        request.user_name, request.kernel_slug, request.version_label = ref.owner, ref.slug, ref.label
        http = _Http(self._endpoint, self._credentials, read_seconds=idle_seconds)
        try:
            with self._answering(f"reading the live log of {ref}"):
                response = KernelsApiClient(http).get_kernel_session_logs_stream(request)
            if not response.headers.get("Content-Type", "").lower().startswith("text/event-stream"):
                with self._answering(f"reading the log of {ref}"):
                    yield from map(_record, response.json())
                return
            yield from _events(response)
        finally:
            http.__exit__(None, None, None)

    def outputs(self, ref: KernelRef) -> Iterator[OutputFile]:
        token, seen = "", set[str]()
        for _ in range(_PAGES_AT_MOST):
            with self._answering(f"listing the output of {ref}"):
                page = self._outputs_page(ref, token)
            yield from (OutputFile(name=file.file_name, url=file.url) for file in page.files or [])
            token = page.next_page_token or ""
            if not token:
                return
            if token in seen:
                break
            seen.add(token)
        raise TargetError(f"the list of {ref}'s output never ends: {self.name} repeats its page tokens")

    def download(self, file: OutputFile, destination: Path, progress: Callable[[int], None]) -> int:
        size = 0
        with self._answering(f"downloading {file.name}"):
            with self._downloads.get(file.url, stream=True) as response:
                response.raise_for_status()
                with destination.open("wb") as out:
                    for chunk in response.iter_content(1 << 20):
                        out.write(chunk)
                        size += len(chunk)
                        progress(len(chunk))
                expected = response.headers.get("Content-Length")
                encoded = response.headers.get("Content-Encoding")
            if expected is not None and not encoded and int(expected) != size:
                raise NoAnswer(f"downloading {file.name}: got {size:,} of {int(expected):,} bytes")
        return size

    def _outputs_page(self, ref: KernelRef, token: str) -> Any:
        request = ApiListKernelSessionOutputRequest()
        request.user_name, request.kernel_slug, request.version_label = ref.owner, ref.slug, ref.label
        request.page_size = 100
        if token:
            request.page_token = token
        return self._kernels.list_kernel_session_output(request)

    @contextlib.contextmanager
    def _answering(self, doing: str) -> Iterator[None]:
        """Turns what requests and kagglesdk raise into what it means."""
        try:
            yield
        except requests.exceptions.HTTPError as error:
            raise self._http_error(doing, error) from error
        except requests.exceptions.JSONDecodeError as error:
            raise NoAnswer(
                f"{doing}: {self.name} answered with something that is not JSON (throttled, or down for maintenance)",
                hint="Wait a few minutes and try again.",
            ) from error
        except requests.exceptions.Timeout as error:
            raise NoAnswer(f"{doing}: no answer from {self._endpoint} in time") from error
        except requests.exceptions.RequestException as error:
            kind = NotSent if _is_unsent(error) else NoAnswer
            raise kind(f"{doing}: no connection to {self._endpoint} ({_root_cause(error)})") from error
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise NoAnswer(f"{doing}: {self.name}'s answer does not read as expected ({error})") from error

    def _http_error(self, doing: str, error: requests.exceptions.HTTPError) -> TargetError | CredentialsError:
        status = error.response.status_code if error.response is not None else 0
        message = _message(error)
        if status == 401:
            return CredentialsError(
                f"{doing}: {self.name} did not accept the credentials from {self._credentials.source}",
                hint="Make a new token at https://www.kaggle.com/settings.",
            )
        if status in (403, 404):
            return NoAccess(
                f"{doing}: {self.name} says {status}{message}",
                hint="The kernel does not exist, is somebody else's and private, or your token has expired.",
            )
        if status == 409:
            return Later(f"{doing}: {self.name} is still processing a data set{message}", hint="Try again in a minute.")
        if status == 429:
            return Later(f"{doing}: {self.name} asks to slow down{message}", hint="Try again in a few minutes.")
        if status >= 500:
            return NoAnswer(f"{doing}: {self.name} failed with HTTP {status}{message}")
        return _refusal(f"{doing}: {self.name} refused with HTTP {status}", message.removeprefix(": "))

    def kernels(self) -> Iterator[str]:
        request = ApiListKernelsRequest()
        request.group = KernelsListViewType.PROFILE
        request.page_size = 100
        seen = {""}
        for _ in range(_PAGES_AT_MOST):
            with self._answering("listing your kernels"):
                page = self._kernels.list_kernels(request)
                slugs = [str(kernel.ref).rpartition("/")[2] for kernel in page.kernels or []]
            yield from slugs
            token = page.next_page_token or ""
            if not token:
                return
            if token in seen:
                break
            seen.add(token)
            request.page_token = token
        raise TargetError(f"the list of your kernels never ends: {self.name} repeats its page tokens")


def oauth_token(file: Path) -> str:
    """A valid access token of the browser sign-in saved in `file`, renewed by Kaggle if it has to be."""
    from kagglesdk.kaggle_client import KaggleClient

    try:
        with KaggleClient(env=KaggleEnv.PROD) as client:
            token = KaggleCredentials.load(client=client, file_path=str(file)).get_access_token()
    except (requests.exceptions.RequestException, AttributeError) as error:
        raise CredentialsError(f"the sign-in in {file} could not be renewed", hint="Run: kaggle auth login") from error
    return str(token)


def _refusal(what: str, message: str) -> TargetError:
    lowered = message.lower()
    if "session count" in lowered:
        return NoSlot(f"{what}: {message}", hint="Push again when a session has ended, or with --wait-for-slot.")
    if "quota" in lowered:
        return Later(f"{what}: {message}", hint="The weekly quota is spent; it is renewed once a week.")
    return TargetError(f"{what}: {message}" if message else what)


def _message(error: requests.exceptions.HTTPError) -> str:
    try:
        message = error.response.json().get("message", "") if error.response is not None else ""
    except (ValueError, AttributeError):
        message = ""
    return f": {message}" if message else ""


def _is_unsent(error: BaseException) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)


def _root_cause(error: BaseException) -> str:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return str(reason or error).rpartition(": ")[2] or type(error).__name__


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def _record(item: Any) -> LogRecord:
    return LogRecord(
        stream=str(item.get("stream_name") or "stdout"),
        time=float(item.get("time") or 0.0),
        data=str(item.get("data") or ""),
    )


def _events(response: requests.Response) -> Iterator[LogRecord]:
    """The records of a live log; silence for the time-out, or a cut connection, ends it like its end mark."""
    try:
        for line in response.iter_lines():
            if not line.startswith(b"data:"):
                continue
            payload = line.removeprefix(b"data:").strip().decode("utf-8", errors="replace")
            if payload == LOG_STREAM_END:
                return
            try:
                yield _record(json.loads(payload))
            except (ValueError, AttributeError):
                yield LogRecord(stream="stdout", time=0.0, data=payload + "\n")
    except requests.exceptions.RequestException:
        # The caller asks for the state and reconnects; the log is replayed from its start then.
        return
