"""Downloads of outputs, data and submissions. None needs credentials: an address is signed, and expires."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from runner_test.http import access, competing, reading, submitting
from runner_test.http.archives import archive


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
