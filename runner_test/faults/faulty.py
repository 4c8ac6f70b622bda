"""Carries out planned faults, between the network and the application.

`wire` breaks connections. `changed_answers` changes the bytes of an answer after the application has made it.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runner_test.errors import BadName
from runner_test.faults.changed_answers import changed
from runner_test.faults.plan import DOWNLOAD, EITHER_WAY, LOG_STREAM, UPLOAD, Fault, Faults, Kind
from runner_test.faults.wire import Wire
from runner_test.state import Reference
from runner_test.store import Store

DOWN_SECONDS = 1.0  # defaults of a fault's `seconds`
SLOW_SECONDS = 1.0
_PIECES = 20  # of a slow answer

_PAGE = "<!doctype html><html><head><title>Kaggle</title></head><body><h1>Too many requests</h1></body></html>"
_PATHS = (
    (re.compile(r"/api/v1/kernels/logs/stream/"), LOG_STREAM),
    (re.compile(r"/api/v1/[^/]+/([^/]+)$"), None),
    (re.compile(r"/(files|data|dataset-files|model-files|submissions|archives)/"), DOWNLOAD),
    (re.compile(r"/uploads/"), UPLOAD),
)


def method_of(path: str) -> str | None:
    """The method that a request's path (or whole address) calls, by its name in plans; None for other paths."""
    with contextlib.suppress(ValueError):  # an invalid address
        for pattern, name in _PATHS:
            if found := pattern.match(urlsplit(path).path):
                return name or found[1]
    return None


