"""Connections whose answer's head has to be there within the read time-out as a whole, and which share certificates.

The time-out of a socket starts anew with each byte, and `http.client` reads the head in one go: a server that sends a
byte every few seconds would hold a call for as long as it likes. (The body is read piece by piece, against the clock.)

requests has each connection read the file of trusted certificates anew, 20 ms of CPU time.
"""

from __future__ import annotations

import io
import os
import ssl
import threading
import time
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

from coordinator.target.kaggle.policy import READ_SECONDS, Failed, Failure


class _Punctual(io.RawIOBase):
    """A socket's bytes, which until a time have to come before it."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock  # of the same name as in socket.SocketIO
        self._bytes = sock.makefile("rb", buffering=0)
        self._seconds = sock.gettimeout()
        self._until: float | None = time.monotonic() + (self._seconds or READ_SECONDS)

    def readinto(self, buffer: Any) -> int | None:
        if self._until is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._sock.settimeout(left)
        found: int | None = self._bytes.readinto(buffer)
        return found

    def take_time(self) -> None:
        """From now on the time-out is that of each piece again."""
        self._until = None
        self._sock.settimeout(self._seconds)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._bytes.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: Any, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp.close()
        self._head = _Punctual(sock)
        self.fp = io.BufferedReader(self._head)

    def begin(self) -> None:
        super().begin()
        if self.fp is not None:  # it has a body
            self._head.take_time()


class _Http(HTTPConnection):
    response_class = _Response


class _Https(HTTPSConnection):
    response_class = _Response


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class Adapter(HTTPAdapter):
    """requests' adapter with such connections; through a SOCKS proxy they are its own."""

    def __init__(self, **named: Any) -> None:
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()
        super().__init__(**named)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **named)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Raises Failed if there are no certificates to check against."""
        if not (verify and url.lower().startswith("https")):
            super().cert_verify(conn, url, verify, cert)
            return
        location = DEFAULT_CA_BUNDLE_PATH if verify is True else os.fspath(verify)
        context = self._context(location)
        if conn.proxy is not None:  # it may need them, too
            super().cert_verify(conn, url, verify, cert)
            return
        conn.cert_reqs = "CERT_REQUIRED"
        conn.conn_kw["ssl_context"] = context
        conn.ca_certs = conn.ca_cert_dir = None  # would be read again

    def _context(self, location: str) -> ssl.SSLContext:
        with self._lock:
            if location not in self._contexts:
                context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
                is_folder = Path(location).is_dir()
                try:
                    context.load_verify_locations(None if is_folder else location, location if is_folder else None)
                except OSError as error:
                    raise Failed(Failure.UNCHECKED, f"{location}: {_why(error)}") from error
                self._contexts[location] = context
            return self._contexts[location]


def _why(error: OSError) -> str:
    return "it holds none" if isinstance(error, ssl.SSLError) else error.strerror or "it does not read"
