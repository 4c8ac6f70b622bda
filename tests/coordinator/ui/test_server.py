"""`coord ui` as a process: what it answers, who may ask, where it is, how it ends."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests

from coordinator.ledger.ledger import Ledger
from coordinator.live_page import LivePage, listening
from coordinator.project.project import Project
from coordinator.results.events import Event
from coordinator.target.protocol import RunState
from coordinator.ui.rows import about
from tests.coordinator.cli.tree import commands
from tests.coordinator.command import Coord
from tests.coordinator.finished_runs import finished
from tests.coordinator.sample_runs import COMPLETE
from tests.coordinator.ui.live_project import EVIL, Live, fill, live_page
from tests.paths import ROOT

PATHS = ("/", "/board", "/worst", "/chains", "/compare", "/sweeps/base--lr-s3")


@pytest.fixture
def live(coord: Coord) -> Iterator[Live]:
    with live_page(coord) as found:
        yield found


def test_an_empty_project(live: Live) -> None:
    """Each page says that there is nothing, and what to do; what does not exist is a 404 with a way back."""
    assert "coord push --exp NAME" in live.get("/").text
    for path in PATHS[:-1]:
        assert live.get(path).status_code == 200, path
    for path in ("/runs/none", "/sweeps/none", "/none", "/runs/..%2f..%2fpyproject.toml"):
        answer = live.get(path)
        assert (answer.status_code, 'href="/"' in answer.text) == (404, True), path


def test_who_may_ask_and_what_for(live: Live) -> None:
    """Only this host and origin, only reading; every answer, a refusal too, forbids all that the page does not need."""
    evil = live.get("/", Host="evil.example")
    assert (evil.status_code, "another host" in evil.text) == (403, True)
    assert live.get("/", Origin="http://evil.example").status_code == 403
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert requests.request(method, live.url, timeout=60).status_code == 405, method
    head = requests.head(live.url, timeout=60)
    assert (head.status_code, head.text) == (200, "")
    for answer in (head, evil, live.get("/none"), live.get("/live.js")):
        policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_unchanged_page_is_not_sent_again(live: Live, tiny: Project) -> None:
    """Until something has changed, its tag is enough."""
    finished(tiny, "base", 1, [0.5, 0.7])
    first = live.get("/chains")
    again = live.get("/chains", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.text) == (304, "")
    earlier = finished(tiny, "base", 2, [0.5, 0.6])
    finished(tiny, "base", 3, [0.5, 0.6], continues=earlier.id)
    changed = live.get("/chains", **{"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, f"/runs/{earlier.id}" in changed.text) == (200, True)


def test_hostile_text_stays_text(live: Live, tiny: Project) -> None:
    """Messages, logs, tags and a filter with markup are shown as they are, on every page."""
    run = finished(tiny, "base", 1, [0.5, 0.7], message=EVIL, git=EVIL)
    (tiny.results("base", "local", 1) / "kernel.log").write_text(f"{EVIL}\n\x1b[31mred\x1b[0m\n", encoding="utf-8")
    with Ledger(tiny.ledger) as ledger:
        ledger.update(run.id, state=RunState.ERROR)
    texts = [live.get(path).text for path in ("/", f"/runs/{run.id}", "/?q=<script>x", "/compare?of=<script>x&of=base")]
    for text in texts:
        assert text.count("<script") == 1, text
        assert "<img" not in text
        assert "\x1b" not in text
    assert "&lt;script&gt;document.title" in texts[1]


def test_many_runs_are_cut(live: Live, tiny: Project) -> None:
    """The newest are shown, with their number and the way to more; the filter looks into all of them."""
    first = finished(tiny, "base", 1, [0.5], has_oof=False)
    with Ledger(tiny.ledger) as ledger, ledger.transaction() as connection:
        row = dict(connection.execute("SELECT * FROM runs").fetchone())
        for at in range(2, 160):
            new = row | {
                "id": f"run{at}",
                "version": at,
                "created_at": f"2026-11-02T{at // 60:02}:{at % 60:02}:00+00:00",
            }
            connection.execute(
                f"INSERT INTO runs ({', '.join(new)}) VALUES ({', '.join('?' * len(new))})", [*new.values()]
            )
    page = live.get("/").text
    assert (page.count("<tbody data-key="), "the newest 100 of 159" in page) == (100, True)
    assert first.id not in page
    assert live.get("/?rows=400").text.count("<tbody data-key=") == 159
    found = live.get("/?q=base+LOCAL-V1").text
    assert found.count("<tbody data-key=") > 50
    assert first.id in live.get("/?q=local-v1+base&rows=9999999").text
    assert live.get("/?rows=-3&q=%00").status_code == 200


def test_what_the_pages_have(live: Live, tiny: Project) -> None:
    """Verdict first; a sweep's board; needs and chains as links; worst cases; the same leaderboard as the report."""
    runs = fill(tiny)
    compared = live.get("/compare?of=base-s0@v1&of=base--lr0.05-s0").text
    assert compared.index('id="verdict"') < compared.index("Both sides")
    problem = live.get("/compare?of=base-s0&of=nothing").text
    assert "there is no experiment" in problem or "nothing" in problem
    sweep = live.get("/sweeps/base--lr-s3").text
    assert sweep.count("<tbody data-key=") == 9
    assert f'href="/runs/{runs[3].id}"' in sweep
    chains = live.get("/chains").text
    assert f'continues <a href="/runs/{runs[0].id}"' in chains
    assert f'continued by <a href="/runs/{runs[-1].id}"' in chains
    assert live.get("/worst").text.count("<img ") > 10
    assert "candidate" in live.get("/?q=candidate").text
    board = live.get("/board").text
    assert "base--lr0.05" in board
    assert "leads with" in board
    for path in PATHS:
        assert live.get(path).status_code == 200, path


