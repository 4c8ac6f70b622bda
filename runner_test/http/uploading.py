"""Uploads of files: `BlobApiService`, and the addresses to which announced files are sent, in one piece or several.

A file is sent with PUT, as to Google's storage on Kaggle. `Content-Range: bytes 0-99/500` names a piece of it, and
`bytes */500` asks how much has arrived. The answer is 308 with `Range: bytes=0-99` until the file is complete, then
200.
"""

import asyncio
import re
import time
from dataclasses import dataclass

from kagglesdk.blobs.types.blob_api_service import (
    ApiBlobType,
    ApiStartBlobUploadRequest,
    ApiStartBlobUploadResponse,
)
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runner_test.http.rpc import Answer, Caller, Refusal, new
from runner_test.state import Receiver, Upload, file_name_problem, uploads

LIFETIME = 7 * 24 * 3600.0  # seconds from the announcement until a file must have been used
MAX_FILE = 200 * 10**9  # bytes, of all files of a data set
_WAITS = 10.0  # seconds for a request that still writes the same file
_PURPOSES = {ApiBlobType.DATASET: uploads.DATASET, ApiBlobType.MODEL: uploads.MODEL}


def start_blob_upload(caller: Caller, request: ApiStartBlobUploadRequest) -> Answer:
    """Announce a file of a data set; the answer has a token, and the address to send the file to."""
    purpose = _PURPOSES.get(request.type)
    if purpose is None:
        raise Refusal(400, f"The local Kaggle takes no files of type {request.type.name}")
    if not 0 <= request.content_length <= MAX_FILE:
        raise Refusal(400, f"A file has up to {MAX_FILE:,} bytes, not {request.content_length:,}")
    if problem := file_name_problem(request.name):
        raise Refusal(400, f"The file can't be called {request.name!r}: {problem}")
    assert caller.user is not None
    size = request.content_length
    upload = uploads.start_upload(caller.store.root, caller.user, purpose, request.name, size, lifetime=LIFETIME)
    return new(ApiStartBlobUploadResponse, token=upload.token, create_url=upload_url(caller, upload))


def upload_url(caller: Caller, upload: Upload) -> str:
    """The address to which the file is sent."""
    return f"{caller.url}/uploads/{upload.token}"


@dataclass(frozen=True)
class _Piece:
    """The part of a file that a request says it has: `begin` and `end` in bytes, `end` excluded."""

    begin: int
    end: int

    @classmethod
    def of(cls, header: str | None, size: int) -> "_Piece | None":
        """Parse a Content-Range, or the lack of one: the whole file. None for a question. Raises Refusal."""
        if header is None:
            return cls(0, size)
        found = re.fullmatch(r"bytes (?:([0-9]{1,15})-([0-9]{1,15})|\*)/([0-9]{1,15}|\*)", header.strip(), re.ASCII)
        if found is None or found[3] not in (str(size), "*"):
            raise Refusal(400, f"Content-Range {header!r} does not fit the announced {size:,} bytes")
        if found[1] is None:
            return None
        piece = cls(int(found[1]), int(found[2]) + 1)
        if not piece.begin < piece.end <= size:
            raise Refusal(400, f"Content-Range {header!r} does not fit the announced {size:,} bytes")
        return piece


async def upload(request: Request) -> Response:
    """Receive an announced file, or a piece of it, at its address."""
    root = request.app.state.store.root
    token = request.path_params["token"]
    upload = await run_in_threadpool(uploads.upload_of, root, token)
    if upload is None:
        raise Refusal(404, "There is no such upload: it has expired, or was never started")
    piece = _Piece.of(request.headers.get("content-range"), upload.size)
    there = uploads.received(root, upload)
    is_complete = uploads.upload_content(root, token).exists()
    if piece is not None and not is_complete and piece.begin <= there:
        await _receive(request, upload, piece)
    else:
        async for _ in request.stream():  # a client reads no answer before it has sent its piece
            pass
    if uploads.upload_content(root, token).exists():
        return JSONResponse({})
    there = uploads.received(root, upload)
    return Response(status_code=308, headers={"Range": f"bytes=0-{there - 1}"} if there else {})


async def _receive(request: Request, upload: Upload, piece: _Piece) -> None:
    """Add a piece to its file. Raises Refusal if it is not as long as it says, or another request sends the same file.

    Raises ClientDisconnect if it breaks off.
    """
    root = request.app.state.store.root
    give_up = time.monotonic() + _WAITS
    while True:
        with Receiver.opened(root, upload, piece.begin, piece.end) as receiver:
            if receiver is not None:
                async for chunk in request.stream():
                    if not receiver.add(chunk):
                        break
                if receiver.position != piece.end:
                    sent, told = receiver.position - piece.begin, piece.end - piece.begin
                    raise Refusal(400, f"{upload.file_name!r} was announced with {told:,} bytes, not {sent:,}")
                return
        if time.monotonic() > give_up:
            raise Refusal(503, f"Another request sends {upload.file_name!r}: ask how much of it has arrived")
        await asyncio.sleep(0.02)
