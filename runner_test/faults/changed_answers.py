"""The changes of an answer's bytes that planned faults make."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from runner_test.faults.plan import Fault, Kind


def changed(fault: Fault, body: bytes, calls: Mapping[str, int]) -> bytes:
    """The body of an answer after the fault; unchanged if the fault does not apply to it.

    `calls` says how often each method was called.
    """
    match fault.fault:
        case Kind.CUT:
            return body[: len(body) // 2]
        case Kind.GARBLED:
            return bytes(byte ^ 0x80 for byte in body)
        case Kind.EMPTY:
            return b"{}"
    try:
        answer = json.loads(body)
    except ValueError:
        return body  # a live log, or a redirect to a file
    if not isinstance(answer, dict):
        return b'{"records": 5}' if fault.fault is Kind.TYPES else body
    other = _DICT_CHANGES[fault.fault](answer, calls)
    return body if other == answer else json.dumps(other).encode()


def _other_types(answer: dict[str, Any], _: Mapping[str, int]) -> Any:
    """The same names with values of other types; a list if there are no names."""
    others: dict[type, Any] = {str: ["a", 1], int: "many", float: "much", bool: "maybe", list: 5, dict: "text"}
    return {name: others.get(type(value), 5) for name, value in answer.items()} or [1]


def _same_token(answer: dict[str, Any], _: Mapping[str, int]) -> dict[str, Any]:
    return answer | {"nextPageToken": "0"}


def _new_token(answer: dict[str, Any], calls: Mapping[str, int]) -> dict[str, Any]:
    return answer | {"nextPageToken": str(1000 + sum(calls.values()))}


def _no_log(answer: dict[str, Any], _: Mapping[str, int]) -> dict[str, Any]:
    return answer | {"log": ""}


def _running(answer: dict[str, Any], _: Mapping[str, int]) -> dict[str, Any]:
    if "status" not in answer:
        return answer
    state = "BLOBS_RECEIVED" if answer["status"] == "READY" else "RUNNING"
    return {name: value for name, value in answer.items() if name != "failureMessage"} | {"status": state}


def _of_the_version_before(answer: dict[str, Any], _: Mapping[str, int]) -> dict[str, Any]:
    """A data set's version before was ready; for a kernel's, another question was asked."""
    return answer | {"status": "READY"} if answer.get("status") == "BLOBS_RECEIVED" else answer


def _expired(answer: dict[str, Any], _: Mapping[str, int]) -> dict[str, Any]:
    files = [file | {"url": re.sub(r"expires=[0-9]+", "expires=1", file["url"])} for file in answer.get("files", [])]
    return answer | {"files": files}


_DICT_CHANGES: Mapping[Kind, Callable[[dict[str, Any], Mapping[str, int]], Any]] = {
    Kind.TYPES: _other_types,
    Kind.REPEATED_TOKEN: _same_token,
    Kind.ENDLESS_PAGES: _new_token,
    Kind.EMPTY_LOG: _no_log,
    Kind.RUNNING: _running,
    Kind.STALE: _of_the_version_before,
    Kind.EXPIRED: _expired,
}
