"""Carries planned faults out, between the network and the local Kaggle's application.

What a fault does to a connection needs the connection itself, which ASGI doesn't show: `Wire` knows the open ones and
the listener. What it does to an answer is done to the answer's bytes, after the application has made it.
"""

import asyncio
import contextlib
import json
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from runner_test.errors import BadName
from runner_test.faults import DOWNLOAD, EITHER_WAY, LOG_STREAM, UPLOAD, Fault, Faults, Kind
from runner_test.reference import Reference
from runner_test.store import Store

DOWN_SECONDS = 1.0  # where a plan doesn't say
SLOW_SECONDS = 1.0
_DRIPS = 20  # pieces of a slow answer

_PAGE = "<!doctype html><html><head><title>Kaggle</title></head><body><h1>Too many requests</h1></body></html>"
_PATHS = (
    (re.compile(r"/api/v1/kernels/logs/stream/"), LOG_STREAM),
    (re.compile(r"/api/v1/[^/]+/([^/]+)$"), None),
    (re.compile(r"/(files|data|submissions|archives)/"), DOWNLOAD),
    (re.compile(r"/uploads/"), UPLOAD),
)


def method_of(path: str) -> str | None:
    """The method behind a request's path (or whole address), by the name that plans use."""
    for pattern, name in _PATHS:
        if found := pattern.match(urlsplit(path).path):
            return name or found[1]
    return None


