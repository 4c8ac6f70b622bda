"""Connections whose answer's head has to be there within the read time-out as a whole.

The time-out of a socket starts anew with each byte, and `http.client` reads the head in one go: a server that sends a
byte every few seconds would hold a call for as long as it likes. (The body is read piece by piece, against the clock.)
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from coordinator.kaggle.policy import READ_SECONDS

if TYPE_CHECKING:
    _Base = HTTPConnection
else:
    _Base = object


class _PunctualHead(_Base):
    def getresponse(self, *arguments: Any, **named: Any) -> Any:
        sock, is_over = self.sock, threading.Event()

        def end() -> None:
            is_over.set()
            with contextlib.suppress(OSError):
                # The plain method: that of a TLS socket takes its state away from the thread that reads.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

        timer = threading.Timer(self.timeout or READ_SECONDS, end)
        timer.daemon = True
        timer.start()
        try:
            response = super().getresponse(*arguments, **named)
        except Exception as error:
            if is_over.is_set():
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()
        if is_over.is_set():  # what had come looks like a head
            response.close()
            raise TimeoutError
        return response


class _Http(_PunctualHead, HTTPConnection):
    pass


class _Https(_PunctualHead, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class Adapter(HTTPAdapter):
    """requests' adapter with such connections; through a SOCKS proxy they are its own."""

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **named)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        return manager
