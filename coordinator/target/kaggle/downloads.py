"""Files that are read from signed addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import requests

from coordinator.errors import Expired, NoAnswer
from coordinator.target.download import Download
from coordinator.target.kaggle import parsing
from coordinator.target.kaggle.policy import Failed
from coordinator.target.kaggle.session import ApiSession

Request = Callable[[Mapping[str, str]], requests.Response]
"""Requests the file with these headers; the body of its answer is not read yet."""


def open_download(session: ApiSession, doing: str, request: Request, offset: int) -> Download:
    """Begins to read a file from `offset` on, or from its start if there is no more of it, or the server cannot.

    `doing` begins the messages. Raises Expired if the address has expired, NoAnswer.
    """
    # With a compressed transfer neither the size nor the offset would be that of the file.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={offset}-"} if offset else {})}
    with session.explaining(doing):
        response = request(headers)
    try:
        if response.status_code == 416 and offset:  # the local part is longer than the file on the server
            response.close()
            return open_download(session, doing, request, 0)
        if response.status_code >= 400:
            # Storage services answer with 400, 403 or 410 if the address has expired.
            hint = "Its address has expired, or the file was deleted."
            raise Expired(f"{doing}: {session.target} answered with HTTP {response.status_code}", hint=hint)
        with session.explaining(doing):
            start, size = parsing.extent(response, offset)
    except BaseException:
        response.close()
        raise

    def chunks() -> Iterator[bytes]:
        try:
            yield from parsing.pieces(response)
        except Failed as failed:
            raise NoAnswer(f"{doing}: the transfer stopped before its end ({failed.failure})") from failed

    etag = response.headers.get("ETag", "")
    validator = response.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag
    return Download(start=start, size=size, validator=validator, chunks=chunks(), close=response.close)
