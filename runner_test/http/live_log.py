"""A session's log over HTTP: server-sent events while it runs, the stored array afterwards."""

import time
from collections.abc import AsyncIterator, Callable

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from runner_test.http.rpc import LogOf, Refusal
from runner_test.sessions import log
from runner_test.state import State, Version
from runner_test.store import Store

_POLL = 0.1  # seconds between two reads of a growing log


async def log_response(request: Request, answer: LogOf) -> Response:
    """Live events while the session runs, the stored array afterwards. Waits for a queued session. Raises Refusal."""
    store: Store = request.app.state.store
    stopping: Callable[[], bool] = request.app.state.stopping
    give_up = time.monotonic() + answer.wait
    try:
        while (state := store.progress(answer.version).state) is State.QUEUED:
            if time.monotonic() > give_up or stopping():
                raise Refusal(503, "The session has not started yet: its log is not available")
            await anyio.sleep(_POLL)
    except FileNotFoundError as error:
        raise Refusal(404, f"{answer.version.reference} has been deleted") from error
    if state.final:
        return Response(log.as_array(store.paths(answer.version).log), media_type="application/json")
    return StreamingResponse(_events(store, answer.version, stopping), media_type="text/event-stream")


async def _events(store: Store, version: Version, stopping: Callable[[], bool]) -> AsyncIterator[str]:
    """The whole log from its start, and what is added until the session ends.

    If the server stops, the stream ends without END_OF_LOG, so the client knows that it must connect again.
    """
    path = store.paths(version).log
    offset = 0
    while not stopping():
        try:
            final = store.progress(version).state.final  # read before the log, so that the last read is complete
        except FileNotFoundError:
            final = True  # deleted meanwhile
        lines, offset = log.lines_from(path, offset)
        for line in lines:
            yield f"data: {line}\n\n"
        if final:
            yield "data: END_OF_LOG\n\n"
            return
        await anyio.sleep(_POLL)
