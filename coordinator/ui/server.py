"""The server of the live page: on the loopback, and only to look at."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import signal
import socket
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from coordinator.errors import CoordError, DependencyError, RunNotFound, UsageError
from coordinator.files import held
from coordinator.live_page import KEY_PATH, LivePage, announced, listening
from coordinator.project import Project
from coordinator.report import report_file
from coordinator.ui.hosts import OwnPagesOnly
from coordinator.ui.page_files import page_file
from coordinator.ui.pages import ROWS, Asked, Pages
from coordinator.ui.watcher import Watcher

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

PORT = 7799
"""The port if none is given; another one if it is taken."""
_MOST_ROWS = 5000
_LOGGER = logging.getLogger(__name__)


def serve(project: Project, port: int | None, on_start: Callable[[LivePage], None]) -> LivePage | None:
    """Answers until Ctrl-C or SIGTERM; `on_start` is called once the page can be opened.

    If a live page of this project is open already, returns it at once. Raises UsageError if the given port is taken,
    DependencyError without the extra `ui`.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"the live page needs {error.name}, which is not installed", hint="Run: pip install 'coord[ui]'"
        ) from error
    with held(project.live_page_lock, wait=False) as is_first:
        if not is_first:
            if (other := listening(project)) is not None:
                return other
            raise UsageError("another coord ui of this project is starting or ending", hint="Try again in a moment.")
        with _listener(port) as listener, announced(project, listener.getsockname()[1]) as page:
            watcher = Watcher(project)
            server = _server(create_app(project, watcher, page), lambda: on_start(page))
            before = signal.signal(signal.SIGTERM, signal.default_int_handler)
            watcher.start()
            try:
                server.run([listener])
            except KeyboardInterrupt:
                pass  # uvicorn has shut down and raises the signal again
            finally:
                signal.signal(signal.SIGTERM, before)
                watcher.stop()
    return None


def create_app(project: Project, watcher: Watcher, page: LivePage) -> Starlette:
    """The application; it takes GET and HEAD, and changes nothing."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.responses import HTMLResponse, PlainTextResponse
    from starlette.routing import Route

    pages = Pages(project, watcher)

    def html(request: Request, asked: Asked) -> Response:
        try:
            return _tagged(request, pages.html(asked))
        except RunNotFound as error:
            return HTMLResponse(pages.problem(error.what), 404)
        except CoordError as error:
            return HTMLResponse(pages.problem(error.what, error.hint or ""), 503)

    def plain(name: str) -> Callable[[Request], Response]:
        return lambda request: html(request, Asked(name))

    def runs(request: Request) -> Response:
        asked = request.query_params
        most = int(asked["rows"]) if re.fullmatch(r"[0-9]{1,6}", asked.get("rows", ""), re.ASCII) else ROWS
        return html(request, Asked("runs", words=asked.get("q", "")[:200], most=min(max(most, 1), _MOST_ROWS)))

    def one(name: str) -> Callable[[Request], Response]:
        return lambda request: html(request, Asked(name, which=request.path_params["which"]))

    def compared(request: Request) -> Response:
        return html(request, Asked("compare", names=tuple(request.query_params.getlist("of")[:8])))

    def asset(text: str, kind: str) -> Callable[[Request], Response]:
        return lambda request: _tagged(request, text, kind)

    def key(_request: Request) -> Response:
        return PlainTextResponse(page.key)

    def failed(_request: Request, error: Exception) -> Response:
        _LOGGER.error("".join(traceback.format_exception(error)))
        return HTMLResponse(pages.problem("this page failed: the terminal of coord ui says how"), 500)

    style = report_file("report.css") + page_file("live.css")
    script = report_file("report.js") + page_file("live.js")
    return Starlette(
        routes=[
            Route("/", runs),
            Route("/board", plain("board")),
            Route("/worst", plain("worst")),
            Route("/chains", plain("chains")),
            Route("/compare", compared),
            Route("/runs/{which}", one("run")),
            Route("/sweeps/{which:path}", one("sweep")),
            Route("/live.css", asset(style, "text/css")),
            Route("/live.js", asset(script, "text/javascript")),
            Route(KEY_PATH, key),
        ],
        middleware=[Middleware(OwnPagesOnly)],
        exception_handlers={
            404: lambda _request, _error: HTMLResponse(pages.problem("there is no such page"), 404),
            Exception: failed,
        },
    )


def _tagged(request: Request, text: str, kind: str = "text/html") -> Response:
    """The text with its digest as a tag; only that, if the browser has the same text already."""
    from starlette.responses import Response

    headers = {"ETag": f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"', "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(text, headers=headers, media_type=kind)


def _server(app: Starlette, on_start: Callable[[], None]) -> uvicorn.Server:
    """Calls `on_start` when it answers."""
    import uvicorn

    class Telling(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                on_start()

    return Telling(
        uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )


@contextlib.contextmanager
def _listener(port: int | None) -> Iterator[socket.socket]:
    """A socket on the port; without one, on the usual port or else on a free one."""
    for each in (PORT, 0) if port is None else (port,):
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as listener:
            if os.name == "posix":  # elsewhere it would let two servers have one port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", each))
            except OSError as error:
                if port is None and each:
                    continue
                raise UsageError(
                    f"port {each} of this machine can't be used: {error.strerror}",
                    hint="Without --port, coord ui takes a free one.",
                ) from error
            listener.listen(128)
            yield listener
            return
