"""The script's text: the template filled with the config, the sources and the bootstrap, the same bytes every time.

Sources are raw string literals, because people read and compare kernels on Kaggle's page. Text that no raw literal can
hold is escaped, and other data is base64. If all of it would exceed Kaggle's limit, the sources become one archive; if
that does, too, they may lie in a data set beside the script, which then only lists them.
"""

from __future__ import annotations

import base64
import bz2
import codecs
import functools
import hashlib
import io
import json
import math
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jinja2

from coordinator.bundle import bootstrap
from coordinator.bundle.files import SourceFile
from coordinator.bundle.sizes import SLOW_CODECS, unpacked_max
from coordinator.errors import BundleError
from coordinator.kaggle_rules import SOURCE_MAX
from coordinator.text import command_line

# Python looks for an encoding in the first two lines, and would find one in an experiment about "label encoding: rle".
_ENCODING = "# -*- coding: utf-8 -*-\n"


_AWAY = "Move large files into a data set and attach it (dataset_sources)"
_BESIDE = (
    ', or let coord put the sources into a private data set beside the script: large = "dataset" in [tool.coord] '
    "(--form dataset of coord bundle)."
)

Form = Literal["text", "archive", "dataset"]
AUTOMATIC: tuple[Form, ...] = ("text", "archive")
"""The forms that are tried if none is named."""


@dataclass(frozen=True)
class Wheels:
    """The wheels that a kernel installs before its program starts."""

    slug: str
    """Their data set."""
    listed: tuple[Mapping[str, str], ...]
    """`file`, `sha256`, `name` and `version` of each."""

    @property
    def text(self) -> str:
        return json.dumps(self.listed, indent=2, ensure_ascii=False)


@dataclass(frozen=True)
class Beside:
    """The sources of a script that lie in a data set."""

    slug: str
    """Its name, made of their digests: the same sources have the same data set."""
    files: Mapping[str, bytes]
    """What the data set has: path -> content."""


@dataclass(frozen=True)
class Script:
    """A kernel's script: its text, the digest of all but its first line, and how the sources are embedded."""

    text: str
    digest: str
    form: Form
    beside: Beside | None = None
    """Where its sources lie, if the form is "dataset"."""


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
    wheels: Wheels | None = None


def render_script(
    template: Path,
    content: Content,
    *,
    form: Form | Sequence[Form] = AUTOMATIC,
    refuse: bool = True,
    as_sent: Callable[[str], str] = str,
) -> Script:
    """Fills the template (jinja2, undefined names refused).

    Of several forms it takes the first in which the script does not exceed Kaggle's limit of 1 MiB. Raises BundleError,
    with the largest files, when all do (unless `refuse` is False: then it is the last one), and for a config that JSON
    cannot hold. `as_sent` turns the script into what is sent, to which the limit applies.
    """
    source = template.read_text(encoding="utf-8")
    used = {
        "arguments": ("{{ arguments", content.arguments),
        "path": ("path={{ path", content.path),
        "checkout": ("checkout", content.in_checkout),
        "delivery": ("delivery", content.delivery),
        "needs": ("with_needs", content.needs),
        "wheels": ("install(", content.wheels),
        "large": ("archive_in(", "dataset" in form),
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
        "bootstrap": _source_of("bootstrap"),
        "checkout": _source_of("checkout") if content.in_checkout else "",
        "delivery": _source_of("delivery") if content.delivery is not None else "",
        "needed": _source_of("needed") if content.needs else "",
        "needs": json.dumps(dict(content.needs), indent=2, ensure_ascii=False) if content.needs else "",
        "how": None if content.delivery is None else json.dumps(content.delivery, indent=2, ensure_ascii=False),
        "wheels": content.wheels,
    }
    files = sorted(content.files, key=lambda file: file.path)
    packed = {file.path: (file.sha256, *_encoded(file)) for file in files}
    forms: list[Form] = [form] if isinstance(form, str) else list(form)
    if sum(len(file.data) for file in files) > SOURCE_MAX and len(forms) > 1:
        forms = [each for each in forms if each != "text"]  # it is longer than the sources
    archive = ""
    for form in forms:
        if form != "text":
            archive = archive or _archive(packed)
        lying = _beside(packed, archive) if form == "dataset" else None
        further = {"attached": lying or content.wheels, "beside": lying, "installed": content.wheels}
        sources: dict[str, Any] = {
            "files": packed if form == "text" else {file.path: (file.sha256, len(file.data)) for file in files},
            "archive": archive if form == "archive" else "",
            "beside": lying.slug if lying else "",
            "further": {part: _source_of(part) for part, is_used in further.items() if is_used},
        }
        try:
            body = _ENCODING + compiled.render(**values, **sources)
        except jinja2.TemplateError as error:
            raise BundleError(f"{template.name}: {error}") from error
        text = f"{bootstrap.STAMP}run=- digest={bootstrap.digest_of(body)}\n{body}"
        if fits(as_sent(text)) or (form == forms[-1] and not refuse):
            return Script(text, bootstrap.digest_of(text), form, lying)
    how = {"text": "as text", "archive": "not even compressed", "dataset": "even if it only lists the files"}[forms[-1]]
    raise BundleError(
        f"the sources do not fit into Kaggle's {SOURCE_MAX:,} bytes, {how}; the largest:\n" + largest_files(files),
        hint=_AWAY + (_BESIDE if forms[-1] == "archive" else "."),
    )


def _source_of(module: str) -> str:
    """A module's text as a part of the script, in which what it imports from coord's other parts is there already.

    (Its name, because importing all parts takes as long as a small build.)
    """
    text = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8").strip()
    return re.sub(r"^from coordinator\..*\n+", "", text, flags=re.MULTILINE)


def _beside(packed: Mapping[str, tuple[str, str, str]], archive: str) -> Beside:
    from coordinator.bundle.beside import SOURCES_FILE

    listed = json.dumps({path: sha256 for path, (sha256, _, _) in packed.items()}, sort_keys=True)
    name = hashlib.sha256(listed.encode("utf-8")).hexdigest()[:12]
    return Beside(f"coord-sources-{name}", {SOURCES_FILE: archive.encode("ascii")})


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
            hint=f"{_AWAY}.",
        )
    return _wrapped(compressed)


def _wrapped(text: str) -> str:
    """The text in lines of 120 characters."""
    return "\n".join(text[start : start + 120] for start in range(0, len(text), 120))
