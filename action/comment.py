"""Writes a file into one comment of a pull request: the first time as a new comment, later over the old one.

`python comment.py FILE NAME`, in a step of action.yml. The comment is found by a marker with NAME in its first line.
Reads GITHUB_API_URL, GITHUB_REPOSITORY and GITHUB_TOKEN, which Actions sets or action.yml passes on, and PULL_REQUEST.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests
from requests.auth import AuthBase

LONGEST = 65_000
"""Characters: GitHub takes 65,536."""
_TIMEOUT = 30  # seconds, for each request
_PAGE = 100  # comments a request: GitHub's most


class Refused(Exception):
    """GitHub can't be asked, or says no; the text is for the user."""


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class PullRequest:
    """The comments of one pull request."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Raises Refused if a variable is missing, or is not what it should be."""

        def variable(name: str, why: str) -> str:
            value = environment.get(name, "").strip()
            if not value:
                raise Refused(f"{name} is not set: {why}")
            return value

        number = variable("PULL_REQUEST", "only a workflow that runs on: pull_request can comment on one")
        if not number.isdecimal():
            raise Refused(f"PULL_REQUEST is not a number: {number!r}")
        token = variable("GITHUB_TOKEN", "the input github-token was set to an empty text")
        repository = variable("GITHUB_REPOSITORY", "GitHub Actions sets it to OWNER/NAME")
        api = environment.get("GITHUB_API_URL") or "https://api.github.com"
        self._repository = f"{api.rstrip('/')}/repos/{repository}"
        self._comments = f"{self._repository}/issues/{number}/comments"
        self._session = requests.Session()
        self._session.auth = _Bearer(token)  # a header alone would be replaced by what a .netrc has for the host
        self._session.headers.update({"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"})

    def write(self, text: str, marker: str) -> str:
        """Puts the text into the comment that begins with the marker, or into a new one; returns its address."""
        body = {"body": f"{marker}\n{text}"}
        for comment in self._all():
            if str(comment.get("body") or "").startswith(marker):
                changed = self._ask("PATCH", f"{self._repository}/issues/comments/{comment['id']}", json=body)
                return str(changed.json()["html_url"])
        return str(self._ask("POST", self._comments, json=body).json()["html_url"])

    def _all(self) -> Iterator[dict[str, Any]]:
        url: str | None = f"{self._comments}?per_page={_PAGE}"
        while url:
            page = self._ask("GET", url)
            yield from page.json()
            url = page.links.get("next", {}).get("url")

    def _ask(self, method: str, url: str, **content: Any) -> requests.Response:
        try:
            answer = self._session.request(method, url, timeout=_TIMEOUT, **content)
        except requests.RequestException as error:
            raise Refused(f"no answer from {url}: {type(error).__name__}") from None
        if answer.ok:
            return answer
        raise Refused(f"{method} {url}: {answer.status_code} {_reason(answer)}{_remedy(answer.status_code)}")


def _reason(answer: requests.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.reason


def _remedy(status: int) -> str:
    if status in (401, 403, 404):
        return (
            '. Give the job "permissions: {pull-requests: write}". A pull request from a fork gets a token that can '
            "only read: leave the comment out there, as the example in docs/github.md does."
        )
    return ""


def _marker(name: str) -> str:
    """A line that a reader of the comment doesn't see; `-->` in a name would end it too early."""
    return f"<!-- coord: {name.replace('-->', '')} -->"


def _shortened(text: str) -> str:
    """At most LONGEST characters, cut at the end of a line."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST].rpartition(chr(10))[0]}\n\n(cut: the summary of the job has all of it)\n"


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Returns the exit code: 0, 1 if GitHub refuses, 2 for other arguments."""
    if len(arguments) != 2:
        print("usage: comment.py FILE NAME", file=sys.stderr)
        return 2
    file, name = arguments
    try:
        text = Path(file).read_text(encoding="utf-8")
        print(PullRequest(environment).write(_shortened(text), _marker(name)))
    except (OSError, Refused) as error:
        print(f"::error title=coord::The comment was not written: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
