"""Output files: their signed addresses, and how they are served."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import requests

from runner_test.server import running_server
from tests.runner_test.local import Local, eventually


def test_output_files_over_http(local: Local) -> None:
    """A file's address needs no credentials; the answer has its length, its date, and a range if requested."""
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
    """A changed, unsigned or expired address is answered with 403, whatever it leads to."""
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
    # Another store has another key, and the address of a file that no longer exists is answered with 404.
    with running_server(tmp_path / "other") as other:
        assert requests.get(url.replace(local.url, other.url), timeout=10).status_code == 403
    (local.working("two-files") / "a").unlink()
    assert requests.get(url, timeout=10).status_code == 404