class Wire:
    """A server's listener and its open connections."""

    def __init__(self) -> None:
        self._connections: dict[tuple[str, int], asyncio.Transport] = {}
        self._server: uvicorn.Server | None = None
        self._coming_back: asyncio.Task[None] | None = None

    def protocol(self) -> type[asyncio.Protocol]:
        """Uvicorn's protocol, which tells this wire of its connections."""
        connections = self._connections

        class Watched(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                connections[_peer(transport)] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                connections.pop(_peer(self.transport), None)
                super().connection_lost(exc)

        return Watched

    def attach(self, server: uvicorn.Server) -> None:
        """Take charge of the server's listener."""
        self._server = server

    def close(self, client: tuple[str, int], *, reset: bool) -> None:
        """End a connection: as if nobody had been there (a reset), or in good order in the middle of an answer."""
        transport = self._connections.get(client)
        if transport is None:
            return
        if reset:
            # Closing a socket that doesn't linger sends RST instead of FIN.
            opened = transport.get_extra_info("socket")
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    def go_down(self, seconds: float) -> None:
        """Reset every connection and refuse new ones for so long."""
        assert self._server is not None
        addresses = [listener.getsockname() for server in self._server.servers for listener in server.sockets]
        for server in self._server.servers:
            server.close()
        for client in list(self._connections):
            self.close(client, reset=True)
        self._coming_back = asyncio.create_task(self._come_back(addresses, seconds))

    async def _come_back(self, addresses: list[Any], seconds: float) -> None:
        server = self._server
        assert server is not None
        with contextlib.ExitStack() as closing:
            # Bound and not listening: clients are refused, and nobody else gets the port meanwhile.
            for address in addresses:
                closing.enter_context(_bound(address))
            await asyncio.sleep(seconds)
            for address in addresses:
                listening = await asyncio.get_running_loop().create_server(self._protocol, sock=_bound(address))
                server.servers.append(listening)

    def _protocol(self) -> asyncio.Protocol:
        """What speaks HTTP on a new connection, as uvicorn makes it when it starts."""
        server = self._server
        assert server is not None
        return server.config.http_protocol_class(  # type: ignore[call-arg]
            config=server.config, server_state=server.server_state, app_state=server.lifespan.state
        )


def _peer(transport: asyncio.BaseTransport) -> tuple[str, int]:
    host, port = transport.get_extra_info("peername")[:2]
    return str(host), int(port)


def _bound(address: Any) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(address)
    return bound


class Faulty:
    """The application, with a plan of what goes wrong."""

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
                self._wire.go_down(DOWN_SECONDS if fault.seconds is None else fault.seconds)
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
                await self._app(
                    scope, receive, _dripping(send, SLOW_SECONDS if fault.seconds is None else fault.seconds)
                )
            case Kind.TRUNCATED:
                await self._app(scope, receive, self._half(fault, scope, send))
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
        """Half of the answer's first piece, and the end of the connection."""
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

    async def _changed(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, and change what it says. An answer that stays as it is was no fault."""
        if fault.fault in (Kind.STALE, Kind.ENDLESS_PAGES):
            receive = await self._asking(fault.fault, receive)
        answer = _Caught()
        await self._app(scope, receive, answer.send)
        body = _change(fault, answer.body, self._faults.calls)
        if body != answer.body or fault.fault is Kind.STALE:
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

    async def _asking(self, kind: Kind, receive: Receive) -> Receive:
        """The request as the application is to see it: about an earlier version, or about the first page."""
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        try:
            request = json.loads(body)
        except ValueError:
            request = None  # the application says so
        if isinstance(request, dict):
            if kind is Kind.STALE:
                request["versionLabel"] = self._label_before(request)
            else:
                request.pop("pageToken", None)
            body = json.dumps(request).encode()
        return _once(body, receive)

    def _label_before(self, request: Mapping[str, Any]) -> str:
        """The label of the version before the one that is asked for; of version 1 there is none, so its own."""
        label = str(request.get("versionLabel") or "").removeprefix("v")
        try:
            reference = Reference.parse(f"{request.get('userName')}/{request.get('kernelSlug')}")
        except BadName:
            return label
        number = int(label) if label.isdecimal() else max(self._store.numbers(reference), default=1)
        return f"v{max(number - 1, 1)}"


class _Caught:
    """An answer that is kept instead of sent."""

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
    """Sends an answer to nobody."""
    del message


def _once(body: bytes, receive: Receive) -> Receive:
    """A receiver of a body that has been read already, and then of what else comes."""
    pending = [body]

    async def again() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return again


async def _silence(receive: Receive, seconds: float | None) -> None:
    """Wait until the client has gone, or the time is over."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(gone(), seconds)


def _dripping(send: Send, seconds: float) -> Callable[[Message], Awaitable[None]]:
    """Sends every piece of the answer in small drops."""

    async def drip(message: Message) -> None:
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or not body:
            await send(message)
            return
        step = -(-len(body) // _DRIPS)
        drops = [body[start : start + step] for start in range(0, len(body), step)]
        for left, drop in zip(reversed(range(len(drops))), drops, strict=True):
            await asyncio.sleep(seconds / len(drops))
            more = message.get("more_body", False) or left > 0
            await send({"type": "http.response.body", "body": drop, "more_body": more})

    return drip


def _status(fault: Fault) -> Response:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    content = {"code": fault.status, "message": fault.message}
    return JSONResponse(content, status_code=fault.status, headers=headers)


# What becomes of an answer


def _change(fault: Fault, body: bytes, calls: Mapping[str, int]) -> bytes:
    match fault.fault:
        case Kind.CUT:
            return body[: len(body) // 2]
        case Kind.GARBLED:
            return bytes(byte ^ 0x80 for byte in body)
        case Kind.EMPTY:
            return b"{}"
        case Kind.STALE:
            return body
    answer = json.loads(body)
    if not isinstance(answer, dict):
        return b'{"records": 5}' if fault.fault is Kind.TYPES else body
    changed = _DICT_CHANGES[fault.fault](answer, calls)
    return body if changed == answer else json.dumps(changed).encode()


def _other_types(answer: dict[str, Any], _: Mapping[str, int]) -> Any:
    """The same names with values of other types; a list where there are none."""
    others: dict[type, Any] = {str: ["a", 1], int: "many", float: "much", bool: "maybe", list: 5, dict: "text"}
    return {name: others.get(type(value), 5) for name, value in answer.items()} or [1]


def _same_token(answer: dict[str, Any], _: Mapping[str, int]) -> dict[str, Any]:
    return answer | {"nextPageToken": "0"}


def _new_token(answer: dict[str, Any], calls: Mapping[str, int]) -> dict[str, Any]:
    return answer | {"nextPageToken": str(1000 + sum(calls.values()))}


def _no_log(answer: dict[str, Any], _: Mapping[str, int]) -> dict[str, Any]:
    return answer | {"log": ""}


def _running(answer: dict[str, Any], _: Mapping[str, int]) -> dict[str, Any]:
    if "status" not in answer:
        return answer
    return {name: value for name, value in answer.items() if name != "failureMessage"} | {"status": "RUNNING"}


def _expired(answer: dict[str, Any], _: Mapping[str, int]) -> dict[str, Any]:
    files = [file | {"url": re.sub(r"expires=[0-9]+", "expires=1", file["url"])} for file in answer.get("files", [])]
    return answer | {"files": files}


_DICT_CHANGES: Mapping[Kind, Callable[[dict[str, Any], Mapping[str, int]], Any]] = {
    Kind.TYPES: _other_types,
    Kind.REPEATED_TOKEN: _same_token,
    Kind.ENDLESS_PAGES: _new_token,
    Kind.EMPTY_LOG: _no_log,
    Kind.RUNNING: _running,
    Kind.EXPIRED: _expired,
}
