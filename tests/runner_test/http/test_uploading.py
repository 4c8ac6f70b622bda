"""Files are sent whole or in pieces, and an upload that broke off is resumed."""

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from kagglesdk.blobs.types.blob_api_service import ApiBlobType
from kagglesdk.datasets.types.dataset_api_service import ApiDatasetNewFile

from runner_test.http import uploading
from runner_test.state import uploads
from tests.runner_test.local import Local, fill, http_code
from tests.runner_test.sending import announce, create, put

BLOCK = uploads.BLOCK
DATA = bytes(range(256)) * 2500  # 640,000 bytes: two blocks and a half


def asked(local: Local, url: str) -> tuple[int, str | None]:
    """The answer to the question how much has arrived."""
    answer = put(url, b"", Content_Range=f"bytes */{len(DATA)}")
    return answer.status_code, answer.headers.get("Range")


def content(local: Local, token: str) -> bytes:
    """What has arrived, once it is complete."""
    return uploads.upload_content(local.store.root, token).read_bytes()


def test_in_pieces(local: Local) -> None:
    """The answers say how much has arrived, in whole blocks; a piece may repeat what is there; the end is a 200."""
    upload = announce(local, "a.bin", len(DATA))
    assert asked(local, upload.create_url) == (308, None)
    first = put(upload.create_url, DATA[:BLOCK], Content_Range=f"bytes 0-{BLOCK - 1}/{len(DATA)}")
    assert (first.status_code, first.headers["Range"]) == (308, f"bytes=0-{BLOCK - 1}")
    odd = put(upload.create_url, DATA[BLOCK : BLOCK + 1000], Content_Range=f"bytes {BLOCK}-{BLOCK + 999}/{len(DATA)}")
    assert (odd.status_code, odd.headers["Range"]) == (308, f"bytes=0-{BLOCK - 1}")
    gap = put(upload.create_url, DATA[-10:], Content_Range=f"bytes {len(DATA) - 10}-{len(DATA) - 1}/*")
    assert (gap.status_code, gap.headers["Range"]) == (308, f"bytes=0-{BLOCK - 1}")
    last = put(upload.create_url, DATA[5:], Content_Range=f"bytes 5-{len(DATA) - 1}/{len(DATA)}")
    assert last.status_code == 200
    assert asked(local, upload.create_url) == (200, None)
    assert content(local, upload.token) == DATA
    assert put(upload.create_url, b"y" * len(DATA)).status_code == 200
    assert content(local, upload.token) == DATA


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (DATA + b"x", None),
        (DATA[:-1], None),
        (b"x" * 20, f"bytes 0-9/{len(DATA)}"),
        (b"x" * 5, f"bytes 0-9/{len(DATA)}"),
        (b"x", f"bytes 0-0/{len(DATA) + 1}"),
        (b"x", f"bytes 5-4/{len(DATA)}"),
        (b"x", f"bytes {len(DATA)}-{len(DATA)}/{len(DATA)}"),
        (b"x", "bytes -1/5"),
        (b"x", "lines 0-0/5"),
    ],
)
def test_pieces_that_do_not_fit(local: Local, data: bytes, header: str | None) -> None:
    """A piece of another length than it says, or of another file, is refused, and the file does not become complete."""
    upload = announce(local, "a.bin", len(DATA))
    headers = {"Content_Range": header} if header else {}
    assert put(upload.create_url, data, **headers).status_code == 400
    status, _ = asked(local, upload.create_url)
    assert status == 308
    assert put(upload.create_url, DATA).status_code == 200
    assert content(local, upload.token) == DATA


def test_broken_off(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a request is open no other one may write; what had arrived when it broke off stays, in whole blocks."""
    monkeypatch.setattr(uploading, "_WAITS", 0.0)
    upload = announce(local, "a.bin", len(DATA))
    at = urlsplit(upload.create_url)
    with socket.create_connection((at.hostname or "", at.port or 0)) as sending:
        head = f"PUT {at.path} HTTP/1.1\r\nHost: {at.netloc}\r\nContent-Length: {len(DATA)}\r\n\r\n"
        sending.sendall(head.encode() + DATA[: BLOCK + 7])
        while uploads.received(local.store.root, _upload(local, upload.token)) < BLOCK:
            pass
        assert put(upload.create_url, DATA).status_code == 503
        assert "not complete" in create(local, "my-rows", fill(ApiDatasetNewFile(), token=upload.token)).error
    monkeypatch.undo()
    rest = put(upload.create_url, DATA[BLOCK:], Content_Range=f"bytes {BLOCK}-{len(DATA) - 1}/{len(DATA)}")
    assert rest.status_code == 200
    assert content(local, upload.token) == DATA


def _upload(local: Local, token: str) -> uploads.Upload:
    found = uploads.upload_of(local.store.root, token)
    assert found is not None
    return found


def test_empty_files_and_odd_names(local: Local) -> None:
    """A file without content is one, and a name may have any characters but a slash."""
    for name in ("empty", "ü %41?#&.txt", "..x", "-rf", "new\nline"):
        assert put(announce(local, name, 0).create_url, b"").status_code == 200


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/etc/passwd", "a\0b", "x" * 256])
def test_names_that_are_refused(refusing: Local, name: str) -> None:
    """A name that leads elsewhere, or that no file can have, is refused before anything is sent."""
    with pytest.raises(requests.HTTPError) as error:
        announce(refusing, name, 1)
    assert http_code(error) == 400


@pytest.mark.parametrize(
    ("size", "kind"), [(-1, ApiBlobType.DATASET), (10**15, ApiBlobType.DATASET), (1, ApiBlobType.INBOX)]
)
def test_announcements_that_are_refused(refusing: Local, size: int, kind: ApiBlobType) -> None:
    """A size that no file has, and a purpose that does not exist here."""
    with pytest.raises(requests.HTTPError) as error:
        announce(refusing, "a", size, kind=kind)
    assert http_code(error) == 400


def test_what_has_expired(local: Local) -> None:
    """An upload that has expired takes no more, and is removed when the next one is announced."""
    upload = announce(local, "a.bin", 10)
    record = local.store.root / "uploads" / upload.token / "upload.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"expires": 1.0}))
    assert put(upload.create_url, b"x" * 10).status_code == 404
    other = announce(local, "b.bin", 10)
    assert [path.name for path in Path(local.store.root, "uploads").iterdir()] == [other.token]
