"""Which hosts a request may name: this machine, under the names and addresses of its loopback."""

import ipaddress
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from runner_test.http.http_errors import error_response


class LoopbackOnly:
    """Lets a client use the server as its proxy for http://localhost, and nobody as anything else.

    A proxy's requests carry the whole address as their target. A web page that made its own host's name point to this
    machine is told apart by the name that it asks for.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                address = urlsplit(scope["path"]) if scope["path"].startswith("http://") else None
                host = address.netloc if address else dict(scope["headers"]).get(b"host", b"").decode("latin-1")
                name = urlsplit(f"//{host}").hostname
            except ValueError:
                await error_response(400, "The request names no host that could be")(scope, receive, send)
                return
            if not is_loopback(name):
                await error_response(403, f"{host!r} is not this machine")(scope, receive, send)
                return
            if address:
                scope = {**scope, "path": address.path, "raw_path": urlsplit(scope["raw_path"]).path}
        await self._app(scope, receive, send)


def is_loopback(host: str | None) -> bool:
    """Whether a host's name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
