"""The HTML pages."""

import pytest
import requests

from tests.runner_test.local import Local, notebook
from tests.runner_test.sending import add, create, dataset, send


def test_a_kernels_page(local: Local) -> None:
    """The address in a push's answer shows versions, states and source, escaped; the server's root lists kernels."""
    assert "No kernels yet" in requests.get(local.url, auth=local.me, timeout=10).text
    local.run("a-page", "pass")
    local.run("a-page", "# <script>alert(1)</script>\nraise SystemExit(9)", new_title="A <b>page</b>")
    local.push("a-page", "# <script>alert(1)</script>\nraise SystemExit(9)", new_title="<script>a page</script>")
    local.reach("a-page", "ERROR", label="v3")
    answer = requests.get(f"{local.url}/code/me/a-page", auth=local.me, timeout=10)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<script" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "COMPLETE" in answer.text
    assert "exit code 9" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    listed = requests.get(local.url, auth=local.me, timeout=10)
    assert '<a href="/code/me/a-page">me/a-page</a></td><td>&lt;script&gt;a page' in listed.text
    assert "exit code 9" in listed.text
    assert "<script" not in listed.text
    assert "default-src 'none'" in listed.headers["Content-Security-Policy"]
    # `coord doctor` checks so whether a server answers.
    assert requests.head(local.url, auth=local.me, timeout=10).status_code == 200
    assert requests.get(f"{local.url}/code/me/none", auth=local.me, timeout=10).status_code == 404
    assert requests.get(f"{local.url}/code/me/..%2f", auth=local.me, timeout=10).status_code == 404


def test_its_page_shows_the_cells(local: Local) -> None:
    """A notebook's page shows the text of its cells, not JSON."""
    pytest.importorskip("ipykernel", reason="pip install 'coord[notebook]'")
    local.run("on-a-page", notebook("x = '<&>'\nprint(x)"), kernel_type="notebook")
    page = requests.get(f"{local.url}/code/me/on-a-page", auth=local.me, timeout=10).text
    assert "# %% [code]\nx = &#x27;&lt;&amp;&gt;&#x27;\nprint(x)</pre>" in page


def test_a_data_sets_page(local: Local) -> None:
    """The address in an answer shows versions and files, escaped."""
    create(local, "my-rows", send(local, "<b>.txt", b"12345"), title="<i>rows</i>")
    add(local, "my-rows", send(local, "<b>.txt", b"12345"), version_notes="<u>more</u>")
    url = dataset(local, "my-rows").url
    assert requests.get(url, timeout=10).status_code == 401
    page = requests.get(url, auth=local.me, timeout=10).text
    assert "<td>&lt;b&gt;.txt</td><td>5</td>" in page
    assert "&lt;u&gt;more" in page
    assert not {"<b>", "<i>", "<u>"} & set(page.split())
    assert requests.get(f"{local.url}/datasets/me/no-rows", auth=local.me, timeout=10).status_code == 404
