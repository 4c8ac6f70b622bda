"""Probes about logs and output: the log of a queued, a running and an ended session; lists and addresses of files."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from coordinator.errors import NoAnswer, TargetError
from coordinator.kaggle_rules import LOG_STREAM_END
from coordinator.maintenance.live_check.check import LiveCheck
from coordinator.maintenance.live_check.facts import Answer
from coordinator.maintenance.live_check.probe import Probe
from coordinator.maintenance.live_check.session_script import MANY_FILES
from coordinator.target import Reply


def _queued(check: LiveCheck) -> Answer:
    ref = check.first()
    status = check.status(ref.address).data.get("status")
    try:
        reply = check.stream(ref, seconds=check.pace.soon)
    except NoAnswer as error:
        return Answer(f"while it was {status}: {error.what}", agrees=False)
    seen = reply.refusal or f"{reply.kind or 'no answer yet'}, {len(_records(reply))} records"
    is_live = reply.kind == "text/event-stream" or (reply.code == 503)
    return Answer(f"while it was {status}: {seen}", is_live)


def _records(reply: Reply) -> list[dict[str, Any]]:
    """The whole records of a log, live or stored."""
    if reply.kind != "text/event-stream":
        try:
            return [record for record in json.loads(reply.text) if isinstance(record, dict)]
        except (ValueError, TypeError):
            return []
    found = []
    for line in reply.text.splitlines():
        try:
            found.append(json.loads(line.removeprefix("data:")))
        except ValueError:
            continue
    return [record for record in found if isinstance(record, dict)]


def _live(check: LiveCheck) -> Answer:
    """Waits until the first kernel prints, and reads its live log twice."""
    ref = check.first()

    def printed() -> Reply | None:
        with contextlib.suppress(NoAnswer):  # it is still queued
            reply = check.stream(ref, seconds=check.pace.soon)
            return reply if _records(reply) else None
        return None

    reply = check.wait(printed, f"{ref} prints")
    _check_live(reply)
    again = check.stream(ref, seconds=check.pace.soon)
    fields = sorted(_records(reply)[0])
    replays = _records(reply)[:1] == _records(again)[:1]
    start = "starts at the beginning" if replays else "does not start at the beginning"
    seen = f"{reply.kind}, records of {', '.join(fields)}; a second reader {start}"
    return Answer(seen, {"stream_name", "time", "data"} <= set(fields) and replays)


def _check_live(reply: Reply) -> None:
    if reply.kind != "text/event-stream":
        raise TargetError(f"it came as {reply.kind}: the session had ended before it was read")


def _end(check: LiveCheck) -> Answer:
    reply = check.stream(check.first(), seconds=check.pace.most)
    _check_live(reply)
    lines = [line for line in reply.text.splitlines() if line.strip()]
    return Answer(lines[-1], lines[-1].removeprefix("data:").strip() == LOG_STREAM_END)


def _stored(check: LiveCheck) -> Answer:
    reply = check.stream(check.first_complete(), seconds=30.0)
    return Answer(
        f"{reply.kind}, {len(_records(reply))} records", reply.kind == "application/json" and bool(_records(reply))
    )


def _label(check: LiveCheck) -> Answer:
    ref = check.first_complete()
    replies = {label: check.stream(ref, seconds=30.0, versionLabel=label) for label in ("v1", "v99")}
    seen = ", ".join(f"{label}: {reply.refusal or 'an answer'}" for label, reply in replies.items())
    return Answer(seen, bool(_records(replies["v1"])) and replies["v99"].code >= 400)


def _lines(check: LiveCheck) -> Answer:
    texts = [record.data for record in check.target.log(check.first_complete())]
    ticks = [text for text in texts if "tick" in text]
    return Answer(f"print('tick', 1) and print('tick', 2): {ticks}", ticks == ["tick 1\n", "tick 2\n"])


def _streams(check: LiveCheck) -> Answer:
    records = check.target.log(check.first_complete())
    stream = next((record.stream for record in records if "of stderr" in record.data), "nowhere")
    return Answer(f"{stream}; in all: {', '.join(sorted({record.stream for record in records}))}", stream == "stderr")


def _output(check: LiveCheck, **fields: Any) -> Reply:
    ref = check.first_complete()
    reply = check.kernels("ListKernelSessionOutput", userName=ref.owner, kernelSlug=ref.slug, **fields)
    if reply.refusal:
        raise TargetError(reply.refusal)
    return reply


def _page(check: LiveCheck) -> Answer:
    by_default, long = _output(check), _output(check, pageSize=200)
    sizes = [len(reply.data.get("files") or []) for reply in (by_default, long)]
    has_more = bool(by_default.data.get("nextPageToken"))
    seen = f"{sizes[0]} files{', and a token' if has_more else ''}; with pageSize 200: {sizes[1]}"
    return Answer(seen, sizes[0] == 20 and has_more and sizes[1] == MANY_FILES + 1)


def _names(check: LiveCheck) -> Answer:
    files = _output(check, pageSize=200).data.get("files") or []
    names = sorted(str(file.get("fileName")) for file in files)
    others = [name for name in names if not name.startswith("many/")]
    seen = f"{len(names) - len(others)} in many/; beside it {', '.join(others)}"
    return Answer(seen, others == ["facts.json"] and f"many/{MANY_FILES - 1}.txt" in names)


def _address(check: LiveCheck) -> str:
    files = _output(check, pageSize=200).data.get("files") or []
    return str(next(file["url"] for file in files if file.get("fileName") == "facts.json"))


def _expires(check: LiveCheck) -> Answer:
    query = {name.lower(): value[0] for name, value in parse_qs(urlsplit(_address(check)).query).items()}
    if "x-goog-expires" in query:
        seconds = float(query["x-goog-expires"])
    elif "expires" in query:
        seconds = float(query["expires"]) - check.clock.seconds()
    else:
        raise TargetError(f"the address says nothing of it; its parameters are {', '.join(sorted(query)) or 'none'}")
    return Answer(f"{seconds / 60:.0f} minutes", 10 * 60 <= seconds <= 20 * 60)


def _part(check: LiveCheck) -> Answer:
    reply = check.wire.get(_address(check), {"Range": "bytes=5-", "Accept-Encoding": "identity"})
    names = [name for name in ("etag", "last-modified") if name in reply.headers]
    span = reply.headers.get("content-range", "without a range")
    return Answer(
        f"{reply.status} {span}, with {' and '.join(names) or 'no validator'}", reply.status == 206 and bool(names)
    )


_LOCAL = "docs/local_kaggle.md"

FIRST = (
    Probe(
        "the live log directly after the push",
        "waits or streams; 503 after a minute",
        "docs/local_kaggle.md",
        _queued,
    ),
)
RUNNING = (
    Probe("the live log of a running session", "server-sent events, from the start each time", "client.follow", _live),
    Probe("the end of a live log", LOG_STREAM_END, "kaggle_rules.py LOG_STREAM_END", _end),
)
ENDED = (
    Probe("the log stream of a session that has ended", "a JSON array of its records", "client.follow", _stored),
    Probe("a version label in the log stream", "v1 is taken; one that is not there is refused", _LOCAL, _label),
    Probe("a log's records", "one line a record", _LOCAL, _lines),
    Probe("stderr in a log", "a stream of its own", "target/protocol.py LogRecord", _streams),
    Probe("a page of an output's list", "20 files, 200 on request", _LOCAL, _page),
    Probe("an output's names", "relative paths; no file of Kaggle's own", _LOCAL, _names),
    Probe("how long a file's address works", "15 minutes", _LOCAL, _expires),
    Probe("a part of a file", "206, and a validator", "client.open_output", _part),
)
