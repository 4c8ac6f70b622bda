"""What must never leave this machine in a kernel: files by their names, and texts that are keys wherever they stand.

`Guard` searches everything that becomes part of a kernel. What only looks like a key is allowed by a line in
`.coordsecrets`, which has the place and a digest of the text: another text at that place is refused again.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import unquote_to_bytes

from coordinator.bundle import secret_patterns as patterns
from coordinator.bundle.secret_views import views
from coordinator.errors import BundleError

ALLOWED = ".coordsecrets"
_SHOWN = 10
"""The most places and lines that a message has."""

# Names in lower case, without what is added to a copy.
_FILES = {
    *(".env", ".envrc", "kaggle.json", "access_token", ".netrc", "_netrc", "netrc", ".pypirc", ".npmrc", ".yarnrc"),
    *(
        ".git-credentials",
        ".htpasswd",
        ".pgpass",
        ".my.cnf",
        ".s3cfg",
        ".boto",
        ".dockercfg",
        ".terraformrc",
        ".vault-token",
    ),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk", "id_ed25519_sk", "credentials", "rclone.conf"),
    *("application_default_credentials.json", "accesstokens.json", "kubeconfig", "token", "stored_tokens"),
}
_SUFFIXES = {".env", ".pem", ".key", ".p8", ".p12", ".pfx", ".keystore", ".jks", ".ppk", ".kdbx", ".ovpn", ".tfstate"}
_FOLDERS = {".ssh", ".aws", ".gnupg", ".kaggle", ".kube", ".azure", ".docker"}
# Settings, not sources: secrets.py is a module as any other.
_SETTINGS = re.compile(
    r"(?:service[_-]?account|client[_-]?secrets?).*\.json"
    r"|(?:credentials?|secrets?)(?:[._-]\w{1,12})?\.(?:json|ya?ml|toml|ini|cfg|conf)"
    r"|(?:hf|api|access|auth|kaggle|wandb|openai|github)[_-]?(?:token|key)s?(?:\.(?:json|ya?ml|toml|ini|cfg|conf|txt))?"
)
_COPIES = (
    re.compile(r"^copy[ _]of[ _]|^\.(?=.*\.swp$)"),
    re.compile(r"~$|\.(?:bak|old|orig|save|backup|copy|tmp|swp|txt|\d+)$"),
    re.compile(r"[ _.-]*(?:\(\d+\)|copy(?: ?\d+)?|\d)(?=\.|$)"),
)
_TEMPLATE = re.compile(r"(?:^|[._-])(?:example|sample|template|dist|tmpl)(?:[._-]|$)")


_BY_NAME = "looks like a secret"
_SOURCE = "the kernel's source"


class Packed(Protocol):
    """A file that goes into a kernel."""

    @property
    def path(self) -> str: ...
    @property
    def data(self) -> bytes: ...


@dataclass(frozen=True)
class Found:
    """A text that looks like a secret. It is not kept itself."""

    line: int
    """From 1; 0 for a whole file."""
    what: str
    """Such as "holds what looks like a GitHub token"."""
    digest: str


class Guard:
    """What goes out from a project, and what it allows."""

    def __init__(self, root: Path) -> None:
        """Raises BundleError if the project's list of what is allowed cannot be read."""
        self._file = root / ALLOWED
        self._allowed = _allowed(self._file)

    def found(self, path: str, data: bytes) -> list[Found]:
        """What looks like a secret in a file, or by its name, and is not allowed."""
        found = [Found(0, _BY_NAME, _digest(data))] if _is_refused_by_name(PurePosixPath(path), data) else []
        found += find_secrets(data)
        return [each for each in found if (each.digest, path) not in self._allowed]

    def check(self, files: Iterable[Packed], into: str = _SOURCE) -> None:
        """Raises BundleError, with all places and how to allow them, if a file looks like a secret or holds one.

        `into` says for the message what they would become part of; so does `becomes` of `check_texts`.
        """
        problems: list[_Problem] = []
        for file in files:
            for found in self.found(file.path, file.data):
                problems.append(_Problem(file.path, found))
            folder = f"a file's name in {PurePosixPath(file.path).parent}/"
            for found in find_secrets(file.path.encode("utf-8", "surrogateescape")):
                if (found.digest, folder) not in self._allowed:
                    problems.append(_Problem(folder, replace(found, line=0)))
        self._refuse(problems, into)

    def check_texts(self, texts: Mapping[str, str], becomes: str = _SOURCE) -> None:
        """The same for texts that are no files: their places (such as "config.optim.lr") and what is there."""
        places = [" ".join(place.split()) for place in texts]
        lines = [
            f"{place} = {json.dumps(text, ensure_ascii=False)}"
            for place, text in zip(places, texts.values(), strict=True)
        ]
        problems = []
        for found in find_secrets("\n".join(lines).encode("utf-8", "surrogatepass")):
            place = places[found.line - 1]
            if (found.digest, place) not in self._allowed:
                problems.append(_Problem(place, replace(found, line=0)))
        self._refuse(problems, becomes)

    def _refuse(self, problems: Sequence[_Problem], becomes: str) -> None:
        if not problems:
            return
        said: dict[str, str] = {}
        for each in problems:
            place = f"{each.place}:{each.found.line}" if each.found.line else each.place
            said.setdefault(place, f"{place} {each.found.what}")
        first, *others = said.values()
        link = " and" if problems[0].found.what == _BY_NAME else "; it"
        more = [*others[: _SHOWN - 1], *([f"and {len(others) - _SHOWN + 1} more"] if len(others) >= _SHOWN else [])]
        lines = dict.fromkeys(f"{each.found.digest} {each.place}" for each in problems)
        raise BundleError(
            "\n  ".join([f"{first}{link} would become part of {becomes}", *more]),
            hint="Remove it (and revoke it, if it was ever pushed); a session can read it from Kaggle's Secrets.\n"
            f"If it is none, allow it with {'this line' if len(lines) == 1 else 'these lines'} in {self._file}:\n"
            + "\n".join(list(lines)[:_SHOWN]),
        )