class Faulty:
    """The application with a plan of faults (ASGI)."""

    def __init__(self, app: ASGIApp, store: Store, faults: Faults, wire: Wire) -> None:
        self._app = app
        self._store = store
        self._faults = faults
        self._wire = wire

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = method_of(scope["path"]) if scope["type"] == "http" else None
        fault = self._faults.next(method) if method else None
        if fault is None or method is None:
            await self._app(scope, receive, send)
        elif fault.fault in EITHER_WAY:
            await self._either_way(fault, scope, receive, send)
        else:
            await self._in_the_answer(fault, method, scope, receive, send)

    async def _either_way(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.when == "after":
            await self._app(scope, receive, _swallow)
        self._faults.happened(fault)
        match fault.fault:
            case Kind.DOWN:
                await self._wire.go_down(DOWN_SECONDS if fault.seconds is None else fault.seconds)
            case Kind.RESET:
                self._wire.close(scope["client"], reset=True)
            case Kind.TIMEOUT:
                await _silence(receive, fault.seconds)
                self._wire.close(scope["client"], reset=True)
            case Kind.HTML:
                await HTMLResponse(_PAGE)(scope, receive, send)
            case _:
                await _status(fault)(scope, receive, send)

    async def _in_the_answer(self, fault: Fault, method: str, scope: Scope, receive: Receive, send: Send) -> None:
        match fault.fault:
            case Kind.SLOW:
                self._faults.happened(fault)
                await self._app(scope, receive, slowly(send, SLOW_SECONDS if fault.seconds is None else fault.seconds))
            case Kind.TRUNCATED:
                await self._app(scope, receive, self._half(fault, scope, send))
            case Kind.HALF_SENT:
                await self._app(scope, self._half_sent(fault, scope, receive), send)
            case Kind.EXPIRED if method == DOWNLOAD:
                self._faults.happened(fault)
                expired = {"code": 403, "message": "The address of this file has expired: list the output again"}
                await JSONResponse(expired, status_code=403)(scope, receive, send)
            case Kind.EMPTY_LOG if method == LOG_STREAM:
                self._faults.happened(fault)
                await Response("data: END_OF_LOG\n\n", media_type="text/event-stream")(scope, receive, send)
            case _:
                await self._changed(fault, scope, receive, send)

    def _half(self, fault: Fault, scope: Scope, send: Send) -> Send:
        """A sender that sends half of the answer's first piece and then closes the connection."""
        over = False

        async def half(message: Message) -> None:
            nonlocal over
            body = message.get("body", b"")
            if over:
                return
            if message["type"] != "http.response.body" or not body:
                await send(message)
                return
            over = True
            self._faults.happened(fault)
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            self._wire.close(scope["client"], reset=False)

        return half

    def _half_sent(self, fault: Fault, scope: Scope, receive: Receive) -> Receive:
        """A receiver that gives half of the body, whose length the client has said, and then resets the connection."""
        left = int(dict(scope["headers"]).get(b"content-length", 0)) // 2
        over = False

        async def half() -> Message:
            nonlocal left, over
            message: Message = {"type": "http.disconnect"} if over else await receive()
            body = message.get("body", b"")
            if over or len(body) < left:
                left -= len(body)
                return message
            over = True
            self._faults.happened(fault)
            self._wire.close(scope["client"], reset=True)
            return {"type": "http.request", "body": body[:left], "more_body": True}

        return half

    async def _changed(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, and change its answer. If it stays the same, the fault did not happen."""
        is_stale = False
        if fault.fault in (Kind.STALE, Kind.ENDLESS_PAGES):
            asked = await _whole(receive)
            other = self._question(fault.fault, asked)
            is_stale = fault.fault is Kind.STALE and other != asked
            receive = _once(other, receive)
        answer = _Caught()
        await self._app(scope, receive, answer.send)
        body = changed(fault, answer.body, self._faults.calls)
        if body != answer.body or is_stale:
            self._faults.happened(fault)
        headers = {name: value for name, value in answer.headers if name.lower() != b"content-length"}
        length = str(len(body)).encode()
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [*headers.items(), (b"content-length", length)],
            }
        )
        await send({"type": "http.response.body", "body": body})

    def _question(self, kind: Kind, body: bytes) -> bytes:
        """The request for the application: for the previous version, or for the first page."""
        try:
            request = json.loads(body)
        except ValueError:
            return body  # the application refuses it
        if not isinstance(request, dict):
            return body
        if kind is Kind.ENDLESS_PAGES:
            request.pop("pageToken", None)
        elif (number := self._asked_version(request)) > 1:
            request["versionLabel"] = f"v{number - 1}"
        else:
            return body
        return json.dumps(request).encode()

    def _asked_version(self, request: Mapping[str, Any]) -> int:
        """The number of the requested version, the newest without a label; 0 if there is none."""
        label = str(request.get("versionLabel") or "").removeprefix("v")
        if label:
            return int(label) if label.isdecimal() else 0
        try:
            reference = Reference.parse(f"{request.get('userName')}/{request.get('kernelSlug')}")
        except BadName:
            return 0
        return max(self._store.numbers(reference), default=0)


class _Caught:
    """Collects an answer instead of sending it."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message["headers"]
        else:
            self.body += message.get("body", b"")


async def _swallow(message: Message) -> None:
    """Drops an answer."""
    del message


async def _whole(receive: Receive) -> bytes:
    """The whole body of a request."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _once(body: bytes, receive: Receive) -> Receive:
    """A receiver that first gives a body that was read already, and then what the client sends."""
    pending = [body]

    async def again() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return again


async def _silence(receive: Receive, seconds: float | None) -> None:
    """Wait until the client disconnects, or `seconds` have passed."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(gone(), seconds)


def slowly(send: Send, seconds: float) -> Callable[[Message], Awaitable[None]]:
    """A sender that takes `seconds` for an answer, in small pieces; a live log, without a length, for each part."""
    length = 0

    async def send_slowly(message: Message) -> None:
        nonlocal length
        if message["type"] == "http.response.start":
            length = int(dict(message["headers"]).get(b"content-length", 0))
        body = message.get("body", b"")
        if not body:
            await send(message)
            return
        whole = length or len(body)
        step = -(-whole // _PIECES)
        for start in range(0, len(body), step):
            part = body[start : start + step]
            await asyncio.sleep(seconds * len(part) / whole)
            more = message.get("more_body", False) or start + step < len(body)
            await send({"type": "http.response.body", "body": part, "more_body": more})

    return send_slowly


def _status(fault: Fault) -> Response:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    content = {"code": fault.status, "message": fault.message}
    return JSONResponse(content, status_code=fault.status, headers=headers)
