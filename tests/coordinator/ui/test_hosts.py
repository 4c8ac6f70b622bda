"""Which requests the live page answers: its own, and a user's navigation to it."""

from __future__ import annotations

import pytest

from coordinator.ui.hosts import refused

HOSTS = {"127.0.0.1:7799", "localhost:7799"}
OURS = {"host": "127.0.0.1:7799"}


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        (OURS, None),
        ({"host": "localhost:7799"}, None),
        ({"host": "LOCALHOST:7799"}, None),
        ({}, "another host"),
        ({"host": ""}, "another host"),
        ({"host": "evil.example:7799"}, "another host"),
        ({"host": "127.0.0.1"}, "another host"),
        ({"host": "127.0.0.1:80"}, "another host"),
        ({"host": "127.0.0.1:7799.evil.example"}, "another host"),
        ({"host": "127.0.0.1:7799, evil.example"}, "another host"),
        (OURS | {"origin": "http://127.0.0.1:7799"}, None),
        (OURS | {"origin": "http://localhost:7799"}, "another origin"),
        (OURS | {"origin": "https://127.0.0.1:7799"}, "another origin"),
        (OURS | {"origin": "http://127.0.0.1:8888"}, "another origin"),
        (OURS | {"origin": "null"}, "another origin"),
        (OURS | {"origin": ""}, "another origin"),
        (OURS | {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}, None),
        (OURS | {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, None),
        (OURS | {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, None),
        (OURS | {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, "another site"),
        (OURS | {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, "another site"),
    ],
)
def test_which_requests_are_refused(headers: dict[str, str], why: str | None) -> None:
    """A page elsewhere can neither read this one (DNS rebinding, another origin) nor embed it."""
    found = refused(headers, HOSTS)
    assert (found is None) if why is None else (found is not None and why in found)
