"""A page in headless Chromium, controlled through the DevTools protocol over pipes (`--remote-debugging-pipe`).

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"),
    *("--no-first-run", "--disable-component-update", "--remote-debugging-pipe", "about:blank"),
)


class Page:
    """One page; `events` has the messages of the browser, such as errors and requests."""

    def __init__(self, to: int, answers: int) -> None:
        self._to, self._answers = to, answers
        self._rest, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, file: Path) -> None:
        """Opens the file and returns when the page has loaded."""
        self.visit(file.as_uri())

    def visit(self, address: str) -> None:
        """Opens the address and returns when the page has loaded."""
        before = len(self.events)
        self.call("Page.navigate", url=address)
        while all(event.get("method") != "Page.loadEventFired" for event in self.events[before:]):
            self.events.append(self._read())

    def run(self, script: str, *, wait: bool = False) -> Any:
        """The value of a JavaScript expression; with `wait` the expression is a promise, and its result is returned."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=wait)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def complaints(self, *, since: int = 0) -> list[Any]:
        """Errors, and whatever was written to the console, after so many events."""
        methods = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [event["params"] for event in self.events[since:] if event.get("method") in methods]

    def requests(self, *, since: int = 0) -> list[str]:
        """The requested addresses after so many events, without the page's own file and data that it embeds."""
        sent = [event for event in self.events[since:] if event.get("method") == "Network.requestWillBeSent"]
        urls = [str(event["params"]["request"]["url"]) for event in sent]
        return [url for url in urls if not url.startswith(("file:", "data:"))]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            data = os.read(self._answers, 1 << 20)
            assert data, "the browser has ended"
            self._rest += data
        whole, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(whole)
        return found


@contextmanager
def browser(home: Path) -> Iterator[Page]:
    """A page in a new browser with its profile in `home`."""
    assert CHROMIUM is not None
    commands, to = os.pipe()
    answers, back = os.pipe()
    # The protocol needs its pipes as descriptors 3 and 4. They are copied to 8 and 9 first: one of them may be 3 or 4.
    start = f'exec 8<&{commands} 9>&{back}; exec 3<&8 4>&9 8<&- 9>&-; exec "$@"'
    process = subprocess.Popen(
        ["bash", "-c", start, "bash", CHROMIUM, f"--user-data-dir={home}", *_FLAGS],
        pass_fds=(commands, back),
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(home)},
    )
    os.close(commands)
    os.close(back)
    try:
        yield Page(to, answers)
    finally:
        os.close(to)  # the browser ends when this pipe is closed
        os.close(answers)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
