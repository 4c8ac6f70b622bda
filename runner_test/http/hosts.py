"""Accepts only requests that name a host of the loopback: localhost, or one of its addresses."""

import ipaddress
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from runner_test.http.http_errors import error_response


class LoopbackOnly:
    """Refuses requests for other hosts, and lets a client use the server as its proxy for http://localhost.

    A request to a proxy has the whole address as its target. A web page whose host name was made to point to this
    machine (DNS rebinding) is refused because its requests carry that name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                is_whole = scope["raw_path"].startswith(b"http://")  # not `path`, whose escapes are undone
                address = urlsplit(scope["path"]) if is_whole else None
                host = address.netloc if address else dict(scope["headers"]).get(b"host", b"").decode("latin-1")
                name = urlsplit(f"//{host}").hostname
            except ValueError:
                await error_response(400, "The request names an invalid host")(scope, receive, send)
                return
            if not is_loopback(name):
                await error_response(403, f"{host!r} is not this machine")(scope, receive, send)
                return
            if address:
                scope = {**scope, "path": address.path, "raw_path": urlsplit(scope["raw_path"]).path}
        await self._app(scope, receive, send)


def is_loopback(host: str | None) -> bool:
    """Whether a host's name or address is the loopback's."""
    if host == "localhost":
        return True
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
