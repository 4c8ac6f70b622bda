"""`owner/slug`, Kaggle's names of kernels and data sets, and names of files, checked where they enter."""

import re
from dataclasses import dataclass
from typing import Self

from runner_test.errors import BadName

# The characters of Kaggle's user names and slugs. Without a dot and a slash, a name can't lead out of its folder.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}", re.ASCII)


def check_name(text: str) -> str:
    """Return the name in lower case (Kaggle's addresses are case-insensitive). Raises BadName."""
    name = text.lower()
    if not _NAME.fullmatch(name):
        raise BadName(f"{text!r} is not a valid name (letters, digits, '-' and '_')")
    return name


def file_name_problem(name: str) -> str | None:
    """Why a file or folder can't have that name, or None if it can."""
    if name in ("", ".", ".."):
        return "that is not a name"
    if "/" in name or "\0" in name:
        return "a name has no slash and no null character"
    try:
        length = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "it is not text"
    return "a name has up to 255 bytes" if length > 255 else None


@dataclass(frozen=True, order=True)
class Reference:
    """An owner and a slug, both checked."""

    owner: str
    slug: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.slug}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `owner/slug`. Raises BadName for anything else, a website's prefix such as `datasets/` included."""
        owner, slash, slug = text.partition("/")
        if not slash or "/" in slug:
            raise BadName(f"{text!r} is not of the form owner/slug")
        return cls(check_name(owner), check_name(slug))


@dataclass(frozen=True)
class DatasetSource:
    """A data set that a kernel reads: `owner/slug`, or one version of it, `owner/slug/3` or `owner/slug/versions/3`."""

    reference: Reference
    number: int | None = None

    def __str__(self) -> str:
        return str(self.reference) if self.number is None else f"{self.reference}/{self.number}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one of the three forms. Raises BadName for anything else."""
        found = re.fullmatch(r"([^/]+/[^/]+?)(?:/(?:versions/)?([0-9]{1,9}))?", text, re.ASCII)
        if found is None:
            raise BadName(f"{text!r} is not of the form owner/slug or owner/slug/version")
        return cls(Reference.parse(found[1]), int(found[2]) if found[2] else None)
