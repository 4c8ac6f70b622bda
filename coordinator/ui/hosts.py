"""Lets in only requests of pages that this server has sent, and of a user's own navigation to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NAMES = ("127.0.0.1", "localhost", "[::1]")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer: even text that was not escaped by mistake could load or run nothing."""


class OwnPagesOnly:
    """Refuses other hosts and origins, and gives each answer the headers above.

    A web page whose host name was made to point to this machine (DNS rebinding) is refused because its requests carry
    that name; a request that a page elsewhere sends here carries its origin, or says that it is of another site.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.responses import PlainTextResponse

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *own]}
            await send(message)

        port = scope["server"][1]
        why = refused(_texts(scope["headers"]), {f"{name}:{port}" for name in _NAMES})
        app = self._app if why is None else PlainTextResponse(f"coord ui: {why}\n", status_code=403)
        await app(scope, receive, with_headers)


def refused(headers: Mapping[str, str], hosts: Iterable[str]) -> str | None:
    """Why a request with these headers (names in lower case) is refused by a server of these hosts; None if it isn't.

    `hosts` are names with the port.
    """
    host, origin = headers.get("host", "").lower(), headers.get("origin")
    if host not in hosts:
        return "the request is for another host"
    if origin is not None and origin.lower() != f"http://{host}":
        return "the request comes from a page of another origin"
    is_from_elsewhere = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    if is_from_elsewhere and headers.get("sec-fetch-mode", "") != "navigate":
        return "the request comes from a page of another site"
    return None


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Of a header that comes twice, all values: such a host or origin is none of ours."""
    found: dict[str, str] = {}
    for name, value in headers:
        text = name.decode("latin-1").lower()
        found[text] = f"{found[text]}, {value.decode('latin-1')}" if text in found else value.decode("latin-1")
    return found
