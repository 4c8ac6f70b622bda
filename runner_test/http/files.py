"""Downloads of outputs, data, models and submissions. None needs credentials: an address is signed, and expires."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from runner_test.http import access, competing, dataset_reading, model_reading, ranking, reading, submitting
from runner_test.http.archives import archive, tape


async def file(request: Request) -> Response:
    """An output file, at its signed address."""
    return await _signed(request, reading.output_file, **request.path_params)


async def data_file(request: Request) -> Response:
    """A file of a competition's data."""
    return await _signed(request, competing.data_file, **request.path_params)


async def dataset_file(request: Request) -> Response:
    """A file of a data set's version."""
    return await _signed(request, dataset_reading.dataset_file, **request.path_params)


async def model_file(request: Request) -> Response:
    """A file of a model's version."""
    name = request.path_params["name"]
    return await _signed(request, model_reading.model_file, source=_model(request), name=name)


async def submission_file(request: Request) -> Response:
    """A submitted file."""
    return await _signed(request, submitting.submission_file, number=request.path_params["number"])


async def output_archive(request: Request) -> Response:
    """An archive of a version's whole output."""
    return await _archive(request, reading.output_files)


async def dataset_archive(request: Request) -> Response:
    """An archive of all files of a data set's version."""
    return await _archive(request, dataset_reading.all_files)


async def model_archive(request: Request) -> Response:
    """An archive of all files of a model's version."""
    source = _model(request)
    return await _signed(request, lambda store: tape(model_reading.all_files(store, source)), temporary=True)


def _model(request: Request) -> str:
    return "/".join(str(value) for name, value in request.path_params.items() if name != "name")


async def _archive(request: Request, list_files: Callable[..., list[tuple[str, Path]]]) -> Response:
    """An archive of the files that are listed for the parts of the address."""
    whole = {name: value for name, value in request.path_params.items() if name != "name"}
    return await _signed(request, lambda store: archive(list_files(store, **whole)), temporary=True)


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
