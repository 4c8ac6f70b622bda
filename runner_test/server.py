"""The local Kaggle's HTTP face: the paths, credentials and errors of Kaggle's own, around the methods.

It listens on the loopback only, and only for requests that name a loopback host: whoever reaches it can run programs.
"""

import base64
import binascii
import ipaddress
import json
import secrets
import socket
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import uvicorn
from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionLogsStreamRequest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from runner_test import access, competitions, isolation, log, notebook, reading, submitting
from runner_test.archives import archive
from runner_test.errors import BadName, NotLoopback, StartFailed
from runner_test.faults import Faults
from runner_test.faulty import Faulty, Wire
from runner_test.methods import METHODS
from runner_test.page import kernel_page
from runner_test.progress import State
from runner_test.reference import Reference
from runner_test.rpc import Answer, Caller, LogOf, Method, Redirect, Refusal, call
from runner_test.settings import DEFAULTS, Settings
from runner_test.store import Store
from runner_test.version import Version

URL_LIFETIME = 15 * 60.0  # seconds
MAX_BODY = 16 << 20  # bytes: a source of 1 MiB with every character escaped, and room
_POLL = 0.1  # seconds between two looks at a log that grows
_LOG_STREAM = Method(ApiGetKernelSessionLogsStreamRequest, reading.get_kernel_session_logs_stream)


def create_app(store: Store, *, token_user: str = "local", url_lifetime: float = URL_LIFETIME) -> Starlette:
    """The application.

    `token_user` is who comes with an access token; `url_lifetime` is how many seconds an output's address works.
    `app.state.stopping`, a function, may be replaced by one that tells open log streams to end.
    """
    app = Starlette(
        routes=[
            Route("/api/v1/kernels/logs/stream/{owner}/{slug}", _log_stream),
            Route("/api/v1/{service}/{method}", _call, methods=["POST"]),
            Route("/files/{owner}/{slug}/{number:int}/{name:path}", _file),
            Route("/data/{slug}/{name:path}", _data_file),
            Route("/submissions/{number:int}/{name:path}", _submission_file),
            Route("/archives/kernels/{owner}/{slug}/{number:int}/{name}", _output_archive),
            Route("/archives/competitions/{name}", _data_archive),
            Route("/uploads/{token}", _upload, methods=["PUT"]),
            Route("/code/{owner}/{slug}", _page),
        ],
        middleware=[Middleware(_Targets)],
        exception_handlers={
            HTTPException: _unknown,
            Refusal: _refused,
            ClientDisconnect: _gone,
            Exception: _broken,
        },
    )
    app.state.store = store
    app.state.token_user = token_user
    app.state.url_lifetime = url_lifetime
    app.state.stopping = lambda: False
    return app


class _Targets:
    """Lets a client use the server as its proxy for http://localhost, and nobody as anything else.

    A proxy's requests carry the whole address as their target. A web page that made its own host's name point to this
    machine is told apart by the name that it asks for.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            address = urlsplit(scope["path"]) if scope["path"].startswith("http://") else None
            host = address.netloc if address else dict(scope["headers"]).get(b"host", b"").decode("latin-1")
            if not _is_loopback(urlsplit(f"//{host}").hostname):
                await _error(403, f"{host!r} is not this machine")(scope, receive, send)
                return
            if address:
                scope = {**scope, "path": address.path, "raw_path": urlsplit(scope["raw_path"]).path}
        await self._app(scope, receive, send)


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# Endpoints


async def _call(request: Request) -> Response:
    name = f"{request.path_params['service']}/{request.path_params['method']}"
    method = METHODS.get(name)
    if method is None:
        raise HTTPException(404)
    try:
        body = json.loads(await _body(request))
    except ValueError as error:
        raise Refusal(400, "The request is not JSON") from error
    answer = await run_in_threadpool(call, method, _caller(request), body)
    return await _response(request, answer)


async def _log_stream(request: Request) -> Response:
    body = {"userName": request.path_params["owner"], "kernelSlug": request.path_params["slug"]}
    answer = await run_in_threadpool(call, _LOG_STREAM, _caller(request), body)
    return await _response(request, answer)


async def _file(request: Request) -> Response:
    """An output file, for whoever has its signed address."""
    return await _signed(request, reading.output_file, **request.path_params)


async def _data_file(request: Request) -> Response:
    """A file of a competition's data."""
    return await _signed(request, submitting.data_file, **request.path_params)


async def _submission_file(request: Request) -> Response:
    """A file that was submitted."""
    return await _signed(request, submitting.submission_file, number=request.path_params["number"])


