"""The script's text: the template filled with the config, the sources and the bootstrap, the same bytes every time.

Sources are raw string literals, because people read and compare kernels on Kaggle's page. Text that no raw literal can
hold is escaped, and other data is base64. If all of it would exceed Kaggle's limit, the sources become one archive.
"""

from __future__ import annotations

import base64
import bz2
import codecs
import functools
import io
import json
import math
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import jinja2

from coordinator.bundle import bootstrap, checkout, delivery, needed
from coordinator.bundle.files import SourceFile
from coordinator.bundle.sizes import SLOW_CODECS, unpacked_max
from coordinator.errors import BundleError
from coordinator.kaggle_rules import SOURCE_MAX
from coordinator.text import command_line

# Python looks for an encoding in the first two lines, and would find one in an experiment about "label encoding: rle".
_ENCODING = "# -*- coding: utf-8 -*-\n"


_AWAY = "Move large files into a data set and attach it (dataset_sources)."

Form = Literal["text", "archive"]


@dataclass(frozen=True)
class Script:
    """A kernel's script: its text, the digest of all but its first line, and how the sources are embedded."""

    text: str
    digest: str
    form: Form


@dataclass(frozen=True)
class Content:
    """What goes into a script."""

    entry: str
    """A module's name, or the path of a script among the files."""
    files: Sequence[SourceFile]
    config: Mapping[str, Any] | None = None
    """None for a program without a project."""
    experiment: str = ""
    """Its name; empty for a program without a project."""
    about: str = ""
    """What the experiment is about, in a sentence."""
    command: str = ""
    """The command that makes the script again."""
    arguments: Sequence[str] = ()
    """What the program is started with."""
    path: Sequence[str] = ()
    """Folders among the files in which Python finds modules, too."""
    in_checkout: bool = False
    """Whether the files lie in the working directory while the program runs; see `checkout`."""
    delivery: Mapping[str, Any] | None = None
    """How the config reaches the program, for `delivery`; None if it reads the file that COORD_CONFIG names."""
    needs: Mapping[str, str] = field(default_factory=dict)
    """Name -> slug of the kernels whose output it reads, for `needed`."""


def render_script(
    template: Path,
    content: Content,
    *,
    form: Form | None = None,
    refuse: bool = True,
    as_sent: Callable[[str], str] = str,
) -> Script:
    """Fills the template (jinja2, undefined names refused).

    Without a `form`, falls back to one compressed archive when readable text would exceed Kaggle's limit of 1 MiB.
    Raises BundleError, with the largest files, when the archive would, too (unless `refuse` is False), and for a config
    that JSON cannot hold. `as_sent` turns the script into what is sent, to which the limit applies.
    """
    source = template.read_text(encoding="utf-8")
    used = {
        "arguments": ("{{ arguments", content.arguments),
        "path": ("path={{ path", content.path),
        "checkout": ("checkout", content.in_checkout),
        "delivery": ("delivery", content.delivery),
        "needs": ("with_needs", content.needs),
    }
    for name, (text, value) in used.items():
        if value and text not in source:  # a template of the project, older than this
            raise BundleError(
                f"{template} does not use {name}: the program would not be started as the settings say",
                hint=f"Copy the lines with {name} from coord's own template, or delete this one.",
            )
    try:
        compiled = _compiled(source)
    except jinja2.TemplateError as error:
        raise BundleError(f"{template.name}: {error}") from error
    values = {
        "experiment": content.experiment,
        # It goes into a comment, where a line end or a NUL would end the comment or the script.
        "about": " ".join("".join(char if char.isprintable() else " " for char in content.about).split()),
        "entry": content.entry,
        "arguments": list(content.arguments),
        "path": list(content.path),
        "program": (f"PYTHONPATH={':'.join(content.path)} " if content.path else "")
        + command_line(content.entry, *content.arguments),
        "command": content.command,
        "config": None if content.config is None else _config_text(content.config),
        "bootstrap": _source_of(bootstrap),
        "checkout": _source_of(checkout) if content.in_checkout else "",
        "delivery": _source_of(delivery) if content.delivery is not None else "",
        "needed": _source_of(needed) if content.needs else "",
        "needs": json.dumps(dict(content.needs), indent=2, ensure_ascii=False) if content.needs else "",
        "how": None if content.delivery is None else json.dumps(content.delivery, indent=2, ensure_ascii=False),
    }
    files = sorted(content.files, key=lambda file: file.path)
    packed = {file.path: (file.sha256, *_encoded(file)) for file in files}
    forms: list[Form] = [form] if form else ["text", "archive"]
    if sum(len(file.data) for file in files) > SOURCE_MAX and len(forms) > 1:
        forms.remove("text")  # it is longer than the sources
    for form in forms:
        if form == "text":
            sources: dict[str, Any] = {"files": packed, "archive": ""}
        else:
            listed = {file.path: (file.sha256, len(file.data)) for file in files}
            sources = {"files": listed, "archive": _archive(packed)}
        try:
            body = _ENCODING + compiled.render(**values, **sources)
        except jinja2.TemplateError as error:
            raise BundleError(f"{template.name}: {error}") from error
        text = f"{bootstrap.STAMP}run=- digest={bootstrap.digest_of(body)}\n{body}"
        if fits(as_sent(text)) or (form == forms[-1] and not refuse):
            return Script(text=text, digest=bootstrap.digest_of(text), form=form)
    how = "not even compressed" if "archive" in forms else "as text"
    raise BundleError(
        f"the sources do not fit into Kaggle's {SOURCE_MAX:,} bytes, {how}; the largest:\n" + largest_files(files),
        hint=_AWAY,
    )


