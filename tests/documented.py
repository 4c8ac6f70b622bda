"""The commands in the documents, and what is shown below them."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shown:
    """A command of a page, and the lines that the page shows as its output."""

    where: str
    """Page and line."""
    command: str
    """With its continuation lines, as one line."""
    output: tuple[str, ...] = ()


def shown_commands(page: Path, *, kind: str = "") -> Iterator[Shown]:
    """The commands after a `$` in the fenced blocks of a page, or in those that have `kind` behind their fence."""
    lines = page.read_text(encoding="utf-8").splitlines()
    block: str | None = None
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.lstrip().startswith("```"):
            block = line.strip().removeprefix("```") if block is None else None
        elif block is not None and line.startswith("$ ") and (not kind or block == kind):
            start = at
            words = line.removeprefix("$ ")
            while words.endswith("\\"):
                at += 1
                words = words.removesuffix("\\") + lines[at].strip()
            end = next(each for each in range(at + 1, len(lines)) if lines[each].startswith(("$ ", "```")))
            yield Shown(f"{page.name}:{start + 1}", words, tuple(lines[at + 1 : end]))
            at = end - 1
        at += 1


def coord_commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """(place, words after `coord`) of each use of coord in a page: in blocks, with a `$` or without, and in the text.

    The place begins with `$` if the command stands in a block behind one, as a whole.
    """
    for shown in shown_commands(page):
        words = re.split(r"\s+(?:[|;&>#]|2>)", shown.command)[0]
        words = re.sub(r"^(?:[A-Z_]+=\S+ )+", "", words)
        is_a_mistake = any(line.startswith("Error: ") for line in shown.output)
        if words.startswith("coord ") and not is_a_mistake:
            yield f"$ {shown.where}", shlex.split(words)[1:]
    text = page.read_text(encoding="utf-8")
    is_block = has_prompt = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_block, has_prompt = not is_block, False
        has_prompt |= line.startswith("$ ")  # what stands in this block without one is output
        in_block = r"^coord ([a-z-]+(?:\s[^#|;&>]*)?)$" if not has_prompt else r"(?!)"
        for words in re.findall(in_block if is_block else r"`coord ([a-z][^`#|;&>]*)", line):
            with contextlib.suppress(ValueError):  # the text goes on in the next line
                yield f"{page.name}:{number}", shlex.split(words)


def unlike(shown: tuple[str, ...], printed: str) -> str | None:
    """The first line of the page that was not printed in its place; None if all were.

    `...` stands for any lines, and at the end of a line for the rest of it. Sizes, times, digests and spaces may
    differ; metrics, which have four decimals, may not.
    """
    rest = [plain(line) for line in printed.splitlines()]
    for line in shown:
        if line.strip() == "..." or not line.strip():
            continue
        wanted = plain(line)
        is_start = wanted.endswith("...")
        wanted = wanted.removesuffix("...").rstrip()
        at = next((n for n, each in enumerate(rest) if (each.startswith(wanted) if is_start else each == wanted)), None)
        if at is None:
            return line
        rest = rest[at + 1 :]
    return None


def plain(line: str) -> str:
    """The line without what may differ each time: numbers (but metrics), digests, and how wide its spaces are."""
    line = re.sub(r"sha256:[0-9a-f]+", "sha256:#", line)
    line = re.sub(r"\b[0-9a-f]{64}\b", "#", line)
    return " ".join(re.sub(r"\d+\.\d{4}\b|\d[\d,]*", lambda found: found[0] if "." in found[0] else "#", line).split())