@dataclass(frozen=True)
class _Problem:
    """A secret, and the file or the setting that has it."""

    place: str
    found: Found


def _allowed(file: Path) -> frozenset[tuple[str, str]]:
    """(digest, place) of each line."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return frozenset()
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{file} cannot be read: {error}") from error
    allowed = set()
    for number, line in enumerate(text.splitlines(), 1):
        digest, _, place = line.strip().partition(" ")
        if not digest or digest.startswith("#"):
            continue
        if not re.fullmatch("[0-9a-f]{16}", digest) or not place.strip():
            raise BundleError(f"{file.name}:{number} is not a digest and a place, as a message of coord prints them")
        allowed.add((digest, place.strip()))
    return frozenset(allowed)


def _digest(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()[:16]


# ---------------------------------------------------------------------- by name


def is_secret_name(path: PurePosixPath) -> bool:
    """Whether a file of that name holds a secret, whatever is in it: in any case, and copies of it."""
    name, before = path.name.lower(), ""
    if _TEMPLATE.search(name):
        return False
    if any(part.lower() in _FOLDERS for part in path.parent.parts):
        return True
    while name != before:  # kaggle (1).json.bak
        if name in _FILES or name.startswith(".env.") or PurePosixPath(name).suffix in _SUFFIXES:
            return True
        if _SETTINGS.fullmatch(name):
            return True
        shorter = (copy.sub("", name, count=1) for copy in _COPIES)
        name, before = next((each for each in shorter if each != name), name), name
    return False


def _is_refused_by_name(path: PurePosixPath, data: bytes) -> bool:
    is_public = path.suffix.lower() == ".pem" and b"-----BEGIN " in data and b"PRIVATE KEY" not in data
    return not is_public and is_secret_name(path)


# ---------------------------------------------------------------------- by content


def find_secrets(data: bytes) -> list[Found]:
    """All that looks like a secret in a file's content, by line."""
    found: dict[tuple[int, str], Found] = {}
    for text, line in views(data):
        for position, secret, what in _search(text):
            if not _is_placeholder(secret):
                each = Found(line(position), f"holds what looks like {what}", _digest(secret))
                found.setdefault((each.line, each.digest), each)
    return sorted(found.values(), key=lambda each: each.line)


_NAMING = (b"key", b"token", b"secret", b"credential", b"bearer", b"basic", b"wandb")
"""One of them is in every name of a secret, for speed."""
_BEFORE = 160
"""Bytes before a value in which its name is looked for."""
_Hit = tuple[int, bytes, str]
"""Its position, the secret itself, what it looks like."""


# For speed, long runs are found by a plain search in a text in which all characters of keys are the same.
_RUN = 20
"""Bytes of the shortest run that `patterns.LONG` or `patterns.VALUE` find."""
_ALIKE = bytes(ord("a") if re.match(rb"[\w+/=.~-]", bytes([each])) else ord(" ") for each in range(256))


