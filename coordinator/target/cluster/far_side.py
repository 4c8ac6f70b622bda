"""Asks the program on the far side (`far`), and turns its refusals into errors."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.errors import NoAccess, NoAnswer, NotSent, TargetError
from coordinator.target.cluster.far_answer import MARK
from coordinator.target.cluster.shell import Shell, Stream
from coordinator.text import clean

_START = 'import sys; i = sys.stdin.buffer; exec(compile(i.read(int(i.readline())), "coord", "exec")); main()'
_OURS = re.compile(r"^from coordinator\.\S+ import (?:\([^)]*\)|[^(\n]*)\n", re.MULTILINE)
_PARTS = tuple(Path(__file__).with_name(name) for name in ("far.py", "far_answer.py"))
_LINE_MAX = 1 << 28  # bytes of an answer
_NO_SUCH_PROGRAM = 127


@functools.cache
def program(*parts: Path) -> bytes:
    """The far side's program, with these modules behind it: what they import from coord is in the text before them."""
    texts = (part.read_text(encoding="utf-8") for part in (*_PARTS, *parts))
    return "\n".join(_OURS.sub("", text) for text in texts).encode("utf-8")


@dataclass(frozen=True)
class FarSide:
    """The far side of a target."""

    shell: Shell
    root: str
    python: str = "python3"
    """The Python for this program: any from 3.6 on."""
    parts: tuple[Path, ...] = ()
    """Modules with questions that only this kind of cluster has."""

    @property
    def where(self) -> str:
        return self.shell.host or "this machine"

    def path(self, path: str) -> str:
        """A path there, as rsync and people write it."""
        return f"{self.shell.host}:{path}" if self.shell.host else path

    def ask(self, question: str, *, seconds: float = 60.0, **values: Any) -> dict[str, Any]:
        """The answer to a question. Raises NotSent, NoAnswer, NoAccess (what it is about is gone) or TargetError."""
        reply = self.shell.run(self._command, given=self._given(question, values), seconds=seconds)
        head, mark, line = reply.out.rpartition(MARK.encode())
        if not mark:
            raise self._not_understood(reply.code, reply.err or head.decode("utf-8", "replace"))
        return self._checked(line)

    def begin(self, question: str, **values: Any) -> tuple[dict[str, Any], Stream]:
        """An answer, and the bytes that follow it. Raises as `ask`."""
        stream = self.shell.stream(self._command, given=self._given(question, values))
        try:
            found, rest = self._first_line(stream.chunks)
        except BaseException:
            stream.close()
            raise

        def chunks() -> Iterator[bytes]:
            if rest:
                yield rest
            yield from stream.chunks

        return found, Stream(chunks(), stream.close)

    @property
    def _command(self) -> tuple[str, ...]:
        return (self.python, "-I", "-S", "-c", _START)  # neither PYTHONPATH nor a site of the user

    def _given(self, question: str, values: Mapping[str, Any]) -> bytes:
        text = program(*self.parts)
        return b"%d\n" % len(text) + text + json.dumps({"do": question, "root": self.root, **values}).encode("ascii")

    def _first_line(self, chunks: Iterator[bytes]) -> tuple[dict[str, Any], bytes]:
        read = b""
        for chunk in chunks:
            read += chunk
            _, mark, after = read.partition(MARK.encode())
            line, end, rest = after.partition(b"\n")
            if mark and end:
                return self._checked(line), rest
            if len(read) > _LINE_MAX:
                break
        raise self._not_understood(0, read.decode("utf-8", "replace"))

    def _checked(self, line: bytes) -> dict[str, Any]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise NoAnswer(f"{self.where}: its answer broke off") from None
        if isinstance(found, dict) and isinstance(error := found.get("error"), dict):
            raise self._refusal(error)
        if not isinstance(found, dict):
            raise NoAnswer(f"{self.where}: its answer is malformed")
        return found

    def _refusal(self, error: Mapping[str, Any]) -> TargetError:
        what = f"{self.where}: {clean(str(error.get('what')))[:2000]}"
        hint = clean(str(error.get("hint") or "")) or None
        if error.get("kind") == "gone":
            return NoAccess(what, hint=hint)
        if error.get("kind") == "unknown":
            return NoAnswer(what, hint=hint)
        if error.get("kind") == "full":
            hint = f"Make room below {self.path(self.root)}: old kernels there are folders v1, v2, ... of a kernel."
            return TargetError(what, hint=hint)
        return TargetError(what, hint=hint)

    def _not_understood(self, code: int, said: str) -> TargetError:
        last = next((line for each in reversed(said.splitlines()) if (line := clean(each).strip())), "")
        if code == _NO_SUCH_PROGRAM:
            hint = "Name one in `python` of its table, with its whole path: any from 3.6 on."
            return NotSent(f"{self.where} has no {self.python}", hint=hint)
        return NoAnswer(f"{self.where} gave no answer that coord understands{f' ({last[:300]})' if last else ''}")
