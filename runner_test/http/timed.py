"""Closes connections whose request never becomes complete; uvicorn waits for the rest of it for ever."""

import asyncio
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Timed(H11Protocol):
    """Uvicorn's protocol with time-outs. A connection is closed, too, on which no request begins."""

    head_seconds: ClassVar[float] = 30.0
    """From the connection, or the end of the answer before, until the headers are complete."""
    pause_seconds: ClassVar[float] = 30.0
    """Between two pieces of a body."""
    body_seconds: ClassVar[float] = 3600.0
    """For a whole body: the largest one is a file of a data set."""

    _timer: asyncio.TimerHandle | None = None
    _is_in_body = False
    _body_ends = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request."""
        super().data_received(data)
        now = self.loop.time()
        if self.conn.their_state is h11.SEND_BODY:
            if not self._is_in_body:
                self._is_in_body, self._body_ends = True, now + self.body_seconds
            self._stop()
            self._wait(min(self.pause_seconds, self._body_ends - now))
        elif self.conn.their_state is h11.IDLE:
            if self._timer is None:  # the first piece of the next request
                self._wait(self.head_seconds)
        else:
            self._is_in_body = False
            self._stop()

    def _wait(self, seconds: float) -> None:
        self._timer = self.loop.call_later(max(seconds, 0.0), self._too_slow)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self.flow.read_paused:  # this side is the slow one: it has not yet taken what has come
            self._wait(self.pause_seconds)
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):  # no part of an answer has been sent
            self.transport.write(_TOO_SLOW)
        self.transport.close()
