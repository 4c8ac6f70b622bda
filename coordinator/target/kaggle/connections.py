"""Connections with a deadline for the whole head of an answer, which share one set of trusted certificates.

It overrides public methods of requests and urllib3 only. Without it each connection would read the file of certificates
again, which takes 20 ms of CPU time.
"""

from __future__ import annotations

import functools
import os
import re
import socket
import ssl
import threading
from http.client import HTTPException
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection

from coordinator.target.kaggle import policy
from coordinator.target.kaggle.deadline import within
from coordinator.target.kaggle.policy import Failed, Failure
from coordinator.target.proxies import proxy_setting


class _Punctual(HTTPConnection):
    """A connection with deadlines for what precedes a response: connecting (through a proxy, too), and the head."""

    def connect(self) -> None:
        """Raises Failed: nothing of a request is sent before this has ended."""
        try:
            with within(policy.READ_SECONDS, self._hang_up):
                super().connect()
        except (OSError, ValueError, HTTPException, urllib3.exceptions.HTTPError) as error:
            # Without the cause: its text may have the proxy's password.
            raise self._not_connected(error) from None

    def _not_connected(self, error: Exception) -> Failed:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return Failed(Failure.UNTRUSTED)
        words = _words(error)
        if self.proxy is not None:
            setting = proxy_setting(f"https://{self.host}")
            words = f"by the proxy that {setting.variable if setting else 'a setting'} names: {words}"
        return Failed(Failure.CONNECT, words)

    def getresponse(self) -> Any:
        with within(self.timeout or policy.READ_SECONDS, self._hang_up):
            return super().getresponse()

    def _hang_up(self) -> None:
        if self.sock is not None:
            self.sock.shutdown(socket.SHUT_RD)


@functools.cache
def _punctual(kind: type[HTTPConnection]) -> type[HTTPConnection]:
    return type(kind.__name__, (_Punctual, kind), {})


class Adapter(HTTPAdapter):
    """An adapter of requests with such connections."""

    def __init__(self, **named: Any) -> None:
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()
        super().__init__(**named)

    def get_connection_with_tls_context(self, request: Any, *arguments: Any, **named: Any) -> Any:
        """Raises Failed if there can be no connection with the settings as they are."""
        try:
            pool = super().get_connection_with_tls_context(request, *arguments, **named)
        except (ValueError, requests.exceptions.RequestException, urllib3.exceptions.HTTPError):
            setting = proxy_setting(str(request.url))
            words = f"{setting.variable} cannot be used" if setting else "its address cannot be used"
            raise Failed(Failure.SETTINGS, words) from None
        if not issubclass(pool.ConnectionCls, _Punctual):
            pool.ConnectionCls = _punctual(pool.ConnectionCls)
        return pool

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Gives all connections the same SSL context. Raises Failed if it cannot read the certificates."""
        host, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        if verify and host["scheme"] == "https":
            location = DEFAULT_CA_BUNDLE_PATH if verify is True else os.fspath(verify)
            tls = {"cert_reqs": "CERT_REQUIRED", "ssl_context": self._context(location)}
        return host, tls

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Sets the file of certificates only for a proxy, whose own TLS connection does not use the context."""
        if not (verify and url.lower().startswith("https")) or conn.proxy is not None:
            super().cert_verify(conn, url, verify, cert)

    def _context(self, location: str) -> ssl.SSLContext:
        with self._lock:
            if location not in self._contexts:
                is_folder = Path(location).is_dir()
                try:
                    self._contexts[location] = ssl.create_default_context(
                        cafile=None if is_folder else location, capath=location if is_folder else None
                    )
                except OSError as error:
                    raise Failed(Failure.UNCHECKED, _why(location, error)) from error
            return self._contexts[location]


def _words(error: BaseException) -> str:
    """Why there is no connection, in words that have no secret: of the system, of TLS, or of a proxy's answer."""
    refusal = re.search(r"Tunnel connection failed: (\d{3})", str(error))
    if refusal:
        wants = ", it wants a user name and a password" if refusal[1] == "407" else ""
        return f"it refused the connection (HTTP {refusal[1]}{wants})"
    is_refused = isinstance(error, urllib3.exceptions.NewConnectionError)  # which counts as a time-out, too
    if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError) and not is_refused:
        return "it does not answer in time"
    for each in (error, error.__cause__, error.__context__):
        if isinstance(each, socket.gaierror):
            return "the name of the host is not known"
        if isinstance(each, ssl.SSLError):
            return f"TLS failed ({(each.reason or 'no reason').replace('_', ' ').lower()})"
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    return "it was lost"


def _why(location: str, error: OSError) -> str:
    """Why there is no context; the standard library also opens the file for its keys that SSLKEYLOGFILE names."""
    keys = os.environ.get("SSLKEYLOGFILE")
    if keys and error.filename not in (None, location):
        return f"SSLKEYLOGFILE {keys}: {error.strerror or 'it cannot be written'}"
    what = "it has no certificates" if isinstance(error, ssl.SSLError) else error.strerror or "it cannot be read"
    return f"{location}: {what}"