def test_a_second_one_says_where_the_first_is(coord: Coord, live: Live) -> None:
    """It ends at once with exit code 0; the address is that of the first."""
    again = coord("ui", "--no-browser")
    assert again.stdout.strip() == live.url
    assert "open already" in again.stderr


@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(coord: Coord, tiny: Project, signal_sent: signal.Signals) -> None:
    """Exit code 0, nothing said, the file with the address is gone; then runs have no address any more."""
    with live_page(coord) as live:
        page = listening(tiny)
        assert page is not None
        assert (page.url, page.pid) == (live.url, live.process.pid)
        live.process.send_signal(signal_sent)
        out, err = live.process.communicate(timeout=60)
    assert (live.process.returncode, out, err.count("\n")) == (0, "", 1), err
    assert not tiny.live_page.exists()
    assert listening(tiny) is None


def test_after_a_kill_the_next_one_starts(coord: Coord, tiny: Project) -> None:
    """The file that a killed server left counts as nothing."""
    with live_page(coord) as live:
        live.process.kill()
        live.process.wait(timeout=60)
    assert tiny.live_page.exists()
    assert listening(tiny) is None
    with live_page(coord) as live:
        assert listening(tiny) is not None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"port": 1}', '{"port": "x", "pid": 1, "key": ""}', '{"port": 70000, "pid": 1, "key": "a"}'],
)
def test_a_damaged_file_is_no_server(tiny: Project, text: str) -> None:
    """Whatever is in the file: no error, and no server."""
    tiny.state.mkdir()
    tiny.live_page.write_text(text)
    assert listening(tiny) is None


def test_another_server_on_that_port_is_not_taken_for_it(tiny: Project) -> None:
    """It does not know the key."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        tiny.state.mkdir()
        tiny.live_page.write_text(json.dumps({"port": server.server_port, "pid": os.getpid(), "key": "abc"}))
        assert listening(tiny) is None
        server.shutdown()


def test_ports(coord: Coord) -> None:
    """A given port that is taken is an error that names it; without one, another port is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = coord("ui", "--no-browser", "--port", str(port), code=2)
    assert f"port {port} of this machine can't be used" in done.stderr


def test_without_the_extra(coord: Coord, tmp_path: Path) -> None:
    """One message with the line for pip."""
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError(\"No module named 'uvicorn'\", name='uvicorn')\n")
    paths = os.pathsep.join([str(tmp_path), coord.environment["PYTHONPATH"]])
    done = coord("ui", "--no-browser", code=1, variables={"PYTHONPATH": paths})
    assert "pip install 'coord[ui]'" in done.stderr


def test_addresses_of_runs(coord: Coord) -> None:
    """A push of a local run says `coord ui` where nobody listens, and else prints the address, which opens."""
    alone = coord("push", "--exp", "base", "--wait")
    assert alone.stdout == "base local-v1\n"
    assert "coord ui" in alone.stderr
    assert coord.json("status")[0]["url"] == ""
    with live_page(coord) as live:
        done = coord("push", "--exp", "base", "--force", "--wait")
        address = done.stdout.strip()
        assert address.startswith(live.url)
        assert "coord ui" not in done.stderr
        assert "base local-v2" in requests.get(address, timeout=60).text
        assert coord.json("status")[0]["url"] == address
        assert address in "".join(coord("status", "--url").stdout.split())


def test_the_page_of_a_run_is_not_of_another_run(tiny: Project) -> None:
    """An address is made of the run's id."""
    run = finished(tiny, "base", 1, [0.5])
    assert LivePage(7799, 1, "k").address(run.id) == f"http://127.0.0.1:7799/runs/{run.id}"


def test_what_a_complete_run_reported_last() -> None:
    """Until its results are here, which have more."""
    run = dataclasses.replace(COMPLETE, last_event=Event.parse({"event": "end", "metrics": {"cv/dice": 0.5}}))
    assert about(run) == "cv/dice 0.5000"
    assert about(dataclasses.replace(run, fetched_at=run.ended_at)) == ""


def test_the_commands_that_the_pages_name() -> None:
    """There are such commands; `coord sweep list` was named, and was none."""
    names = {name for name, _ in commands()}
    groups = {name.partition(" ")[0] for name in names if " " in name}
    for template in [*ROOT.glob("coordinator/ui/templates/*.j2"), *ROOT.glob("coordinator/report/*.j2")]:
        for first, second in re.findall(r"coord ([a-z][a-z-]+)(?: ([a-z][a-z-]+))?", template.read_text("utf-8")):
            if first in names:
                assert first not in groups or not second or f"{first} {second}" in names, template.name
