"""See `target.wire`: single requests over the transport's connections, with its proxies, certificates and secrets."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import requests

from coordinator.target.kaggle import parsing
from coordinator.target.kaggle.deadline import within
from coordinator.target.kaggle.policy import Failed
from coordinator.target.kaggle.session import ApiSession
from coordinator.target.kaggle.transport import Transport
from coordinator.target.wire import Reply

_PART = 1 << 16  # bytes that are read of a file
_ANSWER = 16 << 20  # bytes that are read of an answer


class KaggleWire:
    """See `wire.Wire` for the methods."""

    def __init__(self, http: Transport, session: ApiSession) -> None:
        self._http = http
        self._session = session

    def call(self, method: str, fields: Mapping[str, Any], *, signed: bool = True, seconds: float = 60.0) -> Reply:
        with self._session.explaining(f"calling {method.rpartition('/')[2]}"):
            return self._reply(self._http.ask(method, fields, signed=signed), seconds, _ANSWER)

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        with self._session.explaining("reading a file"):
            return self._reply(self._http.get(url, headers=headers), 60.0, _PART)

    def put(self, url: str, piece: bytes, span: str) -> Reply:
        with self._session.explaining("sending a piece of a file"):
            return self._reply(self._http.ask_put(url, piece, span), 60.0, _PART)

    def _reply(self, response: requests.Response, seconds: float, most: int) -> Reply:
        body, has_ended = bytearray(), False
        stopped = contextlib.suppress(TimeoutError, Failed)
        with contextlib.closing(response), stopped, within(seconds, response.raw.shutdown):
            for piece in parsing.pieces(response):
                body += piece
                if len(body) >= most:
                    break
            else:
                has_ended = True
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(
            status=response.status_code,
            kind=headers.get("content-type", "").partition(";")[0].strip().lower(),
            text=self._http.hidden(bytes(body[:most]).decode("utf-8", errors="replace")),
            headers=headers,
            has_ended=has_ended,
        )