def _source_of(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text(encoding="utf-8").strip()


@functools.lru_cache(maxsize=8)
def _compiled(template: str) -> jinja2.Template:
    """Kept, because a sweep fills the same template many times, and compiling it takes longer than the rest of it."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    environment.filters["literal"] = literal
    # JSON in ASCII would write a character beyond U+FFFF as two, which Python would read as two.
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return environment.from_string(template)


def fits(text: str) -> bool:
    """Whether Kaggle takes the script."""
    # The stamp grows by a run id and a commit at the push.
    return len(text.encode("utf-8")) + 200 <= SOURCE_MAX


def largest_files(files: Sequence[SourceFile]) -> str:
    """The five largest files, a line each."""
    return _largest({file.path: len(file.data) for file in files})


def _largest(sizes: Mapping[str, int]) -> str:
    found = sorted(sizes.items(), key=lambda item: item[1], reverse=True)[:5]
    return "\n".join(f"  {size:>12,} bytes  {path}" for path, size in found)


def stamped(text: str, *, run_id: str, git: str | None) -> str:
    """The script with the run id (and the git commit) in its stamp line; its digest stays the same."""
    digest, rest = bootstrap.digest_of(text), text.partition("\n")[2]
    commit = f" git={git}" if git else ""
    return f"{bootstrap.STAMP}run={run_id} digest={digest}{commit}\n{rest}"


def literal(text: str) -> str:
    """A Python string literal of `text`, raw and on lines of its own where that is possible."""
    if not _ESCAPED.search(text):
        for quotes in ("'''", '"""'):
            # A raw literal can hold neither its own quotes nor end in one of them, nor in a backslash.
            if quotes not in text and not text.endswith((quotes[0], "\\")):
                return f"r{quotes}{text}{quotes}"
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'''{_ESCAPED.sub(lambda found: ascii(found[0])[1:-1], escaped)}'''"


# Read as Python, a carriage return would become a newline, and a NUL be refused; a byte order mark is not seen.
_ESCAPED = re.compile("[\r\0\ufeff]")


def _encoded(file: SourceFile) -> tuple[str, str]:
    """(encoding, text), as `bootstrap.decoded` takes them."""
    for codec in _codecs(file):
        try:
            text = file.data.decode(codec)
            if "\r\n" in text and "\n" not in text.replace("\r\n", ""):
                candidate = (f"{codec} crlf", "\n" + text.replace("\r\n", "\n"))
            else:
                candidate = (codec, "\n" + text)
            candidate[1].encode(
                "utf-8"
            )  # it must survive in the kernel, which is UTF-8: some codecs decode to characters that UTF-8 cannot hold
            # A NUL is in no source. Some codecs read more than they write.
            if "\0" not in text and bootstrap.decoded(*candidate) == file.data:
                return candidate
        except (UnicodeError, LookupError):
            pass
    return "base64", "\n" + _wrapped(base64.b64encode(file.data).decode("ascii"))


def _codecs(file: SourceFile) -> Iterator[str]:
    """The codecs in which the file may be text: a Python source declares its own."""
    yield "utf-8-sig" if file.data.startswith(codecs.BOM_UTF8) else "utf-8"
    if file.is_python:
        try:
            declared = tokenize.detect_encoding(io.BytesIO(file.data).readline)[0]
            if declared not in SLOW_CODECS:
                yield declared
        except SyntaxError:
            pass


def _config_text(config: Mapping[str, Any]) -> str:
    """The config as JSON. Raises BundleError, with the path, for a value that JSON or UTF-8 cannot hold."""
    for path, value in _values("", config):
        if isinstance(value, float) and not math.isfinite(value):
            raise BundleError(f"config: {path} is {value}, which JSON does not have")
        if isinstance(value, str) and not _is_unicode(value):
            raise BundleError(f"config: {path} is {value!a}, which is half a character (a lone surrogate)")
    return json.dumps(config, indent=2, ensure_ascii=False, allow_nan=False)


def _values(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of every key and value inside."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            place = f"{path}.{key}".lstrip(".")
            yield ascii(place)[1:-1], key
            yield from _values(place, inner)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _values(f"{path}.{index}", inner)
    else:
        yield path, value


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _archive(packed: Mapping[str, tuple[str, str, str]]) -> str:
    """All files as one text.

    bzip2 packs sources a tenth worse than LZMA at its best, in a tenth of the time; base 64 is 7% longer than base 85,
    which Python reads thirty times as slowly.
    """
    data = json.dumps(packed, ensure_ascii=False, sort_keys=True).encode("utf-8")
    # Blocks of bzip2's own size, each a stream of its own, so that they can be compressed in parallel.
    blocks = [data[start : start + 900_000] for start in range(0, len(data), 900_000)]
    with ThreadPoolExecutor() as pool:
        compressed = base64.b64encode(b"".join(pool.map(bz2.compress, blocks))).decode("ascii")
    if len(data) > unpacked_max(len(compressed)):  # it could not be read back
        raise BundleError(
            f"the sources have {len(data):,} bytes in an archive of {len(compressed):,}; the largest:\n"
            f"{_largest({path: len(text) for path, (_, _, text) in packed.items()})}",
            hint=_AWAY,
        )
    return _wrapped(compressed)


def _wrapped(text: str) -> str:
    """The text in lines of 120 characters."""
    return "\n".join(text[start : start + 120] for start in range(0, len(text), 120))
