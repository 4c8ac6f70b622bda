"""A session's log as a stream of events."""

import json
import threading

import pytest
import requests
from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionLogsStreamRequest

from tests.runner_test.local import WAITS_FOR_GO, Local, events, eventually, fill, stream


def test_a_live_log_streams_replays_and_ends(local: Local) -> None:
    """Events arrive while the script runs, a second connection gets all of them, too, and both end with END_OF_LOG."""
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
    """A request for a queued session's log waits for its start as long as requested, and then is refused."""
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


def test_the_stream_of_a_version(local: Local) -> None:
    """`kaggle kernels logs me/streamed/1 -f` asks for the version by its label, as a parameter."""
    local.run("streamed", "print('one')")
    local.run("streamed", "print('two')")
    url = f"{local.url}/api/v1/kernels/logs/stream/me/streamed"
    for parameters, word in (({"versionLabel": "v1"}, "one"), ({"versionLabel": "v2"}, "two"), ({}, "two")):
        records = requests.get(url, params=parameters, auth=local.me, timeout=30).json()
        assert "".join(record["data"] for record in records) == f"{word}\n"
    assert requests.get(url, params={"versionLabel": "v3"}, auth=local.me, timeout=30).status_code == 404
    assert requests.get(f"{url}/1", auth=local.me, timeout=30).status_code == 404