async def _output_archive(request: Request) -> Response:
    """All of a version's output."""
    whole = {name: value for name, value in request.path_params.items() if name != "name"}
    return await _signed(request, lambda store: archive(reading.output_files(store, **whole)), temporary=True)


async def _data_archive(request: Request) -> Response:
    """All of a competition's data."""
    slug = request.path_params["name"].removesuffix(".zip")
    return await _signed(request, lambda store: archive(submitting.data_files(store, slug)), temporary=True)


async def _signed(request: Request, open_file: Callable[..., Path], *, temporary: bool = False, **of: Any) -> Response:
    """A file, if the address is signed. Parts (Range) and conditions are Starlette's."""
    store, query = request.app.state.store, request.query_params
    # The last part of the path may have slashes of its own; what was signed is what was asked for.
    name = request.path_params["name"]
    place = request.scope["path"].lstrip("/").removesuffix(f"/{name}")

    def checked() -> Path:
        access.check_signature(
            store, place, name, expires=query.get("expires", ""), signature=query.get("signature", "")
        )
        return open_file(store, **of)

    path = await run_in_threadpool(checked)
    gone = BackgroundTask(path.unlink) if temporary else None
    return FileResponse(path, media_type="application/octet-stream", background=gone)


async def _upload(request: Request) -> Response:
    """A file that was announced, for whoever has its address. Nothing is kept of one that is not whole."""
    root = request.app.state.store.root
    token = request.path_params["token"]
    upload = await run_in_threadpool(competitions.upload_of, root, token)
    if upload is None:
        raise Refusal(404, "There is no such upload: it has expired, or was never started")
    content = competitions.upload_content(root, token)
    partial = content.with_name(f"part.{secrets.token_hex(4)}")
    size = 0
    try:
        with partial.open("wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > upload.size:
                    break
                file.write(chunk)
        if size != upload.size:
            raise Refusal(400, f"{upload.file_name!r} was announced with {upload.size:,} bytes, not {size:,}")
        partial.replace(content)
    finally:
        partial.unlink(missing_ok=True)
    return JSONResponse({})


async def _page(request: Request) -> Response:
    """A kernel's page, private or not: who sits at this machine has the files anyway."""
    html = await run_in_threadpool(_page_html, request.app.state.store, **request.path_params)
    # What a kernel's author wrote never becomes more than text.
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return HTMLResponse(html, headers=headers)


def _page_html(store: Store, owner: str, slug: str) -> str:
    try:
        reference = Reference.parse(f"{owner}/{slug}")
    except BadName as error:
        raise Refusal(404, str(error)) from error
    kernel = store.kernel(reference)
    saved = [store.version(reference, number) for number in reversed(store.numbers(reference))]
    versions = [(version, store.progress(version)) for version in saved if version]
    if kernel is None or not versions:
        raise Refusal(404, f"There is no kernel {reference}")
    source = store.paths(versions[0][0]).source.read_text(encoding="utf-8")
    if versions[0][0].kernel_type == "notebook":
        source = notebook.as_text(source)
    return kernel_page(kernel, versions, source)


# From the request, to the response


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refusal(400, "Bad Request")
    return bytes(body)


def _caller(request: Request) -> Caller:
    state = request.app.state
    # Where the client has connected to, whatever name it used on its way through a proxy.
    host, port = request.scope["server"]
    return Caller(
        store=state.store,
        user=_user(request.headers.get("authorization", ""), state.token_user),
        token_user=state.token_user,
        url=_url(host, port),
        url_lifetime=state.url_lifetime,
    )


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _user(authorization: str, token_user: str) -> str | None:
    """Who the credentials name: any key is right, and any token."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return token_user
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, key = base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name.lower() if name and colon and key else None


async def _response(request: Request, answer: Answer) -> Response:
    if isinstance(answer, Redirect):
        return RedirectResponse(answer.url, status_code=302)
    if isinstance(answer, LogOf):
        return await _log_response(request, answer)
    return JSONResponse(answer if isinstance(answer, dict) else answer.to_dict())


async def _log_response(request: Request, answer: LogOf) -> Response:
    """Live events while the session runs, the stored array afterwards; a queued session is waited for."""
    store: Store = request.app.state.store
    stopping: Callable[[], bool] = request.app.state.stopping
    give_up = time.monotonic() + answer.wait
    while (state := store.progress(answer.version).state) is State.QUEUED:
        if time.monotonic() > give_up or stopping():
            raise Refusal(503, "The session has not started yet: its log is not available")
        await anyio.sleep(_POLL)
    if state.final:
        return Response(log.as_array(store.paths(answer.version).log), media_type="application/json")
    return StreamingResponse(_events(store, answer.version, stopping), media_type="text/event-stream")


async def _events(store: Store, version: Version, stopping: Callable[[], bool]) -> AsyncIterator[str]:
    """The whole log from its start, and what is added until the session ends.

    A stream that the server cuts off has no END_OF_LOG, so the client knows to come back.
    """
    path = store.paths(version).log
    offset = 0
    while not stopping():
        try:
            final = store.progress(version).state.final  # before the last look at the log
        except FileNotFoundError:
            final = True  # deleted under our eyes
        lines, offset = log.lines_from(path, offset)
        for line in lines:
            yield f"data: {line}\n\n"
        if final:
            yield "data: END_OF_LOG\n\n"
            return
        await anyio.sleep(_POLL)


# Errors, as Kaggle's clients expect them


def _error(code: int, message: str) -> JSONResponse:
    return JSONResponse({"code": code, "message": message}, status_code=code)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _error(error.code, error.message)


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = f"{request.method} {request.url.path}"
    print(f"local Kaggle: unknown request: {what}", file=sys.stderr)
    return _error(404, f"The local Kaggle does not know {what}")


async def _gone(_: Request, error: Exception) -> Response:
    """The client died before its request was here: nothing was done, and nobody reads this."""
    assert isinstance(error, ClientDisconnect)
    return Response(status_code=400)


async def _broken(request: Request, error: Exception) -> Response:
    print("".join(traceback.format_exception(error)), file=sys.stderr)
    return _error(500, f"{type(error).__name__} in {request.method} {request.url.path}")


# Running it


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    url: str


@contextmanager
def running_server(
    root: Path,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    token_user: str = "local",
    python: str = sys.executable,
    url_lifetime: float = URL_LIFETIME,
    settings: Settings = DEFAULTS,
    faults: Faults | None = None,
) -> Iterator[Running]:
    """Answer for the local Kaggle below `root` in a thread of this process, on a free port if `port` is 0.

    `python` runs the sessions of what is pushed here, as `settings` say; they go on when the server stops. `faults` is
    what goes wrong. Raises NotLoopback and StartFailed, and UnusedFaults at the end of a block that ends well.
    """
    listener = _listen(host, port)
    app = create_app(Store(root, python, settings), token_user=token_user, url_lifetime=url_lifetime)
    server = _server(app, faults)
    thread = threading.Thread(target=server.run, args=([listener],), name="local-kaggle", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise StartFailed("the local Kaggle's server did not start")
            time.sleep(0.001)
        yield Running(_url(*listener.getsockname()[:2]))
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
    if faults is not None:
        faults.check()


def serve(
    root: Path,
    port: int,
    *,
    token_user: str = "local",
    python: str = sys.executable,
    url_lifetime: float = URL_LIFETIME,
    settings: Settings = DEFAULTS,
    plan: Path | None = None,
) -> None:
    """Answer until Ctrl-C; then return. `plan` is a file of faults.

    Raises StartFailed and BadPlan, and UnusedFaults in the end.
    """
    faults = None if plan is None else Faults.read(plan)
    with _listen("127.0.0.1", port) as listener:
        app = create_app(Store(root, python, settings), token_user=token_user, url_lifetime=url_lifetime)
        server = _server(app, faults)
        url = _url(*listener.getsockname()[:2])
        print(f"The local Kaggle answers at {url} (Ctrl-C ends it).", flush=True)
        if warning := isolation.warning(settings):
            print(f"note: {warning}", file=sys.stderr, flush=True)
        try:
            server.run([listener])
        except KeyboardInterrupt:
            pass  # uvicorn has stopped in good order and passes the signal on
        print("The local Kaggle has stopped; its sessions go on.", flush=True)
    if faults is not None:
        faults.check()


def _listen(host: str, port: int) -> socket.socket:
    if not _is_loopback(host):
        raise NotLoopback(f"the local Kaggle runs what it is sent: it won't listen on {host}, only on the loopback")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, because asyncio turns Nagle's algorithm off for no other socket: 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise StartFailed(f"the local Kaggle can't listen on {host}, port {port}: {error.strerror}") from error
    return listener


def _server(app: Starlette, faults: Faults | None = None) -> uvicorn.Server:
    wire = Wire()
    config = uvicorn.Config(
        app if faults is None else Faulty(app, app.state.store, faults, wire),
        http="h11" if faults is None else wire.protocol(),
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="critical",  # _broken reports what breaks
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,  # seconds, for downloads that nobody reads
    )
    server = uvicorn.Server(config)
    wire.attach(server)
    app.state.stopping = lambda: server.should_exit
    return server
