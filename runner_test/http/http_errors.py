"""HTTP errors in the form that Kaggle's clients expect: JSON with the status and a message."""

import errno
import sys
import traceback
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ExceptionHandler

from runner_test.http.rpc import Refusal


def error_response(code: int, message: str) -> JSONResponse:
    """An HTTP error in the form that kagglesdk reads."""
    headers = {"WWW-Authenticate": 'Basic realm="The local Kaggle"'} if code == 401 else None
    return JSONResponse({"code": code, "message": message}, status_code=code, headers=headers)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error_response(error.code, error.message)


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = f"{request.method} {request.url.path}"
    print(f"local Kaggle: unknown request: {what}", file=sys.stderr)
    return error_response(404, f"The local Kaggle does not know {what}")


async def _gone(_: Request, error: Exception) -> Response:
    """The client disconnected before its request was complete: nothing was done, and the answer is not read."""
    assert isinstance(error, ClientDisconnect)
    return Response(status_code=400)


async def _vanished(_: Request, error: Exception) -> Response:
    """A kernel was deleted, or a file of an output removed, after it had been found."""
    assert isinstance(error, FileNotFoundError)
    return error_response(503, "Something was deleted while this was being answered: ask again")


def no_room(error: OSError) -> str:
    """What to say of a disk that is full, or of a quota that is used up; empty for any other error."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return ""
    where = error.filename2 or error.filename or error.strerror
    return f"the disk of the local Kaggle is full: {where}. Free some space there"


async def _of_the_disk(request: Request, error: Exception) -> Response:
    """A full disk is no mistake of this program: the client gets the reason, and no traceback is printed."""
    assert isinstance(error, OSError)
    told = no_room(error)
    return error_response(507, told) if told else await _broken(request, error)


async def _broken(request: Request, error: Exception) -> Response:
    print("".join(traceback.format_exception(error)), file=sys.stderr)
    return error_response(500, f"{type(error).__name__} in {request.method} {request.url.path}")


HANDLERS: Mapping[type[Exception], ExceptionHandler] = {
    HTTPException: _unknown,
    Refusal: _refused,
    ClientDisconnect: _gone,
    FileNotFoundError: _vanished,
    OSError: _of_the_disk,
    Exception: _broken,
}
