"""Paths, credentials and request bodies."""

import base64

import pytest
import requests

from tests.runner_test.local import Local

STATUS = "/api/v1/kernels.KernelsApiService/GetKernelSessionStatus"
JSON = {"Content-Type": "application/json"}


def test_an_unknown_request_is_named(local: Local, capsys: pytest.CaptureFixture[str]) -> None:
    """404 as JSON that names the request, in the answer and on stderr."""
    for method, path in (
        ("POST", "/api/v1/kernels.KernelsApiService/TeleportKernel"),
        ("POST", "/api/v1/models.ModelApiService/TeleportModel"),
        ("GET", STATUS),
        ("GET", "/nowhere"),
    ):
        answer = requests.request(method, local.url + path, json={}, auth=local.me, timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (404, 404)
        assert f"{method} {path}" in answer.json()["message"]
        assert f"unknown request: {method} {path}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Basic", "Basic !!!", "Basic " + base64.b64encode(b"me").decode(), "Basic bWU6", "Bearer ", "Digest x"],
)
def test_no_credentials(refusing: Local, authorization: str | None) -> None:
    """A request without a name and a key, or a token, is answered with 401."""
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
    """A body that the SDK could not have sent is answered with 400 and a reason."""
    answer = requests.post(refusing.url + STATUS, data=body, auth=refusing.me, headers=JSON, timeout=10)
    assert answer.status_code == 400
    assert message in answer.json()["message"]


def test_an_endless_body_is_cut_off(local: Local) -> None:
    """A body over the limit is refused, so it can't fill the memory."""
    url = f"{local.url}/api/v1/kernels.KernelsApiService/SaveKernel"
    assert requests.post(url, data=b" " * (17 << 20), auth=local.me, headers=JSON, timeout=10).status_code == 400
