"""HTTP itself: paths, credentials, addresses of files, live logs, and a server that starts fast and ends clean."""

import base64
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionLogsStreamRequest

from runner_test.errors import NotLoopback, StartFailed
from runner_test.server import running_server
from runner_test.store import Store
from tests.runner_test.local import WAITS_FOR_GO, Local, eventually, fill

REPOSITORY = Path(__file__).resolve().parents[2]
ME = ("me", "key")
STATUS = "/api/v1/kernels.KernelsApiService/GetKernelSessionStatus"


def events(response: requests.Response) -> Iterator[str]:
    """The payloads of a stream of server-sent events."""
    for line in response.iter_lines():
        if line.startswith(b"data: "):
            yield line.removeprefix(b"data: ").decode()


def stream(local: Local, slug: str) -> requests.Response:
    """Connect to a kernel's live log."""
    url = f"{local.url}/api/v1/kernels/logs/stream/me/{slug}"
    return requests.get(url, stream=True, auth=ME, timeout=30)


def test_a_live_log_streams_replays_and_ends(local: Local) -> None:
    """Events come while the script runs, a second connection gets them all again, and both end with END_OF_LOG."""
    local.push("streamed", WAITS_FOR_GO + "print('\u2028ü')\n")
    local.pid("streamed")
    with stream(local, "streamed") as first, stream(local, "streamed") as second:
        assert first.headers["Content-Type"].startswith("text/event-stream")
        one, two = events(first), events(second)
        head = json.loads(next(one))
        assert head["stream_name"] == "stdout"
        assert head["data"].startswith("ready")
        assert json.loads(next(two)) == head
        local.go("streamed")
        rest_one, rest_two = list(one), list(two)
    assert rest_one == rest_two
    assert rest_one[-1] == "END_OF_LOG"
    records = [head, *map(json.loads, rest_one[:-1])]
    assert "".join(record["data"] for record in records).endswith("gone\n\u2028ü\n")
    with stream(local, "streamed") as after:
        assert after.headers["Content-Type"] == "application/json"
        assert after.json() == records


def test_the_log_of_a_queued_session_is_waited_for(local: Local) -> None:
    """A request for a queued session's log waits for its start as long as it asks to, then says that it's too early."""
    for slug in ("runs-one", "runs-two", "waits-one"):
        local.push(slug, WAITS_FOR_GO)
    local.pid("runs-two")
    request = fill(
        ApiGetKernelSessionLogsStreamRequest(), user_name="me", kernel_slug="waits-one", wait_for_logs_url_seconds=1
    )
    with pytest.raises(requests.HTTPError, match="not started yet"):
        local.api().get_kernel_session_logs_stream(request)
    found: list[str] = []

    def follow() -> None:
        with stream(local, "waits-one") as response:
            for event in events(response):
                found.append(event)

    follower = threading.Thread(target=follow)
    follower.start()
    local.go("runs-two")
    eventually(lambda: found, "the stream begins")
    local.go("waits-one")
    follower.join(30)
    assert found[-1] == "END_OF_LOG"


def test_output_files_over_http(local: Local) -> None:
    """A file's address needs no credentials and answers with its length, its date, and parts of it on request."""
    content = bytes(range(256)) * 1000
    local.run("big-file", "open('w.bin', 'wb').write(bytes(range(256)) * 1000)")
    url = local.output("big-file").files[0].url
    whole = requests.get(url, timeout=10)
    assert whole.content == content
    assert whole.headers["Content-Length"] == str(len(content))
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", whole.headers["Last-Modified"])
    part = requests.get(url, headers={"Range": "bytes=255999-"}, timeout=10)
    assert (part.status_code, part.content) == (206, b"\xff")
    assert part.headers["Content-Range"] == "bytes 255999-255999/256000"
    assert requests.head(url, timeout=10).headers["Content-Length"] == str(len(content))
    assert requests.get(url, headers={"Range": "bytes=256000-"}, timeout=10).status_code == 416


def test_an_address_is_good_for_its_file_and_time_only(local: Local, tmp_path: Path) -> None:
    """A changed, unsigned or expired address is 403, whatever it points to."""
    local.run("two-files", "open('a', 'w').write('a')\nopen('b', 'w').write('b')")
    url = local.output("two-files").files[0].url
    assert requests.get(url, timeout=10).text == "a"
    parts = urlsplit(url)
    for bad in (
        url.replace("/1/a?", "/1/b?"),
        url.replace("/1/a?", "/1/..%2F..%2Fversion.json?"),
        url.replace("/1/a?", "/2/a?"),
        url.replace("expires=", "expires=9"),
        url[:-1] + ("0" if url[-1] != "0" else "1"),
        f"{parts.scheme}://{parts.netloc}{parts.path}",
        url.replace("signature=", "signature=%FF"),
    ):
        assert requests.get(bad, timeout=10).status_code == 403, bad
    with running_server(local.store.root, url_lifetime=1.0) as hasty:
        short = Local(hasty.url, local.store).output("two-files").files[0].url
        eventually(lambda: requests.get(short, timeout=10).status_code == 403, "the address expires", 10)
        assert "expired" in requests.get(short, timeout=10).json()["message"]
    # Another store's key doesn't fit, and an address of a file that is gone says so.
    with running_server(tmp_path / "other") as other:
        assert requests.get(url.replace(local.url, other.url), timeout=10).status_code == 403
    (local.working("two-files") / "a").unlink()
    assert requests.get(url, timeout=10).status_code == 404


