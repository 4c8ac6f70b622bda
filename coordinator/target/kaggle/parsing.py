"""Reads answers without trusting them: limits for size and time, and checks of all types against kagglesdk's.

kagglesdk itself reads an answer of any size into memory, and sets fields to values of any type.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from enum import Enum
from http.client import HTTPException
from typing import Any

import requests
import urllib3
from kagglesdk.kaggle_object import FieldMask, KaggleObject, ListSerializer, MapSerializer

from coordinator.kaggle_rules import LOG_STREAM_END
from coordinator.target.kaggle.deadline import within
from coordinator.target.kaggle.policy import Failed, Failure
from coordinator.target.protocol import LogRecord

_PIECE = 1 << 16  # bytes
_LINE = 4 << 20  # bytes of one record of a live log
_MESSAGE = 300  # characters of a server's message that are shown
_ERROR_BODY = 1 << 16  # bytes that are read of the body of an HTTP error
_AS_TEXT = (Enum, datetime, timedelta, FieldMask)  # in JSON; see kagglesdk.kaggle_object
_TEXT_AT_MOST = 200  # characters of a name, a date or a duration
_TYPE_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


def shown(text: str) -> str:
    """A server's text as it may be shown: one line of at most 303 characters, without control characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _MESSAGE]).split())
    return line if len(line) <= _MESSAGE else f"{line[:_MESSAGE]}..."


def read(response: requests.Response, *, most: int, left: Callable[[], float]) -> bytes:
    """The whole body, unpacked. Raises Failed if it is cut off, larger than `most` bytes, or late.

    `left` returns the seconds until the end of the call.
    """
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "deflate"):
        raise Failed(Failure.UNUSABLE, f"it is compressed with {shown(encoding)}, which was not requested")
    unpack = None if encoding == "identity" else zlib.decompressobj(zlib.MAX_WBITS | 32)  # of either format
    body, arrived = bytearray(), 0
    try:
        with within(left(), response.raw.shutdown):
            for piece in pieces(response):
                arrived += len(piece)
                body += piece if unpack is None else unpack.decompress(piece, most + 1 - len(body))
                if len(body) > most or arrived > most:
                    raise _too_large(most)
                if left() < 0:
                    raise TimeoutError
    except zlib.error as error:
        raise Failed(Failure.CUT, "it cannot be unpacked") from error
    except TimeoutError:
        raise Failed(Failure.TIMEOUT) from None
    if unpack is not None and not unpack.eof:
        raise Failed(Failure.CUT)
    return bytes(body)


def pieces(response: requests.Response) -> Iterator[bytes]:
    """The body as it arrives, not unpacked, in pieces of at most 64 KiB. Raises Failed if it is cut off."""
    try:
        # read1 returns what has arrived; read would wait until the piece is full.
        while piece := response.raw.read1(_PIECE, decode_content=False):
            yield piece
    except (urllib3.exceptions.ReadTimeoutError, TimeoutError) as error:
        raise Failed(Failure.TIMEOUT) from error
    except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
        raise Failed(Failure.CUT) from error


def extent(response: requests.Response, offset: int) -> tuple[int, int | None]:
    """(offset of the first byte, size of the whole file in bytes) of a file that was requested from `offset` on.

    The size is None if the server does not send it. Raises Failed.
    """
    if response.status_code == 206:
        found = re.fullmatch(r"bytes (\d{1,15})-\d{1,15}/(\d{1,15}|\*)", response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != offset:
            raise Failed(Failure.UNUSABLE, "it is another part of the file than was requested")
        return offset, None if found[2] == "*" else int(found[2])
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Failed(Failure.UNUSABLE, "it is compressed, which was not requested")
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if re.fullmatch(r"\d{1,15}", length) else None


def arrived(response: requests.Response, size: int) -> int:
    """How many bytes of a file of `size` bytes a server has got, by its answer 308 to a piece of it. Raises Failed."""
    header = response.headers.get("Range", "")
    found = re.fullmatch(r"bytes[= ]0-(\d{1,15})", header.strip())
    if header and (found is None or int(found[1]) >= size):
        raise Failed(Failure.UNUSABLE, "it has got another part of the file than was sent")
    return int(found[1]) + 1 if found else 0


def error_message(response: requests.Response, left: Callable[[], float]) -> str:
    """The message of an HTTP error, or "". Raises nothing if its body cannot be read: the status is enough."""
    try:
        data = parse(read(response, most=_ERROR_BODY, left=left))
    except Failed as failed:
        return "a web page" if failed.failure is Failure.HTML else ""
    message = data.get("message") if isinstance(data, dict) else None
    return message if isinstance(message, str) else ""


def parse(body: bytes | str) -> Any:
    """Parses JSON. Raises Failed for a web page, and for JSON that is cut off or nested too deeply."""
    text = body.decode("utf-8", errors="replace") if isinstance(body, bytes) else body
    try:
        return json.loads(text)
    except RecursionError:
        raise Failed(Failure.UNUSABLE, "it is nested too deeply") from None
    except ValueError:
        # Without the cause: its message has the text itself.
        failure = Failure.HTML if text.lstrip()[:1] == "<" else Failure.CUT
        raise Failed(failure) from None


def message(kind: type[KaggleObject], data: Any) -> Any:
    """The answer as a message of kagglesdk. Raises Failed, which names the field, if a value has another type."""
    try:
        return kind.from_dict(_object(kind, data, "the answer"))
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise Failed(Failure.UNUSABLE, f"it is no valid {kind.__name__}: {shown(str(error))}") from error


def _object(kind: type[KaggleObject], data: Any, where: str) -> dict[str, Any]:
    """The fields that the message declares, checked. As in protobuf's JSON, null means that a field is missing."""
    _check(data, dict, where)
    checked = {}
    for field in kind._fields:
        value = data.get(field.json_name)
        if value is None:
            continue
        name = field.json_name
        if isinstance(field.serializer, ListSerializer):
            _check(value, list, name)
            checked[name] = [_value(field.field_type, item, f"{name}[{at}]") for at, item in enumerate(value)]
        elif isinstance(field.serializer, MapSerializer):
            _check(value, dict, name)
            checked[name] = value
        else:
            checked[name] = _value(field.field_type, value, name)
    return checked


def _value(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(kind, type):
        return value
    if issubclass(kind, KaggleObject):
        return _object(kind, value, where)
    if kind is str:
        _check(value, str, where)
        return clean(value)
    if kind is int and isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) < 20:
        return int(value)  # protobuf's JSON writes 64 bits as text
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value) if value.bit_length() < 64 else math.inf
    if issubclass(kind, _AS_TEXT):
        _check(value, str, where)
        if len(value) > _TEXT_AT_MOST:
            raise Failed(Failure.UNUSABLE, f"{where} has {len(value):,} characters")
        return value
    if kind in _TYPE_NAMES:
        _check(value, kind, where)
    return value