def _runs(text: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each long run of characters that keys are made of."""
    alike, end = text.translate(_ALIKE), 0
    while (start := alike.find(b"a" * _RUN, end)) >= 0:
        end = alike.find(b" ", start)
        end = len(alike) if end < 0 else end
        yield start, end


def _search(text: bytes) -> Iterator[_Hit]:
    runs = list(_runs(text))
    long = b" ".join(word for run in runs for word in patterns.LONG.findall(text, *run))
    solid = b" ".join(text[start:end] for start, end in runs)
    for table, words in ((patterns.KEYS, long), (patterns.SOLID, solid), (patterns.OTHERS, text)):
        for word, pattern, what in table:
            if word in words:
                for hit in pattern.finditer(text):
                    yield hit.start(hit.lastindex or 0), hit[hit.lastindex or 0], what
    lower = text.lower()
    yield from _passwords(text, lower)
    for value in (each for run in _near_names(runs, lower) for each in patterns.VALUE.finditer(text, *run)):
        before = text[max(0, value.start() - _BEFORE) : value.start()]
        named = _named(value[0], before, text[value.end() : value.end() + 120])
        if named:
            yield value.start(), value[0], named


def _near_names(runs: Sequence[tuple[int, int]], lower: bytes) -> Iterator[tuple[int, int]]:
    """The runs in which a value may have a name before it."""
    names: list[int] = []
    for word in _NAMING:
        start = -1
        while (start := lower.find(word, start + 1)) >= 0:
            names.append(start)
    names.sort()
    for start, end in runs:
        at = bisect.bisect_left(names, end)
        if at and names[at - 1] >= start - _BEFORE:
            yield start, end


def _named(value: bytes, before: bytes, after: bytes) -> str | None:
    """What a value is by the name before it; `after` is what follows."""
    lower = before.lower()
    if not any(word in lower for word in _NAMING):
        return None
    is_hex = re.fullmatch(rb"[0-9a-f]{32,64}", value) is not None
    if len(value) == 40 and is_hex and patterns.OF_WANDB.search(before):
        return "a Weights & Biases key"
    if len(value) == 25 and patterns.OF_COMET.search(before) and not _is_plain(value):
        return "a Comet key"
    if len(value) == 32 and is_hex and patterns.BARE_KEY.search(before):
        # Alone, "key" has all kinds of digests.
        if patterns.OF_KAGGLE.search(before) or patterns.OF_KAGGLE.search(after):
            return "a Kaggle API key"
        return None
    # In a source, a name with dots may follow "private_key:".
    is_name = b"." in value and before[-1:] not in (b'"', b"'")
    if (_is_random(value) or patterns.UUID.fullmatch(value)) and not is_name and patterns.ASSIGNED.search(before):
        return "a key"
    return None


def _passwords(text: bytes, lower: bytes) -> Iterator[_Hit]:
    if b"://" in text or b":\\/\\/" in text:
        beginnings = re.finditer(rb":(?:\\?/){2}", text)
        hits = (patterns.IN_ADDRESS.match(text, begin.start() - 1) for begin in beginnings if begin.start())
        for hit in filter(None, hits):
            if hit[2] != hit[1] and not _is_plain(unquote_to_bytes(hit[2])):
                yield hit.start(), hit[2], "a password in an address"
    if b"passw" in lower or b"passphrase" in lower or b"pwd" in lower:
        for hit in patterns.PASSWORD.finditer(text):
            secret = hit[hit.lastindex or 0]
            if not _is_plain(secret):
                yield hit.start(), secret, "a password"


def _is_plain(password: bytes) -> bool:
    """Whether it is a word, as the passwords of examples are, or no password at all."""
    return not (re.search(rb"[0-9]", password) and re.search(rb"[A-Za-z]", password))


def _is_placeholder(secret: bytes) -> bool:
    letters = re.sub(rb"[^0-9A-Za-z]", b"", secret)
    most = Counter(letters[4:] or letters).most_common(1)
    return (
        secret.lower() in patterns.WORDS
        or patterns.PLACEHOLDER.search(secret) is not None
        or (bool(most) and most[0][1] > 0.6 * len(letters[4:] or letters))
    )


def _is_random(text: bytes) -> bool:
    """Whether it is a key and no words: digits among letters in one long piece, and the entropy of a random one."""
    piece = max(re.findall(rb"[0-9A-Za-z+/]+", text), key=len, default=b"")
    if len(piece) < 16 or not (re.search(rb"\d.*\d.*\d", piece) and re.search(rb"[A-Za-z]", piece)):
        return False
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares) > 3.3