def test_an_unknown_request_is_named(local: Local, capsys: pytest.CaptureFixture[str]) -> None:
    """404 as JSON that names what was asked for, in the answer and on stderr."""
    for method, path in (
        ("POST", "/api/v1/kernels.KernelsApiService/TeleportKernel"),
        ("POST", "/api/v1/models.ModelApiService/GetModel"),
        ("GET", STATUS),
        ("GET", "/nowhere"),
    ):
        answer = requests.request(method, local.url + path, json={}, auth=ME, timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (404, 404)
        assert f"{method} {path}" in answer.json()["message"]
        assert f"unknown request: {method} {path}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Basic", "Basic !!!", "Basic " + base64.b64encode(b"me").decode(), "Basic bWU6", "Bearer ", "Digest x"],
)
def test_no_credentials(refusing: Local, authorization: str | None) -> None:
    """A request without a name and a key, or a token, is 401."""
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = requests.post(refusing.url + STATUS, json={}, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (401, 401)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"x"', "not a JSON object"),
        (b'{"userName": 5}', "user_name must be of type str"),
        (b'{"userName": ["a"]}', "user_name must be of type str"),
        (b"[" * 100_000, "The request is not JSON"),
    ],
)
def test_a_body_that_is_no_request(refusing: Local, body: bytes, message: str) -> None:
    """What isn't a request of the SDK's is 400, with a reason."""
    answer = requests.post(refusing.url + STATUS, data=body, auth=ME, timeout=10)
    assert answer.status_code == 400
    assert message in answer.json()["message"]


def test_an_endless_body_is_cut_off(local: Local) -> None:
    """Nobody fills the memory: a body over the limit is refused."""
    url = f"{local.url}/api/v1/kernels.KernelsApiService/SaveKernel"
    assert requests.post(url, data=b" " * (17 << 20), auth=ME, timeout=10).status_code == 400


def raw(local: Local, head: str) -> str:
    """Send a request's text as it stands; the answer's text."""
    parts = urlsplit(local.url)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=10) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode())
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces).decode()


def test_the_server_is_a_proxy_for_itself_only(local: Local) -> None:
    """A whole address as target works for localhost, which is how the official command comes; no other host does."""
    auth = "Authorization: Basic " + base64.b64encode(b"me:key").decode()
    head = "POST {} HTTP/1.1\nHost: {}\n" + auth + "\nContent-Length: 2\nConnection: close\n\n{{}}"
    assert " 403 " in raw(local, head.format(f"http://evil.example{STATUS}", "evil.example"))
    assert "not this machine" in raw(local, head.format(STATUS, "evil.example"))
    assert " 400 " in raw(local, head.format(STATUS, "["))
    assert " 400 " in raw(local, head.format(f"http://[::1{STATUS}", "localhost"))
    for target, host in ((f"http://localhost{STATUS}", "localhost"), (STATUS, "127.0.0.1:80"), (STATUS, "[::1]")):
        assert "kernels.get" in raw(local, head.format(target, host))


def test_a_kernels_page(local: Local) -> None:
    """The address that a push names shows versions, states and source, and nothing in them becomes HTML.

    The server's own address lists the kernels.
    """
    assert "No kernels yet" in requests.get(local.url, timeout=10).text
    local.run("a-page", "pass")
    local.run("a-page", "# <script>alert(1)</script>\nraise SystemExit(9)", new_title="A <b>page</b>")
    local.push("a-page", "# <script>alert(1)</script>\nraise SystemExit(9)", new_title="<script>a page</script>")
    local.reach("a-page", "ERROR", label="v3")
    answer = requests.get(f"{local.url}/code/me/a-page", timeout=10)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<script" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "COMPLETE" in answer.text
    assert "exit code 9" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    listed = requests.get(local.url, timeout=10)
    assert '<a href="/code/me/a-page">me/a-page</a></td><td>&lt;script&gt;a page' in listed.text
    assert "exit code 9" in listed.text
    assert "<script" not in listed.text
    assert "default-src 'none'" in listed.headers["Content-Security-Policy"]
    assert requests.head(local.url, timeout=10).status_code == 200  # `coord doctor` asks so whether it is there
    assert requests.get(f"{local.url}/code/me/none", timeout=10).status_code == 404
    assert requests.get(f"{local.url}/code/me/..%2f", timeout=10).status_code == 404