def _check(value: Any, kind: type, where: str) -> None:
    # In Python, True is an int.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        given = next((name for other, name in _TYPE_NAMES.items() if isinstance(value, other)), "null")
        raise Failed(Failure.UNUSABLE, f"{where} is {given}, not {_TYPE_NAMES[kind]}")


def clean(text: str) -> str:
    """The text with ? for halves of surrogate pairs (`\\ud800`), which JSON allows and UTF-8 does not."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def records(data: Any) -> list[LogRecord]:
    """The log of a session that has ended, a JSON array of records."""
    _check(data, list, "the log")
    return [record(item) for item in data]


def record(item: Any) -> LogRecord:
    """One record of a log. Raises Failed if it is no valid one."""
    _check(item, dict, "a record of the log")
    given = {"stream_name": "stdout", "time": 0.0, "data": ""} | {k: v for k, v in item.items() if v is not None}
    stream, seconds, data = given["stream_name"], given["time"], given["data"]
    for value, name in ((stream, "stream_name"), (data, "data")):
        _check(value, str, f"a record's {name}")
    seconds = _value(float, seconds, "a record's time")
    return LogRecord(stream=clean(stream), time=seconds if math.isfinite(seconds) else 0.0, data=clean(data))


def events(response: requests.Response, *, most: int, idle_seconds: float) -> Iterator[LogRecord]:
    """The records of a live log, until its end mark, the end of the connection, or `idle_seconds` without data.

    Raises Failed if it is larger than `most` bytes.
    """
    for line in _lines(_until_silent(response, idle_seconds), most):
        if not line.startswith(b"data:"):
            continue
        payload = line.removeprefix(b"data:").strip().decode("utf-8", errors="replace")
        if payload == LOG_STREAM_END:
            return
        try:
            yield record(parse(payload))
        except Failed:
            yield LogRecord(stream="stdout", time=0.0, data=payload + "\n")


def _until_silent(response: requests.Response, seconds: float) -> Iterator[bytes]:
    """The pieces of the body, until one does not arrive within `seconds` of being asked for."""
    content = pieces(response)
    while True:
        try:
            with within(seconds, response.raw.shutdown):
                piece = next(content, None)
        except TimeoutError:
            return
        if piece is None:
            return
        yield piece


def _lines(content: Iterator[bytes], most: int) -> Iterator[bytes]:
    rest, arrived = b"", 0
    try:
        for piece in content:
            arrived += len(piece)
            if arrived > most:
                raise _too_large(most)
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > _LINE:
                raise Failed(Failure.UNUSABLE, f"a line of it is larger than {_LINE >> 20} MiB")
            yield from (line.rstrip(b"\r") for line in lines)
    except Failed as failed:
        if failed.failure is Failure.UNUSABLE:
            raise
        # The caller asks for the state and connects again, and the log then starts from its beginning. This is also why
        # the rest without a line end is dropped: it was cut, and comes as a whole with the next connection.


def _too_large(most: int) -> Failed:
    return Failed(Failure.UNUSABLE, f"it is larger than {most >> 20} MiB, the limit for this answer")
