"""Connections with a deadline for the whole head of an answer, which share one set of trusted certificates.

It overrides public methods of requests and urllib3 only. Without it each connection would read the file of certificates
again, which takes 20 ms of CPU time.
"""

from __future__ import annotations

import functools
import os
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection

from coordinator.target.kaggle import policy
from coordinator.target.kaggle.deadline import within
from coordinator.target.kaggle.policy import Failed, Failure


class _Punctual(HTTPConnection):
    """A connection with deadlines for what precedes a response: connecting (through a proxy, too), and the head."""

    def connect(self) -> None:
        with within(policy.READ_SECONDS, self._hang_up):
            super().connect()

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

    def get_connection_with_tls_context(self, *arguments: Any, **named: Any) -> Any:
        pool = super().get_connection_with_tls_context(*arguments, **named)
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
                    raise Failed(Failure.UNCHECKED, f"{location}: {_why(error)}") from error
            return self._contexts[location]


def _why(error: OSError) -> str:
    return "it has no certificates" if isinstance(error, ssl.SSLError) else error.strerror or "it cannot be read"
