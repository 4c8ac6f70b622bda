"""Downloads of outputs, data and submissions, and uploads of submissions.

None needs credentials: a download's address is signed and expires, an upload's address has a token.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from runner_test.http import access, competing, ranking, reading, submitting
from runner_test.http.archives import archive
from runner_test.http.rpc import Refusal
from runner_test.state import replacing, uploads


async def file(request: Request) -> Response:
    """An output file, at its signed address."""
    return await _signed(request, reading.output_file, **request.path_params)


async def data_file(request: Request) -> Response:
    """A file of a competition's data."""
    return await _signed(request, competing.data_file, **request.path_params)


async def submission_file(request: Request) -> Response:
    """A submitted file."""
    return await _signed(request, submitting.submission_file, number=request.path_params["number"])


async def output_archive(request: Request) -> Response:
    """An archive of a version's whole output."""
    whole = {name: value for name, value in request.path_params.items() if name != "name"}
    return await _signed(request, lambda store: archive(reading.output_files(store, **whole)), temporary=True)


async def data_archive(request: Request) -> Response:
    """An archive of a competition's whole data."""
    slug = request.path_params["name"].removesuffix(".zip")
    return await _signed(request, lambda store: archive(competing.data_files(store, slug)), temporary=True)


async def leaderboard_archive(request: Request) -> Response:
    """An archive of a competition's leaderboard."""
    slug = request.path_params["name"].removesuffix(".zip")
    return await _signed(request, lambda store: ranking.leaderboard_archive(store, slug), temporary=True)


async def _signed(request: Request, open_file: Callable[..., Path], *, temporary: bool = False, **of: Any) -> Response:
    """A file, if its address is signed. Starlette handles ranges; a temporary file is deleted afterwards."""
    store, query = request.app.state.store, request.query_params
    # The last part of the path may contain slashes; the signature covers the requested path.
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


async def upload(request: Request) -> Response:
    """Receive an announced file at its address. If it is not complete, nothing is kept."""
    root = request.app.state.store.root
    token = request.path_params["token"]
    upload = await run_in_threadpool(uploads.upload_of, root, token)
    if upload is None:
        raise Refusal(404, "There is no such upload: it has expired, or was never started")
    content = uploads.upload_content(root, token)
    size = 0
    with replacing(content) as partial:
        with partial.open("wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > upload.size:
                    break
                file.write(chunk)
        if size != upload.size:
            raise Refusal(400, f"{upload.file_name!r} was announced with {upload.size:,} bytes, not {size:,}")
    return JSONResponse({})