def test_the_server_stops_clean_and_fast(store: Store) -> None:
    """No thread, no listening port and no lost event survive a server, even with a log stream open."""
    before = threading.enumerate()
    with running_server(store.root) as server:
        local = Local(server.url, store)
        local.push("still-runs", WAITS_FOR_GO)
        local.pid("still-runs")
        response = stream(local, "still-runs")
        next(events(response))
        started = time.monotonic()
    took = time.monotonic() - started
    assert took < 2.0  # 0.2 to 0.3 s on an idle machine
    eventually(lambda: threading.enumerate() == before, "the threads have ended", 5)
    assert "END_OF_LOG" not in list(events(response))  # so the client knows to come back
    response.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=5)
    # The next server, on the same state, sees the session run on.
    with running_server(store.root) as server:
        again = Local(server.url, store)
        assert again.state("still-runs") == "RUNNING"
        again.go("still-runs")
        again.reach("still-runs", "COMPLETE")


def test_answers_are_quick(refusing: Local) -> None:
    """On a connection that is kept, an answer doesn't wait 40 ms for the client's acknowledgement of its first part."""
    with requests.Session() as session:
        seconds = []
        for _ in range(20):
            started = time.monotonic()
            session.post(refusing.url + STATUS, json={}, auth=ME, timeout=10)
            seconds.append(time.monotonic() - started)
    assert min(seconds[1:]) < 0.03


def test_it_listens_on_the_loopback_only(store: Store) -> None:
    """Who can reach it can run programs, so other addresses are refused, as is a port that is taken."""
    with pytest.raises(NotLoopback, match="only on the loopback"), running_server(store.root, host="0.0.0.0"):
        pass
    with running_server(store.root) as server:
        port = urlsplit(server.url).port or 0
        with pytest.raises(StartFailed, match=f"port {port}"), running_server(store.root, port=port):
            pass


def command(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """`python -m runner_test` as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "runner_test", *arguments],
        cwd=REPOSITORY,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def test_serving_in_the_foreground(store: Store) -> None:
    """`serve` says where it answers, ends with Ctrl-C and exit code 0, and what it started goes on."""
    with command("--root", str(store.root), "serve", "--port", "0", "--isolation", "none") as server:
        assert server.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
        assert found
        local = Local(found[0], store)
        local.push("foreground", WAITS_FOR_GO)
        local.pid("foreground")
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=20)
    assert (server.returncode, err) == (0, "")
    assert "has stopped" in out
    with running_server(store.root) as other:
        assert Local(other.url, store).state("foreground") == "RUNNING"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["add-dataset", "a/b", "/does/not/exist"], 1, "error: data set a/b: no folder /does/not/exist"),
        (["add-dataset", "no-slash", "."], 1, "error: 'no-slash' is not of the form owner/slug"),
        (["add-dataset", "../../x", "."], 1, "is not of the form owner/slug"),
        (["add-competition", "../x", "."], 1, "is not a name that Kaggle could have"),
        (["cancel", "me/none"], 1, "there is no kernel me/none"),
        (["serve", "--port", "notaport"], 2, "invalid int value"),
        (["serve", "--port", "99999"], 1, "port 99999: there is no such port"),
        (["add-competition", "c", ".", "--scorer", "a:b"], 2, "--solution and --scorer go together"),
    ],
)
def test_bad_input_on_the_command_line(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    """One line on stderr and exit code 1, or 2 for usage; never a stack trace."""
    with command("--root", str(tmp_path / "k"), *arguments) as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def test_registering_and_cancelling_on_the_command_line(local: Local, tmp_path: Path) -> None:
    """What the commands register is mounted, and `cancel` is the button on the kernel's page."""
    root = ["--root", str(local.store.root)]
    for arguments in (["add-dataset", "me/data", str(tmp_path)], ["add-competition", "siim", str(tmp_path)]):
        with command(*root, *arguments) as process:
            assert process.wait(20) == 0
    answer = local.push("waiting", WAITS_FOR_GO, dataset_data_sources=["me/data"], competition_data_sources=["siim"])
    assert (answer.invalid_dataset_sources, answer.invalid_competition_sources) == ([], [])
    local.pid("waiting")
    mounted = sorted(path.name for path in (local.working("waiting").parent / "input").iterdir())
    assert mounted == ["competitions", "datasets"]
    with command(*root, "cancel", "me/waiting") as process:
        assert process.wait(20) == 0
    local.reach("waiting", "CANCEL_ACKNOWLEDGED")
