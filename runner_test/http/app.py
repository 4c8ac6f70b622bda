"""The HTTP application: Kaggle's paths and credentials around the methods."""

import base64
import binascii
import json

from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionLogsStreamRequest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from runner_test.errors import BadName
from runner_test.http import files, reading, uploading
from runner_test.http.hosts import LoopbackOnly
from runner_test.http.http_errors import HANDLERS
from runner_test.http.live_log import log_response
from runner_test.http.methods import METHODS
from runner_test.http.page import dataset_page, front_page, kernel_page
from runner_test.http.rpc import Answer, Caller, LogOf, Method, Redirect, Refusal, call
from runner_test.http.signing import is_same
from runner_test.http.unserved import is_kaggles
from runner_test.sessions import notebook
from runner_test.state import Reference, datasets, tree
from runner_test.store import Store

URL_LIFETIME = 15 * 60.0  # seconds
MAX_BODY = 16 << 20  # bytes: enough for a source of 1 MiB with every character escaped
_MODEL = "{owner}/{model}/{framework}/{variation}/{number:int}"
# Text by a kernel's author is never executed by a browser.
_TEXT_ONLY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
_LOG_STREAM = Method(ApiGetKernelSessionLogsStreamRequest, reading.get_kernel_session_logs_stream)


def create_app(store: Store, *, token_user: str = "local", url_lifetime: float = URL_LIFETIME) -> Starlette:
    """The application.

    Every request needs the store's token: as an access token, whose user is `token_user`, or as the key of any user.
    `url_lifetime` is how many seconds a file's address is valid, which needs no other credentials.
    `app.state.stopping` is a function; open log streams end once it returns True.
    """
    app = Starlette(routes=_ROUTES, middleware=[Middleware(LoopbackOnly)], exception_handlers=HANDLERS)
    app.state.store = store
    app.state.token = store.token()
    app.state.token_user = token_user
    app.state.url_lifetime = url_lifetime
    app.state.stopping = lambda: False
    return app


# Endpoints


async def _call(request: Request) -> Response:
    name = f"{request.path_params['service']}/{request.path_params['method']}"
    method = METHODS.get(name)
    if method is None:
        if await run_in_threadpool(is_kaggles, name):
            raise Refusal(501, f"The local Kaggle does not serve {name}")
        raise HTTPException(404)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        # A browser that knows the token (page.py) would send it with another site's request, but not with this type.
        raise Refusal(415, "The request is not application/json")
    try:
        body = json.loads(await _body(request))
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "The request is not JSON") from error
    answer = await run_in_threadpool(call, method, _caller(request), body)
    return await _response(request, answer)


async def _log_stream(request: Request) -> Response:
    body = {
        "userName": request.path_params["owner"],
        "kernelSlug": request.path_params["slug"],
        "versionLabel": request.query_params.get("versionLabel", ""),
    }
    answer = await run_in_threadpool(call, _LOG_STREAM, _caller(request), body)
    return await _response(request, answer)


async def _page(request: Request) -> Response:
    """A kernel's page, private or not: whoever has the token may act as any user."""
    _check_user(request)
    html = await run_in_threadpool(_page_html, request.app.state.store, **request.path_params)
    return HTMLResponse(html, headers=_TEXT_ONLY)


async def _dataset_page(request: Request) -> Response:
    """A data set's page, private or not."""
    _check_user(request)
    html = await run_in_threadpool(_dataset_html, request.app.state.store, **request.path_params)
    return HTMLResponse(html, headers=_TEXT_ONLY)


async def _front_page(request: Request) -> Response:
    """All kernels, the latest version first."""
    _check_user(request)
    html = await run_in_threadpool(_front_page_html, request.app.state.store)
    return HTMLResponse(html, headers=_TEXT_ONLY)


def _front_page_html(store: Store) -> str:
    newest = [(kernel, store.newest(kernel.reference)) for kernel in store.kernels()]
    rows = [(kernel, version, store.progress(version)) for kernel, version in newest if version]
    return front_page(sorted(rows, key=lambda row: row[1].created, reverse=True))


