"""Sends calls and downloads: addresses, credentials, time-outs, tries. What it raises is `policy.Failed`.

kagglesdk's own HTTP client sets no time-out, takes credentials from wherever it finds some, follows redirects with
them and reads answers of any size. Its service classes need only `call`, which is here.

Over requests, because kagglesdk imports it anyway: httpx would add 0.1 s to each command that talks to a target.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from kagglesdk.common.types.file_download import FileDownload
from kagglesdk.common.types.http_redirect import HttpRedirect
from kagglesdk.kaggle_object import KaggleObject

from coordinator import __version__
from coordinator.clock import Clock
from coordinator.target.addresses import is_loopback, is_safe
from coordinator.target.credentials import Credentials
from coordinator.target.kaggle import parsing, policy
from coordinator.target.kaggle.connections import Adapter
from coordinator.target.kaggle.policy import Failed, Failure, Limits
from coordinator.target.proxies import proxy_setting

PRODUCTION = "https://api.kaggle.com"

_POOL = 64  # connections that are kept: more than any verb has threads, so that none waits and none is discarded
_REDIRECTS = 5
_GOES_ON = 308  # of an upload in pieces: more is expected
_SHOWN_WAIT = 3.0  # seconds; longer waits are shown to the user
_log = logging.getLogger(__name__)

T = TypeVar("T")


class Transport:
    """The connections to one endpoint. Its methods may be called from several threads at once."""

    def __init__(self, endpoint: str, credentials: Credentials, clock: Clock) -> None:
        self._endpoint = endpoint
        # In production the API has its own host; elsewhere its path begins with /api.
        self._base = f"{endpoint}/v1" if endpoint == PRODUCTION else f"{endpoint}/api/v1"
        self._is_local = is_loopback(endpoint)
        self._credentials = credentials
        self._clock = clock
        self._adapter = Adapter(pool_connections=16, pool_maxsize=_POOL)
        # Used only to find proxies and certificates: threads must not share the state of a session (its cookies). A
        # proxy for the internet must not see, or break, requests to this machine.
        self._settings = requests.Session()
        self._settings.trust_env = not self._is_local
        self._ways: dict[str, dict[str, Any]] = {}

    def close(self) -> None:
        self._adapter.close()

    def call(self, service: str, method: str, request: KaggleObject, response_type: Any) -> Any:
        """Sends one call; the service classes of kagglesdk use it. Raises Failed.

        For a live log or a file the result is a response whose body is not read yet. For a method that answers with a
        redirect it is the redirect's address, for `get`: the credentials are not sent there.
        """
        limits = policy.limits(method)
        fields = request.to_dict()

        def once(until: float) -> tuple[Any, int]:
            address = f"{self._base}/{service}/{method}"
            response = self._send("POST", address, until, json=fields, headers=self._headers(limits))
            if response_type is HttpRedirect and response.is_redirect:
                with contextlib.closing(response):
                    return _joined(address, response.headers["Location"]), response.status_code
            self._check(response, until)
            if response_type in (FileDownload, HttpRedirect):
                return response, response.status_code
            with contextlib.closing(response):
                body = parsing.read(response, most=limits.answer, left=self._left(until))
            data = parsing.parse(self._credentials.hidden(body.decode("utf-8", errors="replace")))
            self._check_code(data)
            return parsing.message(response_type, data), response.status_code

        return self._try(f"POST {urlsplit(self._base).path}/{service}/{method}", limits, once)

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> requests.Response:
        """The response with a file at a signed address, which gets no credentials; its body is not read yet.

        The caller handles an HTTP error that a repetition would not change. Raises Failed, also for an address that is
        not https and for a redirect to one.
        """

        def once(until: float) -> tuple[requests.Response, int]:
            address = url
            for _ in range(_REDIRECTS):
                if not is_safe(address, from_here=self._is_local):
                    raise Failed(Failure.UNUSABLE, "the address of a file is not https")
                response = self._send("GET", address, until, headers=dict(headers or {}))
                if not response.is_redirect:
                    if response.status_code < 400 or response.status_code in policy.STATUSES:
                        self._check(response, until)
                    return response, response.status_code
                response.close()
                address = _joined(address, response.headers["Location"])
            raise Failed(Failure.UNUSABLE, f"more than {_REDIRECTS} redirects")

        return self._try(f"GET {_without_signature(url)}", policy.DOWNLOAD, once, host=_host(url))

    def put(self, url: str, file: Path) -> None:
        """Sends a file to a signed address, which gets no credentials. Raises Failed, also if it is not https."""

        def once(until: float) -> tuple[None, int]:
            with file.open("rb") as content:
                response = self._put(url, until, data=content)
            with contextlib.closing(response):
                self._check(response, until)
            return None, response.status_code

        self._try(f"PUT {_without_signature(url)}", policy.UPLOAD, once, host=_host(url))

    def received(self, url: str, size: int) -> int:
        """How many bytes of a file of `size` bytes a signed address has; `size` only if it has all. Raises Failed."""
        return self._put_part(url, b"", f"bytes */{size}", size, policy.RECEIVED)

    def put_piece(self, url: str, piece: bytes, extent: tuple[int, int]) -> int:
        """Sends a piece, from the byte extent[0] on, of a file of extent[1] bytes; returns what `received` does.

        Raises Failed. It is not tried again: the address may have taken a part of it, or all.
        """
        begin, size = extent
        # There is no range of no bytes: an empty file is sent as a whole.
        span = f"bytes {begin}-{begin + len(piece) - 1}/{size}" if piece else ""
        return self._put_part(url, piece, span, size, policy.PIECE)

    def _put_part(self, url: str, piece: bytes, span: str, size: int, limits: Limits) -> int:
        if self._is_local and is_loopback(url):
            # Each server of the local Kaggle has another port: an upload goes on at the one that answers now.
            url = urlsplit(url)._replace(netloc=urlsplit(self._endpoint).netloc).geturl()

        def once(until: float) -> tuple[int, int]:
            response = self._put(url, until, data=piece, headers={"Content-Range": span} if span else {})
            with contextlib.closing(response):
                if response.status_code == _GOES_ON:
                    return parsing.arrived(response, size), response.status_code
                self._check(response, until)
            return size, response.status_code

        return self._try(f"PUT {_without_signature(url)}", limits, once, host=_host(url))

    def _put(self, url: str, until: float, **parts: Any) -> requests.Response:
        if not is_safe(url, from_here=self._is_local):
            raise Failed(Failure.UNUSABLE, "the address for the file is not https")
        return self._send("PUT", url, until, **parts)

    def ask(self, method: str, fields: Mapping[str, Any], *, signed: bool) -> requests.Response:
        """The answer to one try of a call (`service/method`), whatever its status is; its body is not read yet.

        Raises Failed where there is none.
        """
        headers = self._headers(policy.limits("GetKernelSessionLogsStream"))  # nothing compressed
        if not signed:
            headers = {name: value for name, value in headers.items() if name not in self._credentials.headers()}
        until = self._clock.monotonic() + policy.ANY_OTHER.deadline
        return self._send("POST", f"{self._base}/{method}", until, json=dict(fields), headers=headers)

    def ask_put(self, url: str, piece: bytes, span: str) -> requests.Response:
        """The same for a piece of a file at a signed address; `span` is the header Content-Range."""
        until = self._clock.monotonic() + policy.PIECE.deadline
        return self._put(url, until, data=piece, headers={"Content-Range": span})

    def hidden(self, text: str) -> str:
        """The text without the credentials."""
        return self._credentials.hidden(text)

    def _try(self, name: str, limits: Limits, once: Callable[[float], tuple[T, int]], *, host: str = "") -> T:
        """The answer of the first try that succeeds, with as many tries as the policy allows. Raises Failed.

        `once` makes one try until a time of the clock, in seconds, and returns an answer and its HTTP status.
        """
        until = self._clock.monotonic() + limits.deadline
        tries = 0
        while True:
            tries += 1
            started = self._clock.monotonic()
            try:
                answer, status = once(until)
            except Failed as failed:
                failed.kind, failed.host = limits.kind, host
                self._note(name, tries, started, str(failed))
                wait = policy.wait_before_next(failed, tries, self._clock.chance())
                if wait is None or self._clock.monotonic() + wait >= until:
                    raise
                level = logging.WARNING if wait >= _SHOWN_WAIT else logging.DEBUG
                _log.log(level, "%s: %s; trying again in %.1f s", name.rpartition("/")[2], failed, wait)
                self._clock.sleep(wait)
            else:
                self._note(name, tries, started, str(status))
                return answer

    def _send(self, method: str, url: str, until: float, **parts: Any) -> requests.Response:
        """Sends one request and reads the head of its answer, not the body. Raises Failed."""
        left = max(0.1, until - self._clock.monotonic())
        time_out = (min(policy.CONNECT_SECONDS, left), min(policy.READ_SECONDS, left))
        try:
            prepared, way = self._prepared(method, url, parts)
            # By the adapter itself: a session reads the whole body of a redirect, even if it must not follow it.
            return self._adapter.send(prepared, timeout=time_out, **way)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            # Without the cause: the messages of requests show headers and addresses with their secrets.
            raise as_failed(error) from None

    def _prepared(
        self, method: str, url: str, parts: Mapping[str, Any]
    ) -> tuple[requests.PreparedRequest, dict[str, Any]]:
        try:
            prepared = requests.Request(method, url, **parts).prepare()
            return prepared, self._way_to(str(prepared.url))
        except (requests.exceptions.RequestException, ValueError):
            if method != "POST":
                raise  # the address is from an answer, which is not usable then
            raise Failed(Failure.SETTINGS, "the address cannot be used") from None

    def _way_to(self, url: str) -> dict[str, Any]:
        """The proxies and the certificates for an address. The environment is read once for each host."""
        parts = urlsplit(url)
        host = f"{parts.scheme}://{parts.netloc}"
        if host not in self._ways:
            setting = None if self._is_local else proxy_setting(url)
            if setting and setting.problem:
                raise Failed(Failure.SETTINGS, f"{setting.variable}: {setting.problem}")
            self._ways[host] = self._settings.merge_environment_settings(url, {}, True, None, None)
        return self._ways[host]

    def _check(self, response: requests.Response, until: float) -> None:
        """Raises Failed, with the answer's message, unless its status is that of a success."""
        status = response.status_code
        if status < 300:
            return
        if status < 400:
            response.close()
            host = _host(response.headers.get("Location", ""))
            raise Failed(Failure.UNUSABLE, f"it is a redirect to {host}, which must not get the credentials")
        message = parsing.error_message(response, self._left(until))
        response.close()
        raise self._refused(status, message, policy.retry_after(response.headers.get("Retry-After")))

    def _check_code(self, data: Any) -> None:
        """Kaggle can answer with status 200 and an error, whose code is in the body then."""
        code = data.get("code") if isinstance(data, dict) else None
        if isinstance(code, int) and code >= 400:
            message = data.get("message")
            raise self._refused(code, message if isinstance(message, str) else "", None)

    def _refused(self, status: int, message: str, retry_after: float | None) -> Failed:
        failure = policy.STATUSES.get(status, Failure.REFUSED)
        detail = parsing.shown(self._credentials.hidden(message))
        return Failed(failure, detail, status=status, retry_after=retry_after)

    def _headers(self, limits: Limits) -> dict[str, str]:
        # A live log has to arrive as it is written; compression would delay it.
        packing = "identity" if limits.kind is policy.Kind.STREAM else "gzip"
        return {"User-Agent": f"coord/{__version__}", "Accept-Encoding": packing, **self._credentials.headers()}

    def _left(self, until: float) -> Callable[[], float]:
        return lambda: until - self._clock.monotonic()

    def _note(self, name: str, tries: int, started: float, outcome: str) -> None:
        milliseconds = (self._clock.monotonic() - started) * 1000
        _log.debug("%s %s %.0f ms (try %d)", name, outcome, milliseconds, tries)


def as_failed(error: Exception) -> Failed:
    """The failure for an exception of requests. Its text is not used: it has addresses with secrets."""
    if isinstance(error, requests.exceptions.HTTPError) and error.response is not None:
        status = error.response.status_code
        return Failed(policy.STATUSES.get(status, Failure.REFUSED), status=status)
    inner = error.args[0] if error.args else None
    reason = getattr(inner, "reason", inner)
    if isinstance(error, requests.exceptions.SSLError):
        # Another TLS error may happen after something was sent.
        return Failed(Failure.UNTRUSTED if "CERTIFICATE_VERIFY_FAILED" in str(reason) else Failure.RESET)
    if isinstance(error, requests.exceptions.Timeout) or isinstance(reason, urllib3.exceptions.ReadTimeoutError):
        return Failed(Failure.TIMEOUT)
    if isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return Failed(Failure.RESET)
    return Failed(Failure.UNUSABLE, type(error).__name__)


def _host(url: str) -> str:
    try:
        return parsing.shown(urlsplit(url).hostname or "this host")
    except ValueError:
        return "nowhere"


def _without_signature(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "nowhere"
    return parsing.shown(f"{parts.hostname}{parts.path}")


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return ""  # is not safe