def _check_user(request: Request) -> None:
    """Raise Refusal for a page without the token. A browser then asks for it, and keeps it for this address alone.

    (It would send a cookie to the servers of other users on this machine, too: cookies know no ports.)
    """
    if _caller(request).user is None:
        raise Refusal(401, "The key is the token: open the address that the server printed when it started")


def _reference(owner: str, slug: str) -> Reference:
    try:
        return Reference.parse(f"{owner}/{slug}")
    except BadName as error:
        raise Refusal(404, str(error)) from error


def _dataset_html(store: Store, owner: str, slug: str) -> str:
    reference = _reference(owner, slug)
    dataset, versions = datasets.dataset(store.root, reference), datasets.versions(store.root, reference)
    if dataset is None or not versions:
        raise Refusal(404, f"There is no data set {reference}")
    folder = versions[-1].files_folder
    files = tree.readable_files(folder) if folder is not None else []
    return dataset_page(dataset, versions[::-1], [(name, status.st_size) for name, status in files])


def _page_html(store: Store, owner: str, slug: str) -> str:
    reference = _reference(owner, slug)
    kernel = store.kernel(reference)
    saved = [store.version(reference, number) for number in reversed(store.numbers(reference))]
    versions = [(version, store.progress(version)) for version in saved if version]
    if kernel is None or not versions:
        raise Refusal(404, f"There is no kernel {reference}")
    source = store.paths(versions[0][0]).source.read_text(encoding="utf-8")
    if versions[0][0].kernel_type == "notebook":
        source = notebook.as_text(source)
    return kernel_page(kernel, versions, source)


# Requests and responses


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refusal(400, "Bad Request")
    return bytes(body)


def _caller(request: Request) -> Caller:
    state = request.app.state
    # The address that the client is connected to, not the name that it used through a proxy.
    host, port = request.scope["server"]
    return Caller(
        store=state.store,
        user=_user(request.headers.get("authorization", ""), state.token, state.token_user),
        token_user=state.token_user,
        url=url_of(host, port),
        url_lifetime=state.url_lifetime,
    )


def url_of(host: str, port: int) -> str:
    """The URL of a server on that host and port."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _user(authorization: str, token: str, token_user: str) -> str | None:
    """The user of the credentials: `token_user` of the token, or whoever has it as the key. None for any others."""
    scheme, _, credentials = authorization.partition(" ")
    name, given = token_user, credentials.strip()
    if scheme.lower() == "basic":
        try:
            name, _, given = base64.b64decode(given, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
    elif scheme.lower() != "bearer":
        return None
    return name.lower() or None if is_same(given, token) else None


async def _response(request: Request, answer: Answer) -> Response:
    if isinstance(answer, Redirect):
        return RedirectResponse(answer.url, status_code=302)
    if isinstance(answer, LogOf):
        return await log_response(request, answer)
    return JSONResponse(answer if isinstance(answer, dict) else answer.to_dict())


# Once for all servers of a process: each compiles a pattern, which together takes as long as the rest of an app.
_ROUTES = (
    Route("/api/v1/kernels/logs/stream/{owner}/{slug}", _log_stream),
    Route("/api/v1/{service}/{method}", _call, methods=["POST"]),
    Route("/files/{owner}/{slug}/{number:int}/{name:path}", files.file),
    Route("/data/{slug}/{name:path}", files.data_file),
    Route("/dataset-files/{owner}/{slug}/{number:int}/{name:path}", files.dataset_file),
    Route(f"/model-files/{_MODEL}/{{name:path}}", files.model_file),
    Route("/submissions/{number:int}/{name:path}", files.submission_file),
    Route("/archives/kernels/{owner}/{slug}/{number:int}/{name}", files.output_archive),
    Route("/archives/datasets/{owner}/{slug}/{number:int}/{name}", files.dataset_archive),
    Route(f"/archives/models/{_MODEL}/{{name}}", files.model_archive),
    Route("/archives/competitions/{name}", files.data_archive),
    Route("/archives/leaderboards/{name}", files.leaderboard_archive),
    Route("/uploads/{token}", uploading.upload, methods=["PUT"]),
    Route("/code/{owner}/{slug}", _page),
    Route("/datasets/{owner}/{slug}", _dataset_page),
    Route("/", _front_page),
)
